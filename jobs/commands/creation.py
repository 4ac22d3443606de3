"""Creates several SageMaker resources, or none: after an error or Ctrl-C the resources created so far are deleted, so
that the same command can be repeated."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from jobs.aws.calls import NOT_FOUND, call, error_code, user_error
from jobs.aws.clients import Clients
from jobs.backends.sagemaker import create
from jobs.requests.common import Requests

DELETIONS = {  # creating method: (deleting method, field of the resource's name, noun in messages)
    "create_endpoint_config": ("delete_endpoint_config", "EndpointConfigName", "configuration"),
    "create_model": ("delete_model", "ModelName", "model"),
}


class DeferredInterrupt:
    """Context manager that delays Ctrl-C until the current call to AWS returns, so that its outcome is known.

    KeyboardInterrupt is raised by `check` and at the end of the context. A second Ctrl-C interrupts immediately.
    """

    def __init__(self) -> None:
        self.pressed = False

    def __enter__(self) -> DeferredInterrupt:
        self._before = signal.signal(signal.SIGINT, self._receive)
        return self

    def __exit__(self, error_type: object, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)
        if error_type is None:
            self.check()

    def _receive(self, *_: int | FrameType | None) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
        print("Ctrl-C: waiting for AWS to answer; press Ctrl-C again to interrupt immediately", file=sys.stderr)

    def check(self) -> None:
        """Raises KeyboardInterrupt if Ctrl-C was pressed."""
        if self.pressed:
            raise KeyboardInterrupt


def create_all(clients: Clients, requests: Requests, interrupt: DeferredInterrupt, undo: Callable[[], str]) -> None:
    """Sends requests that create resources, in order.

    After an error, or Ctrl-C before the last request, deletes the resources created so far and prints their names.

    Args:
        clients: Clients of the AWS account.
        requests: boto3 methods and their arguments.
        interrupt: An entered context; it is checked between two requests.
        undo: Undoes earlier steps of the command, such as an upload. Returns what it deleted, "" for nothing.
    """
    created: Requests = []
    try:
        for method, request in requests:
            interrupt.check()
            create(clients, method, request, print)
            created = [(method, request), *created]
    except BaseException:
        deleted: list[str] = []
        not_deleted: list[str] = []
        for method, request in created:
            resource, is_deleted = delete(clients, method, request)
            (deleted if is_deleted else not_deleted).append(resource)
        if uploaded := undo():
            deleted.append(uploaded)
        if deleted:
            print(f"undone, deleted: {', '.join(deleted)}")
        for resource in not_deleted:
            print(f"warning: not deleted: {resource}")
        raise


def delete(clients: Clients, created_by: str, request: Any) -> tuple[str, bool]:
    """Deletes a resource; one that no longer exists counts as deleted.

    Args:
        clients: Clients of the AWS account.
        created_by: The method that created the resource, a key of DELETIONS.
        request: The arguments of that method, or any mapping that contains the resource's name.

    Returns:
        The noun and name of the resource, or the error message if it is not deleted; whether it is deleted.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    method, name_field, noun = DELETIONS[created_by]
    name = request[name_field]
    try:
        call(getattr(clients.sagemaker, method), **{name_field: name})
    except (ClientError, BotoCoreError) as error:
        if error_code(error) not in NOT_FOUND:
            return str(user_error(error, f"{noun} {name}")), False
    return f"{noun} {name}", True
