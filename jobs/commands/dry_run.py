"""--dry_run: prints the requests to SageMaker as JSON and sends nothing."""

from __future__ import annotations

from typing import Any

from jobs.backends.sagemaker import check_requests
from jobs.requests.common import Requests, requests_json


def check_or_print(flags: Any, requests: Requests, also_checked: Requests = ()) -> bool:
    """Checks requests before anything is sent; with --dry_run prints them.

    Args:
        flags: The launcher's.
        requests: What the subcommand will send.
        also_checked: Requests in the requests, such as the steps of a pipeline; not printed.

    Returns:
        Whether it is a dry run, which ends here.

    Raises:
        InputError: With all that is wrong in the requests.
    """
    check_requests([*also_checked, *requests])
    if flags.dry_run:
        print(requests_json(requests))
    return bool(flags.dry_run)
