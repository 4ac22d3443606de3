"""Follow a job to its end: print its status, log and metrics. Ctrl-C leaves the job running.

    python -m jobs logs                       # the newest job
    python -m jobs logs JOB --follow false    # the lines so far

The exit code is 0 if the job succeeded, and 3 if the model of a pipeline does not pass its gate. An endpoint is
followed until it is deleted.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.aws.job_kinds import DELETED, ENDPOINT, ENDPOINT_ENDED
from jobs.commands.find_job import find_job
from jobs.spec.command_line import read_flags
from model.errors import ExitCode


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags("logs", argv, __doc__ or "")
    job = find_job(flags)
    if job.kind is None:
        try:
            print(job.results.log.read_text(encoding="utf-8"), end="")
        except FileNotFoundError:
            print(f"{job.name} has not written any lines yet")
        return ExitCode.DONE
    follower = job.follower()
    if job.kind is ENDPOINT:
        follower.until = ENDPOINT_ENDED
    if not flags.follow:
        follower.print_log(follower.log_tail())
        return ExitCode.DONE
    try:
        description = follower.follow()
    except KeyboardInterrupt:
        print(f"{job.name} keeps running; follow it again with: python -m jobs logs {job.name}")
        return ExitCode.INTERRUPTED
    follower.last_lines.clear()  # already printed
    code, lines = follower.outcome(description)
    print("\n".join(lines))
    return ExitCode.DONE if job.kind.status(description) == DELETED else code
