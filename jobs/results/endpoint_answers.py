"""Answers of endpoints: a real-time endpoint is asked, an asynchronous one gets a request whose answer comes to S3."""

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
REFUSED_IMAGE = (400, 413, 415, 422)  # statuses of the server for an image that it cannot read
POLL_SECONDS = 2.0
RANKS = ("predicted", "second", "third")  # columns of the classes, as inference prints them


@dataclass(frozen=True)
class Answer:
    """The answer to one image.

    Attributes:
        content: The object that the server has answered, {} where it could not.
        error: Why it could not, "" where it could.
    """

    content: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def has_names(self) -> bool:
        """Whether it names the classes beside their probabilities."""
        return bool(self.content.get("labels") and self.content.get("probabilities"))


@dataclass(frozen=True)
class Submitted:
    """A request to an asynchronous endpoint. image: the file; output, failure: S3 URIs of the answer or the error."""

    image: Path
    output: str
    failure: str


def ask(clients: Clients, endpoint: str, image: Path, target_model: str = "") -> Answer:
    """The answer of a real-time or serverless endpoint; of an image that it cannot read the error.

    Raises:
        InputError, Failure: The endpoint cannot be asked, or its model fails.
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
            f"endpoint {endpoint}, {image}: its model answers {status}: {message}; python -m jobs logs {endpoint} has "
            "the server's log"
        ) from error
    return read_answer(body)


def submit(clients: Clients, endpoint: str, output: Mapping[str, Any], image: Path) -> Submitted:
    """Uploads an image beside the answers of an asynchronous endpoint, and asks for its answer.

    Args:
        output: AsyncInferenceConfig's OutputConfig, whose key encrypts the image too.
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
    """The answers to requests, in their order.

    Args:
        timeout: Seconds to wait for all of them.

    Raises:
        Failure: Some have no answer in that time; with the S3 URIs where it will be.
    """
    answers: dict[int, Answer] = {}
    waited = 0.0
    while True:
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
    raise Failure(f"no answer within {timeout:g} s (--timeout); it will be at\n" + "\n".join(late))


def read_object(clients: Clients, uri: str) -> bytes | None:
    """The content of an object, None where there is none yet."""
    from botocore.exceptions import BotoCoreError, ClientError

    where = S3Uri.parse(uri)
    try:
        content: bytes = clients.s3.get_object(Bucket=where.bucket, Key=where.key)["Body"].read()
        return content
    except (ClientError, BotoCoreError) as error:
        if error_code(error) in ("NoSuchKey", "404"):
            return None
        raise user_error(error, uri) from error


def read_answer(body: bytes) -> Answer:
    """The answer in a response's body; one that is no JSON is an error."""
    text = body.decode(errors="replace")
    try:
        content = json.loads(text)
    except ValueError:
        return Answer(error=f"the answer is no JSON: {text[:200]!r}")
    if not isinstance(content, dict):
        content = {"answer": content}
    return Answer(error=str(content["error"])) if "error" in content else Answer(content)


def error_message(text: str) -> str:
    """The message in an error of the server, which is {"error": MESSAGE}; any other text as it is."""
    try:
        content = json.loads(text)
        return str(content["error"])
    except (ValueError, KeyError, TypeError):
        return text.strip()


def answer_rows(names: Sequence[str], answers: Sequence[Answer]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table that inference prints for single images: name, class, its probability, and the next
    two classes, here by probability, with theirs.

    Args:
        names: Of the images.
        answers: To each; those without an error have names of the classes.
    """
    classes = max((len(answer.content["labels"]) for answer in answers if answer.content), default=len(RANKS))
    others = RANKS[1:classes]
    rows = []
    for name, answer in zip(names, answers):
        if not answer.content:
            rows.append([name, f"({answer.error})", "", *[""] * len(others)])
            continue
        shares = dict(zip(answer.content["labels"], answer.content["probabilities"]))
        first = answer.content["predicted_label"]
        ranked = sorted((label for label in shares if label != first), key=lambda label: -shares[label])
        texts = [f"{label} {shares[label]:.1%}" for label in ranked[: len(others)]]
        rows.append([name, first, f"{shares[first]:.1%}", *texts])
    return ["picture", "predicted", "probability", *others], rows
