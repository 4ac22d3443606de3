"""The settings of the jobs. Imports nothing: ask the module of the job."""
