"""Lists jobs: those started from here, with how those on this machine ended; with --all true those of the account.

python -m jobs list
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.aws.clients import Clients
from jobs.aws.job_kinds import KINDS
from jobs.commands.find_job import newest_jobs
from jobs.spec.flags import SAGEMAKER, AccountFlags, read_flags
from jobs.spec.record import Record, records
from model.runtime.terminal import text_table
from model.settings.fields import setting


@dataclass(frozen=True)
class ListFlags(AccountFlags):
    all: bool = setting(False, "those that SageMaker lists, with their status", section="Which")
    most: int = setting(20, "of each kind", low=1, high=100)


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags(ListFlags, argv, __doc__ or "")
    if flags.all:
        found = newest_jobs(Clients(flags.region, flags.profile), list(KINDS.values()), flags.most)
        rows = [[job["kind"], job["name"], job["status"], f"{job['created']:%Y-%m-%d %H:%M}"] for job in found]
        print(text_table(["kind", "job", "status", "created"], rows))
        return 0
    known = records(Path(flags.results))[-flags.most :]
    rows = [[job.what, job.name, job.on, _state(job), job.started] for job in known]
    print(text_table(["what", "job", "on", "status", "started"], rows))
    return 0


def _state(job: Record) -> str:
    """What is known of it without asking SageMaker."""
    if job.restarted_as:
        return f"restarted as {job.restarted_as}"
    return "" if job.on == SAGEMAKER else job.state
