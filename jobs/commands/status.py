"""Print the status of a job.

    python -m jobs status            # the newest job
    python -m jobs status JOB

For a pipeline that has ended, the exit code is 0 if the model passed the gate, 3 if it did not, and 1 if a step failed.
Otherwise it is 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.aws.job_kinds import ENDED, PIPELINE
from jobs.commands.find_job import read_job_name
from model.errors import ExitCode


def main(argv: Sequence[str]) -> int:
    job = read_job_name("status", argv, __doc__ or "")
    if job.kind is None:
        print(f"{job.command} {job.name}: {job.state}, on {job.on}; log: {job.results.log}")
        return ExitCode.DONE
    follower = job.follower()
    description = follower.describe()
    follower.print_changes(description)
    if job.kind.status(description) not in ENDED:
        return ExitCode.DONE
    code, lines = follower.outcome(description)
    print("\n".join(lines))
    return code if job.kind is PIPELINE else ExitCode.DONE
