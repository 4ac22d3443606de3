"""List the jobs that were started from this machine, or with --all the jobs of the AWS account.

    python -m jobs list
    python -m jobs list --all --most 50

The status of jobs on SageMaker is listed only with --all.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs.aws.clients import Clients
from jobs.aws.job_kinds import ENDPOINT, NAMED_KINDS
from jobs.commands.find_job import newest_jobs
from jobs.spec.command_line import read_flags
from jobs.spec.flag_groups import SAGEMAKER
from jobs.spec.record import JobRecord, read_records
from model.errors import ExitCode
from model.runtime.terminal import text_table


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags("list", argv, __doc__ or "")
    if flags.all:
        jobs = newest_jobs(Clients(flags.region, flags.profile), list(NAMED_KINDS.values()), flags.most)
        rows = [[job["kind"], job["name"], job["status"], f"{job['created']:%Y-%m-%d %H:%M}"] for job in jobs]
        print(text_table(["kind", "job", "status", "created"], rows))
        return ExitCode.DONE
    records = read_records(Path(flags.results))[-flags.most :]
    rows = [[record.command, record.name, record.on, _state(record), record.started] for record in records]
    print(text_table(["what", "job", "on", "status", "started"], rows))
    return ExitCode.DONE


def _state(record: JobRecord) -> str:
    """Returns the state of a job, "" if only SageMaker has it."""
    if record.restarted_as:
        return f"restarted as {record.restarted_as}"
    if record.on == SAGEMAKER:
        return "deleted" if record.kind == ENDPOINT.name and record.stopped else ""
    return record.state
