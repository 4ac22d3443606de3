"""Lists jobs: those started from here, and with --all true those of the account.

python -m jobs list
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from jobs.aws import Clients
from jobs.flags import AccountFlags, read_flags
from jobs.kinds import KINDS
from jobs.named import newest_jobs
from jobs.records import records
from model.fields import setting


@dataclass(frozen=True)
class ListFlags(AccountFlags):
    all: bool = setting(False, "those that SageMaker lists, with their status", section="Which")
    most: int = setting(20, "of each kind", low=1, high=100)


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags(ListFlags, argv, __doc__ or "")
    if flags.all:
        found = newest_jobs(Clients(flags.region, flags.profile), list(KINDS.values()), flags.most)
        rows = [[job["kind"], job["name"], job["status"], f"{job['created']:%Y-%m-%d %H:%M}"] for job in found]
        print(tabulate(rows, headers=["kind", "job", "status", "created"]))
        return 0
    known = records(Path(flags.results))[-flags.most :]
    rows = [[job.what, job.name, job.on, job.started] for job in known]
    print(tabulate(rows, headers=["what", "job", "on", "started"]))
    return 0
