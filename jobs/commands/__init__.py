"""The subcommands of `python -m jobs`, a module each with main(argv); what several share: launch (starts a job on any
backend), dry_run, find_job (a job by its name), hosted_model (of transform, deploy and register), creation (several
resources as one), and of endpoints live_endpoint, endpoint_update and scaling.

Tested by files of other names:
    train, inference, inference_TTA, evaluation: tests/jobs/commands/test_launch.py
"""
