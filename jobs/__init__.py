"""Starts, follows and fetches the jobs on this machine, in the image and on SageMaker: `python -m jobs SUBCOMMAND`.

Tested by files of other names:
    __main__: tests/jobs/test_main.py
"""
