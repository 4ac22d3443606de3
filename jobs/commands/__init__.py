"""The subcommands of `python -m jobs`: one module with main(argv) per subcommand.

Shared modules: launch (starts a job on any backend), dry_run, find_job (finds a job by name), hosted_model (for
transform, deploy and register), creation (creates several resources, or none), and live_endpoint, endpoint_update and
scaling for endpoints.

Tested by files of other names:
    train, inference, inference_TTA, evaluation: tests/jobs/commands/test_launch.py
"""
