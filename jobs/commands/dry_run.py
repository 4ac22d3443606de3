"""The first step of every subcommand that sends requests: validate them, check that the name is free, and print what
they can cost. With --dry_run the requests are printed as JSON and nothing is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.aws.job_kinds import JobKind
from jobs.backends.sagemaker import check_requests, print_spending, require_free_name
from jobs.requests.common import Requests, requests_json


def check_or_print(
    flags: Any, requests: Requests, also_checked: Requests = (), *, name: str | None, replaces: JobKind | None = None
) -> bool:
    """Checks requests and the job's name before anything is uploaded or created; with --dry_run prints the requests.

    Args:
        flags: The launcher's flags.
        requests: The requests that the subcommand will send.
        also_checked: Requests that are part of other requests, such as the steps of a pipeline; they are not printed.
        name: Name of the record that the subcommand will write, None if it writes none.
        replaces: Kind of job whose record of the same name is replaced.

    Returns:
        Whether this is a dry run, which ends here.

    Raises:
        InputError: Requests are invalid (the message lists all errors), or RESULTS/NAME belongs to another job.
    """
    check_requests([*also_checked, *requests])
    if flags.dry_run:
        print(requests_json(requests))
        return True
    if name is not None:
        require_free_name(Path(flags.results), name, replaces)
    print_spending([*also_checked, *requests])
    return False
