"""Start, follow and fetch jobs on this machine, in Docker and on SageMaker: `python -m jobs SUBCOMMAND`.

Tested by files of other names:
    __main__: tests/jobs/test_main.py
"""
