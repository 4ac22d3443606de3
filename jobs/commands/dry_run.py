"""What every subcommand that sends requests does first: it checks them, looks whether the name is free, and prints
what they can cost; --dry_run prints them as JSON and sends nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.aws.job_kinds import JobKind
from jobs.backends.sagemaker import check_requests, print_spending, require_free_name
from jobs.requests.common import Requests, requests_json


def check_or_print(
    flags: Any, requests: Requests, also_checked: Requests = (), *, name: str | None, replaces: JobKind | None = None
) -> bool:
    """Checks requests and the name before anything is uploaded or created; with --dry_run prints the requests.

    Args:
        flags: The launcher's.
        requests: What the subcommand will send.
        also_checked: Requests in the requests, such as the steps of a pipeline; not printed.
        name: Of the record that the subcommand will write; None where it writes none.
        replaces: Kind of job whose own record of that name it replaces.

    Returns:
        Whether it is a dry run, which ends here.

    Raises:
        InputError: With all that is wrong in the requests, or RESULTS/NAME is another job's.
    """
    check_requests([*also_checked, *requests])
    if flags.dry_run:
        print(requests_json(requests))
        return True
    if name is not None:
        require_free_name(Path(flags.results), name, replaces)
    print_spending([*also_checked, *requests])
    return False
