"""Where a job runs: local_process (here), docker, sagemaker; for the two on this machine also hosts (the folders that
SageMaker would mount), child_processes (a process a host) and local_run (the job's record, inputs and results).
"""
