"""The format that a request prefers, and how responses are encoded."""

from __future__ import annotations

import json

import numpy as np
import pytest

from container.http.errors import RequestError
from container.http.json_body import JSON
from container.serve.responses import (
    CSV,
    LINES,
    Answer,
    ResponseFormat,
    encode_answers,
    negotiate_format,
)
from model.decisions import Ask, Decision
from model.labels import mask_scheme

SCHEME = mask_scheme()
PROBABILITIES = np.linspace(0.1, 0.9, SCHEME.num_classes, dtype=np.float32)
READ = Answer(PROBABILITIES, metadata={"age": 31})
UNREAD = Answer(None, "no, image")


@pytest.mark.parametrize(
    ("headers", "default", "media_type", "verbose"),
    [
        ([], JSON, JSON, False),
        ([""], f"{JSON};verbose", JSON, True),
        (["*/*"], CSV, CSV, False),
        (["application/json; Verbose; q=0.5, text/csv;q=0.4"], JSON, JSON, True),
        (["image/png", "application/jsonlines;verbose"], JSON, LINES, True),
        (["*/*, application/*;q=0"], JSON, CSV, False),
        (["text/csv;q=x, */*;q=0.1"], JSON, JSON, False),
    ],
)
def test_the_offered_format_with_the_highest_quality_is_chosen(headers, default, media_type, verbose):
    assert negotiate_format(headers, default) == ResponseFormat(media_type, verbose)


@pytest.mark.parametrize("header", ["image/png", "*/*;q=0", ";;,q=1"])
def test_a_request_that_accepts_none_is_406(header):
    with pytest.raises(RequestError, match="expected application/json") as raised:
        negotiate_format([header], JSON)
    assert raised.value.status == 406


def test_one_image_is_an_object_and_a_list_has_predictions_in_order():
    single = json.loads(encode_answers([READ], True, ResponseFormat(JSON), SCHEME, Decision()))
    answer = json.loads(encode_answers([UNREAD, READ], False, ResponseFormat(JSON), SCHEME, Decision()))
    assert answer == {"predictions": [{"error": "no, image"}, single]}
    assert json.loads(encode_answers([READ], False, ResponseFormat(JSON), SCHEME, Decision())) == {
        "predictions": [single]
    }
    assert single["metadata"] == {"age": 31} and np.allclose(single["probabilities"], PROBABILITIES, atol=1e-7)


def test_verbose_answers_name_the_class_and_its_attributes():
    content = json.loads(encode_answers([READ], True, ResponseFormat(JSON, verbose=True), SCHEME, Decision()))
    assert content["predicted_label"] == content["labels"][-1] == SCHEME.class_names[-1]
    assert content["attributes"] == {attribute.name: attribute.values[-1] for attribute in SCHEME.attributes}


def test_a_verbose_answer_names_the_class_of_the_decision():
    biased = Decision(biases=(9.0, *[0.0] * (SCHEME.num_classes - 1)))
    content = json.loads(encode_answers([READ], True, ResponseFormat(JSON, verbose=True), SCHEME, biased))
    assert content["predicted_label"] == SCHEME.class_names[0]
    assert content["attributes"] == {attribute.name: attribute.values[0] for attribute in SCHEME.attributes}


@pytest.mark.parametrize(("threshold", "asked"), [(0.5, False), (0.95, True)])
def test_a_verbose_answer_has_the_advice_to_ask_a_person_if_the_decision_can(threshold, asked):
    ask = Ask(thresholds=(threshold,) * SCHEME.num_classes)
    content = json.loads(encode_answers([READ, UNREAD], False, ResponseFormat(JSON, verbose=True), SCHEME, ask))
    read, unread = content["predictions"]
    assert read["ask_person"] is asked and "ask_person" not in unread
    for verbose, decision in ((False, ask), (True, Decision())):
        assert b"ask_person" not in encode_answers([READ], True, ResponseFormat(JSON, verbose), SCHEME, decision)


def test_json_lines_and_csv_have_one_line_per_image():
    lines = encode_answers([READ, UNREAD], False, ResponseFormat(LINES), SCHEME, Decision()).splitlines()
    assert [list(json.loads(line)) for line in lines] == [["probabilities", "metadata"], ["error"]]
    first, second = encode_answers([READ, UNREAD], False, ResponseFormat(CSV), SCHEME, Decision()).decode().splitlines()
    assert len(first.split(",")) == SCHEME.num_classes
    assert second == "," * SCHEME.num_classes + '"no, image"'


def test_a_verbose_answer_has_estimated_numbers_and_other_formats_do_not():
    aged = Answer(PROBABILITIES, numbers={"age": 34.25})
    content = json.loads(encode_answers([aged], True, ResponseFormat(JSON, verbose=True), SCHEME, Decision()))
    assert content["age_number"] == 34.25
    assert set(json.loads(encode_answers([aged], True, ResponseFormat(JSON), SCHEME, Decision()))) == {"probabilities"}
    assert len(encode_answers([aged], True, ResponseFormat(CSV), SCHEME, Decision()).split(b",")) == SCHEME.num_classes
