"""Tells how a job stands.

python -m jobs status            the newest
python -m jobs status JOB
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.flags import read_flags
from jobs.follow import ending
from jobs.kinds import ENDED
from jobs.local import LOG
from jobs.named import NamedFlags, find_job


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
