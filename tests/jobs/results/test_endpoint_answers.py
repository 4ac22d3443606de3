"""Answers of endpoints."""

from __future__ import annotations

import pytest

from container.serve.responses import Answer as ServerAnswer
from container.serve.responses import ResponseFormat, encode_answers
from jobs.aws.clients import Clients
from jobs.results.endpoint_answers import (
    Answer,
    Submitted,
    answer_rows,
    error_message,
    read_answer,
    wait_for_answers,
)
from model.answers.predictions import TOP, terminal_rows
from model.decisions import Decision
from model.errors import Failure
from model.labels import Scheme
from tests.jobs.conftest import BUCKET


def test_the_table_is_the_same_as_inference_prints():
    """The server's answer and inference get the same probabilities."""
    np = pytest.importorskip("numpy")
    scheme = Scheme.from_dict({"attributes": [{"name": "mask", "values": ["worn", "wrong", "none", "open"]}]})
    shares = np.array([[0.05, 0.6, 0.25, 0.1], [0.7, 0.1, 0.15, 0.05]], dtype=np.float32)
    verbose = ResponseFormat("application/json", verbose=True)
    answers = [read_answer(encode_answers([ServerAnswer(row)], True, verbose, scheme, Decision())) for row in shares]
    header, rows = answer_rows(["a.jpg", "b.jpg"], answers)
    assert header == ["picture", "predicted", "probability", *TOP[1:]]
    assert rows == [row for (row,) in terminal_rows(["a.jpg", "b.jpg"], shares, scheme, Decision())]


def test_rows_of_errors_and_of_two_classes():
    answer = Answer({"labels": ["a", "b"], "probabilities": [0.25, 0.75], "predicted_label": "b"})
    header, rows = answer_rows(["1.jpg", "2.jpg"], [Answer(error="broken"), answer])
    assert header == ["picture", "predicted", "probability", "second"]
    assert rows == [["1.jpg", "(broken)", "", ""], ["2.jpg", "b", "75.0%", "a 25.0%"]]


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b'{"probabilities": [1.0]}', Answer({"probabilities": [1.0]})),
        (b'{"error": "cannot be read"}', Answer(error="cannot be read")),
        (b"0.1,0.9\r\n", Answer(error="the answer is not JSON: '0.1,0.9\\r\\n'")),
        (b"[1, 2]", Answer({"answer": [1, 2]})),
    ],
)
def test_bodies_are_parsed_to_answers_or_errors(body, answer):
    assert read_answer(body) == answer


@pytest.mark.parametrize(
    ("text", "message"), [('{"error": "no image"}', "no image"), (" plain\n", "plain"), ('{"x": 1}', '{"x": 1}')]
)
def test_error_messages_of_the_server_are_extracted(text, message):
    assert error_message(text) == message


def submitted(name: str) -> Submitted:
    return Submitted(name, f"s3://{BUCKET}/out/{name}.out", f"s3://{BUCKET}/failed/{name}.out")


def test_answers_in_s3_are_returned_in_the_order_of_requests(aws):
    s3 = aws("s3")
    s3.put_object(Bucket=BUCKET, Key="out/b.out", Body=b'{"n": 2}')
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            s3.put_object(Bucket=BUCKET, Key="out/a.out", Body=b'{"n": 1}')
            s3.put_object(Bucket=BUCKET, Key="failed/c.out", Body=b'{"error": "too dark"}')

    requests = [submitted(name) for name in "abc"]
    answers = wait_for_answers(Clients("eu-west-1"), requests, 60, sleep)
    assert answers == [Answer({"n": 1}), Answer({"n": 2}), Answer(error="too dark")] and len(pauses) == 2


def test_a_timeout_lists_the_uris_of_missing_answers(aws):
    pauses: list[float] = []
    aws("s3").put_object(Bucket=BUCKET, Key="out/b.out", Body=b"{}")
    with pytest.raises(Failure) as raised:
        wait_for_answers(Clients("eu-west-1"), [submitted("a"), submitted("b")], 6, pauses.append)
    assert sum(pauses) == 6
    assert str(raised.value) == f"no answer within 6 s (--timeout); it will be written to\n  a: s3://{BUCKET}/out/a.out"
