"""Tells how a job stands.

python -m jobs status            the newest
python -m jobs status JOB
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.aws.follow import ending
from jobs.aws.job_kinds import ENDED
from jobs.backends.local_run import LOG
from jobs.commands.find_job import NamedFlags, find_job
from jobs.spec.flags import read_flags


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags(NamedFlags, argv, __doc__ or "")
    job = find_job(flags)
    if job.kind is None:
        print(f"{job.what} {job.name}: {job.state}, on {job.on}; its log: {job.folder / LOG}")
        return 0
    follower = job.follower()
    description = follower.describe()
    follower.tell_changes(description)
    if job.kind.state(description) in ENDED:
        for line in ending(job.kind, job.name, description, [])[1]:
            print(line)
    return 0
