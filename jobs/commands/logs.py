"""Follow a job on SageMaker to its end: its status, log and metrics. Ctrl-C leaves the job running.

python -m jobs logs              the newest job
python -m jobs logs JOB --follow false

The exit code is 0 where the job succeeded; for a pipeline 3 where its model does not pass the gate. The log of an
endpoint is followed until the endpoint is deleted.
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
            print(f"{job.name} has written no line yet")
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
        print(f"{job.name} goes on; python -m jobs logs {job.name} comes back to it")
        return ExitCode.INTERRUPTED
    follower.last_lines.clear()  # they are printed already
    code, lines = follower.outcome(description)
    print("\n".join(lines))
    return ExitCode.DONE if job.kind.status(description) == DELETED else code
