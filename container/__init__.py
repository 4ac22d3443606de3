"""Everything that runs around a job inside the image. The only package that reads /opt/ml and the SM_* variables.

entrypoint starts a job (job_types) under supervise or torchrun. job_script wraps the main function of every job script.
settings_layers, environment and locations determine a job's settings and folders. failure writes the files that report
how it ended. serve/ is the HTTP server of models; http/ has its parts that do not depend on a model, which exploration
may use to serve pages.
"""
