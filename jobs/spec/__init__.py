"""The description of a job before it is started.

job and inputs (the description that every backend takes); flags, model_flags, account_flags and flag_groups (the flags
of each subcommand, composed of groups); command_line, hyperparameters, config_file and job_from_flags (from a command
line to a job); isolation (settings that need a network); studio (defaults in SageMaker Studio); earlier_jobs (inputs
that name an earlier job); record, redaction and results_folder (files in RESULTS/JOB); metrics and console (training's
metrics, printed lines).

Tested by files of other names:
    account_flags, model_flags: tests/jobs/spec/test_flag_groups.py
"""
