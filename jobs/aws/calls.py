"""Calls of the AWS API: retries after temporary errors, and error messages for the user."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from typing import Any

from jobs.spec.console import PrintLine
from model.errors import Failure, InputError

# Error codes by what can be done about them
THROTTLED = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "LimitExceededException",
)
TRANSIENT = (
    *("InternalFailure", "InternalServerException", "InternalServerError", "ServiceUnavailable", "503", "500"),
    *("ModelNotReadyException", "ConcurrentUpdateException"),
)
CAPACITY = ("InsufficientCapacity", "InsufficientCapacityException", "CapacityError")
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
UNKNOWN_KEY = ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch")
NOT_FOUND = ("ValidationException", "ResourceNotFound", "ResourceNotFoundException")  # no resource of that name
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")

ATTEMPTS = 8
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds between attempts

Sleep = Callable[[float], None]


def error_code(error: BaseException | None) -> str:
    """Returns the code of a botocore ClientError, "" for any other exception."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def call(
    method: Callable[..., Any],
    *,
    sleep: Sleep = time.sleep,
    print_line: PrintLine = lambda _: None,
    attempts: int = ATTEMPTS,
    **request: Any,
) -> Any:
    """Calls method(**request); retries after throttling, lack of capacity, internal errors and broken connections.

    The pause before a retry doubles each time up to LONGEST_PAUSE, with random jitter.

    Args:
        method: Method of a boto3 client.
        sleep: Waits for a number of seconds.
        print_line: Prints a line before each retry.
        attempts: Largest number of attempts, including the first.
        request: The method's arguments.

    Raises:
        ClientError, BotoCoreError: The error is permanent, or the last attempt failed.
    """
    from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

    broken_connection = (HTTPClientError, ConnectionError)
    for attempt in range(1, attempts + 1):
        try:
            return method(**request)
        except (ClientError, BotoCoreError) as error:
            code = error_code(error)
            is_temporary = isinstance(error, broken_connection) or code in (*THROTTLED, *TRANSIENT, *CAPACITY)
            if not is_temporary or attempt == attempts:
                raise
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)) * random.uniform(0.5, 1)
            name = code or type(error).__name__
            print_line(f"{name}: retrying in {pause:.0f} s ({attempt} of {attempts - 1})")
            sleep(pause)
    raise AssertionError("unreachable")


def user_error(error: Exception, action: str) -> Exception:
    """Returns the InputError or Failure to raise for an error of AWS, with a message that says what to do.

    Args:
        error: botocore's or boto3's exception.
        action: What failed, the beginning of the message, such as "training exp-1".
    """
    code = error_code(error)
    text = str(getattr(error, "response", {}).get("Error", {}).get("Message", "")) or str(error)
    name = type(error).__name__
    if name in ("NoCredentialsError", "PartialCredentialsError"):
        return InputError(
            f"{action}: no AWS credentials; set --profile, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if code in EXPIRED or name in ("SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError"):
        return InputError(f"{action}: the AWS credentials have expired; get new ones, for example with aws sso login")
    if code in UNKNOWN_KEY:
        return InputError(f"{action}: invalid AWS credentials: {text}")
    if code in DENIED:
        return InputError(f"{action}: access denied: {text}; the required IAM policy is in docs/sagemaker.md")
    if code == "ResourceLimitExceeded":
        quota = re.search(r"service limit '([^']+)' is ([\d,.]+)", text)
        limit = f"the quota {quota[1]!r} is {quota[2]}" if quota else text
        return InputError(
            f"{action}: {limit}; request an increase in Service Quotas (Amazon SageMaker), or use another --instance"
        )
    if code in CAPACITY:
        return Failure(f"{action}: no machines are free: {text}; try again later, or use another --instance")
    if code in THROTTLED:
        return Failure(f"{action}: AWS still throttles requests after {ATTEMPTS} attempts: {text}; try again later")
    if code == "ResourceInUse":
        return InputError(f"{action}: the name is already in use: {text}; use another --job_name")
    if code in ("ValidationException", "ValidationError"):
        return InputError(f"{action}: {text}")
    return Failure(f"{action}: {f'{code}: ' if code else ''}{text}")
