"""Where a job runs: local_process (--on here), docker and sagemaker.

The two backends on this machine share hosts (folders laid out as /opt/ml), child_processes (one process per host) and
local_run (the job's record, inputs and results). input_sizes checks inputs before SageMaker copies them.
"""
