"""Sends images to endpoints and reads the answers, which an asynchronous endpoint writes to S3."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.aws.calls import Sleep, call, error_code, user_error
from jobs.aws.clients import Clients
from jobs.requests.endpoint import ASYNC_SECONDS
from jobs.storage.s3 import S3Uri
from model.errors import Failure

CONTENT_TYPE, ACCEPT = "application/x-image", "application/json;verbose"
REFUSED_IMAGE = (400, 413, 415, 422)  # HTTP statuses of the server for an unreadable image
POLL_SECONDS = 2.0  # between two looks for the answers of an asynchronous endpoint
RANKS = ("predicted", "second", "third")  # columns of the classes, as inference prints them


@dataclass(frozen=True)
class Answer:
    """The server's answer to one image.

    Attributes:
        content: The JSON object in the answer, {} after an error.
        error: The server's error message, "" if there is none.
    """

    content: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def has_names(self) -> bool:
        """Whether it contains the class names as well as the probabilities."""
        return bool(self.content.get("labels") and self.content.get("probabilities"))


@dataclass(frozen=True)
class Submitted:
    """A request to an asynchronous endpoint.

    Attributes:
        image: The image file.
        output, failure: S3 URIs that the answer or the error will be written to.
    """

    image: Path
    output: str
    failure: str


def ask(clients: Clients, endpoint: str, image: Path, target_model: str = "") -> Answer:
    """Sends an image to a real-time or serverless endpoint.

    Args:
        clients: Clients of the AWS account.
        endpoint: Name of the endpoint.
        image: The image file.
        target_model: Archive to use of a multi-model endpoint, "" for other endpoints.

    Returns:
        The answer; if the server cannot read the image, an answer with its error.

    Raises:
        InputError, Failure: The request is refused, or the model fails.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    target = {"TargetModel": target_model} if target_model else {}
    request: dict[str, Any] = {"EndpointName": endpoint, "ContentType": CONTENT_TYPE, "Accept": ACCEPT, **target}
    try:
        answer = call(clients.runtime.invoke_endpoint, Body=image.read_bytes(), **request)
        body = answer["Body"].read()
    except (ClientError, BotoCoreError) as error:
        if error_code(error) != "ModelError":
            raise user_error(error, f"endpoint {endpoint}") from error
        response: dict[str, Any] = getattr(error, "response", {})
        status, message = response.get("OriginalStatusCode", 0), error_message(response.get("OriginalMessage", ""))
        if status in REFUSED_IMAGE:
            return Answer(error=message)
        raise Failure(
            f"endpoint {endpoint}, {image}: the model answered {status}: {message}; see the server's log with: python "
            f"-m jobs logs {endpoint}"
        ) from error
    return read_answer(body)


def submit(clients: Clients, endpoint: str, output: Mapping[str, Any], image: Path) -> Submitted:
    """Uploads an image next to the answers of an asynchronous endpoint, and sends the request.

    Args:
        clients: Clients of the AWS account.
        endpoint: Name of the endpoint.
        output: OutputConfig of AsyncInferenceConfig; its KMS key also encrypts the image.
        image: The image file.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    name = f"{uuid.uuid4().hex[:12]}{image.suffix.lower()}"
    uri = S3Uri.parse(f"{str(output['S3OutputPath']).rstrip('/')}-input/{name}")
    key = output.get("KmsKeyId")
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
    try:
        clients.s3.upload_file(str(image), uri.bucket, uri.key, ExtraArgs={**extra, "ContentType": CONTENT_TYPE})
        answer = call(
            clients.runtime.invoke_endpoint_async,
            EndpointName=endpoint,
            InputLocation=str(uri),
            ContentType=CONTENT_TYPE,
            Accept=ACCEPT,
            InvocationTimeoutSeconds=ASYNC_SECONDS,
        )
    except (ClientError, BotoCoreError, Boto3Error) as error:
        raise user_error(error, f"endpoint {endpoint}, {image}") from error
    return Submitted(image, answer["OutputLocation"], answer.get("FailureLocation", ""))


def wait_for_answers(
    clients: Clients, submitted: Sequence[Submitted], timeout: float, sleep: Sleep = time.sleep
) -> list[Answer]:
    """Waits for the answers of an asynchronous endpoint.

    Args:
        clients: Clients of the AWS account.
        submitted: The requests.
        timeout: Longest time to wait for all answers, s.
        sleep: Waits for a number of seconds.

    Returns:
        The answers in the order of the requests.

    Raises:
        Failure: Answers are missing after that time; the message lists their S3 URIs.
    """
    answers: dict[int, Answer] = {}
    waited = 0.0
    while True:
        # read the answers that have arrived: each as an output or as a failure
        for number, request in enumerate(submitted):
            if number in answers:
                continue
            if (body := read_object(clients, request.output)) is not None:
                answers[number] = read_answer(body)
            elif request.failure and (body := read_object(clients, request.failure)) is not None:
                answers[number] = Answer(error=error_message(body.decode(errors="replace")))
        if len(answers) == len(submitted):
            return [answers[number] for number in range(len(submitted))]
        if waited >= timeout:
            break
        sleep(POLL_SECONDS)
        waited += POLL_SECONDS
    late = [f"  {each.image}: {each.output}" for number, each in enumerate(submitted) if number not in answers]
    raise Failure(f"no answer within {timeout:g} s (--timeout); it will be written to\n" + "\n".join(late))


def read_object(clients: Clients, uri: str) -> bytes | None:
    """Reads an object; returns None if it does not exist yet."""
    from botocore.exceptions import BotoCoreError, ClientError

    location = S3Uri.parse(uri)
    try:
        content: bytes = clients.s3.get_object(Bucket=location.bucket, Key=location.key)["Body"].read()
        return content
    except (ClientError, BotoCoreError) as error:
        if error_code(error) in ("NoSuchKey", "404"):
            return None
        raise user_error(error, uri) from error


def read_answer(body: bytes) -> Answer:
    """Reads the answer in a response's body. A body that is not JSON becomes an answer with an error."""
    text = body.decode(errors="replace")
    try:
        content = json.loads(text)
    except ValueError:
        return Answer(error=f"the answer is not JSON: {text[:200]!r}")
    if not isinstance(content, dict):
        content = {"answer": content}
    return Answer(error=str(content["error"])) if "error" in content else Answer(content)


def error_message(text: str) -> str:
    """Returns the message of the server's error, {"error": MESSAGE}; any other text is returned unchanged."""
    try:
        content = json.loads(text)
        return str(content["error"])
    except (ValueError, KeyError, TypeError):
        return text.strip()


def answer_rows(names: Sequence[str], answers: Sequence[Answer]) -> tuple[list[str], list[list[str]]]:
    """Returns header and rows of the table that inference prints for single images: name, predicted class and its
    probability, and the next two classes by probability.

    Args:
        names: Names of the images.
        answers: The answer to each image; answers without an error contain class names.
    """
    classes = max((len(answer.content["labels"]) for answer in answers if answer.content), default=len(RANKS))
    others = RANKS[1:classes]
    rows = []
    for name, answer in zip(names, answers):
        if not answer.content:
            rows.append([name, f"({answer.error})", "", *[""] * len(others)])
            continue
        probabilities = dict(zip(answer.content["labels"], answer.content["probabilities"]))
        first = answer.content["predicted_label"]
        ranked = sorted((label for label in probabilities if label != first), key=lambda label: -probabilities[label])
        texts = [f"{label} {probabilities[label]:.1%}" for label in ranked[: len(others)]]
        rows.append([name, first, f"{probabilities[first]:.1%}", *texts])
    return ["picture", "predicted", "probability", *others], rows
