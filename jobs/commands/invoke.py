"""Predict images with an endpoint, and print the most probable classes of each image.

    python -m jobs invoke ENDPOINT image.jpg other.png
    python -m jobs invoke ENDPOINT image.jpg --json

For an asynchronous endpoint the images are uploaded to S3 first, and the S3 URI of each answer is printed. The exit
code is 1 if no image was predicted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.aws.clients import Clients
from jobs.commands.live_endpoint import IN_SERVICE, live_endpoint
from jobs.requests.endpoint import ASYNC, MIB, PAYLOAD_BYTES
from jobs.results.endpoint_answers import Answer, answer_rows, ask, submit, wait_for_answers
from jobs.spec.command_line import read_flags
from model.errors import ExitCode, Failure, InputError, Problems
from model.runtime.terminal import text_table


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags("invoke", argv, __doc__ or "")
    if len(flags.names) < 2:
        raise InputError("expected an endpoint and at least one image: python -m jobs invoke ENDPOINT image.jpg ...")
    # check images and endpoint before anything is sent
    name, *paths = flags.names
    images = [Path(path) for path in paths]
    check_images(images)
    clients = Clients(flags.region, flags.profile)
    endpoint = live_endpoint(clients, name)
    if endpoint.status != IN_SERVICE:
        raise Failure(f"endpoint {name} is {endpoint.status}; follow it with: python -m jobs logs {name}")
    check_sizes(images, endpoint.kind)
    # send the images
    if endpoint.kind == ASYNC:
        if flags.target_model:
            raise InputError("--target_model: an asynchronous endpoint has only one model; remove the flag")
        submitted = [submit(clients, endpoint.name, endpoint.output, image) for image in images]
        for image, request in zip(images, submitted):
            print(f"{image}: {request.output}", file=sys.stderr if flags.json else sys.stdout)
        if not flags.timeout:
            return ExitCode.DONE
        answers = wait_for_answers(clients, submitted, flags.timeout)
    else:
        answers = ask_all(clients, name, images, flags)
    print_answers(images, answers, flags.json)
    if not any(answer.content for answer in answers):
        raise Failure(
            f"none of {len(images)} images was predicted" if len(images) > 1 else "the image was not predicted"
        )
    return ExitCode.DONE


def ask_all(clients: Clients, endpoint: str, images: Sequence[Path], flags: Any) -> list[Answer]:
    """Returns the answers of a real-time or serverless endpoint. If a request fails, prints the answers so far and
    raises its error."""
    answers: list[Answer] = []
    try:
        for image in images:
            answers.append(ask(clients, endpoint, image, flags.target_model))
    except (InputError, Failure, KeyboardInterrupt):
        if answers:
            print_answers(images[: len(answers)], answers, flags.json)
        raise
    return answers


def check_images(images: Sequence[Path]) -> None:
    """Raises InputError that lists all paths that are not files."""
    problems = Problems("images")
    for image in images:
        if image.is_dir():
            problems.add("a folder", str(image), "predict folders with python -m jobs inference or transform")
        elif not image.is_file():
            problems.add("no such file", str(image))
    problems.raise_if_any()


def check_sizes(images: Sequence[Path], kind: str) -> None:
    """Raises InputError that lists all images that are too large for an endpoint of this kind."""
    most = PAYLOAD_BYTES[kind]
    problems = Problems("images")
    for image in images:
        size = image.stat().st_size
        if size > most:
            advice = (
                ""
                if kind == ASYNC
                else f"an endpoint of kind async accepts images of up to {PAYLOAD_BYTES[ASYNC] // MIB:,} MiB"
            )
            text = f"{image}: {size / MIB:,.1f} MiB, expected at most {most // MIB:,}"
            problems.add(f"too large for a request to an endpoint of kind {kind}", text, advice)
    problems.raise_if_any()


def print_answers(images: Sequence[Path], answers: Sequence[Answer], as_json: bool) -> None:
    """Prints the answers of an endpoint.

    Args:
        images: The images.
        answers: The answer to each image.
        as_json: Whether to print one line of JSON per image, which is also done if answers have no class names. False
            prints a table.
    """
    if as_json or not all(answer.error or answer.has_names for answer in answers):
        for image, answer in zip(images, answers):
            print(
                json.dumps({"picture": str(image), **(answer.content or {"error": answer.error})}, ensure_ascii=False)
            )
        return
    header, rows = answer_rows([str(image) for image in images], answers)
    print(text_table(header, rows, right=[2]))
