"""Creates several resources of SageMaker as one: after an error or Ctrl-C, what this command has created is deleted
again, so that the same command can be repeated."""

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

DELETIONS = {  # by what created it: boto3's method that deletes it, the field of its name, and what it is
    "create_endpoint_config": ("delete_endpoint_config", "EndpointConfigName", "configuration"),
    "create_model": ("delete_model", "ModelName", "model"),
}


class DeferredInterrupt:
    """Context manager in which Ctrl-C waits for the end of a call to AWS, whose outcome would be unknown otherwise.

    It is raised by `check` and at the end of the context. A second Ctrl-C interrupts at once.
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
        print("Ctrl-C: waiting for AWS's answer; once more interrupts at once", file=sys.stderr)

    def check(self) -> None:
        """Raises KeyboardInterrupt if Ctrl-C was pressed."""
        if self.pressed:
            raise KeyboardInterrupt


def create_all(clients: Clients, requests: Requests, interrupt: DeferredInterrupt, undo: Callable[[], str]) -> None:
    """Sends requests that create resources, in order.

    After an error, or Ctrl-C before the last of them, the resources that this call has created are deleted again, and a
    line says so.

    Args:
        interrupt: Entered; Ctrl-C is noticed between two requests.
        undo: Undoes what the command did before, such as an upload; returns what it has deleted, "" for nothing.
    """
    created: Requests = []
    try:
        for method, request in requests:
            interrupt.check()
            create(clients, method, request, print)
            created = [(method, request), *created]
    except BaseException:
        deleted: list[str] = []
        left: list[str] = []
        for method, request in created:
            words, is_deleted = delete(clients, method, request)
            (deleted if is_deleted else left).append(words)
        if uploaded := undo():
            deleted.append(uploaded)
        if deleted:
            print(f"deleted again: {', '.join(deleted)}")
        for words in left:
            print(f"warning: not deleted: {words}")
        raise


def delete(clients: Clients, created_by: str, request: Any) -> tuple[str, bool]:
    """Deletes what a request has created; it may be gone already.

    Args:
        created_by: Method that has created it, one of DELETIONS.
        request: The arguments, or any mapping with the field of its name.

    Returns:
        What it is, in words, with the reason where it is not deleted; whether it is deleted.
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
