"""Predictions and the queue of errors, compared with the files of a training by other code."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from exploration.review.errors import ErrorsSettings, read_predictions
from exploration.review.predictions import ErrorFilter, Predictions, error_items
from model.errors import InputError

ATTRIBUTES = ("mask", "gender", "age")
Row = tuple[str, str, str, str, float]  # path, attribute, label, prediction, its probability


@pytest.fixture(scope="module")
def predictions(faces: Path, held_out: Path) -> Predictions:
    """The predictions of a hardly trained model for the images that it held out."""
    return read_predictions(
        ErrorsSettings(channel=str(faces / "train"), answers=str(held_out.with_name("exp.validation")))
    )


@pytest.fixture(scope="module")
def expected(held_out: Path) -> list[Row]:
    """Each image and attribute, in the order of the files."""
    folder = held_out.with_name("exp.validation")

    def rows(name: str) -> list[dict[str, str]]:
        with open(folder / name, encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    found = []
    for truth, answer, probability in zip(rows("gt.csv"), rows("output.csv"), rows("probabilities.csv")):
        path = truth["ImageID"]
        assert path == answer["ImageID"] == probability.pop("ImageID")
        classes = list(probability)
        for position, name in enumerate(ATTRIBUTES):
            sums: defaultdict[str, float] = defaultdict(float)
            for joint, value in probability.items():
                sums[joint.split("/")[position]] += float(value)
            predicted = classes[int(answer["ans"])].split("/")[position]
            found.append((path, name, truth["ans_name"].split("/")[position], predicted, sums[predicted]))
    return found


def listed(predictions: Predictions, **conditions) -> list[Row]:
    items = error_items(predictions, ErrorFilter(**conditions))
    assert [item.id for item in items] == list(range(len(items)))
    assert all(predictions.labels.paths[item.images[0]] == item.path and item.level == "image" for item in items)
    return [(item.path, item.attribute, item.given, item.suggested, item.score or 0) for item in items]


def same(found: list[Row], wanted: list[Row]) -> None:
    assert sorted(row[:4] for row in found) == sorted(row[:4] for row in wanted)
    known = {row[:2]: row[4] for row in wanted}
    assert [row[4] for row in found] == pytest.approx([known[row[:2]] for row in found], abs=1e-6)


def test_the_queue_has_every_wrong_prediction_most_confident_first(predictions, expected):
    found = listed(predictions)
    wrong = [row for row in expected if row[2] != row[3]]
    assert len(wrong) > 10
    same(found, wrong)
    assert [row[4] for row in found] == sorted((row[4] for row in found), reverse=True)


def test_right_predictions_come_least_confident_first_and_suggest_nothing(predictions, expected):
    found = listed(predictions, wrong=False)
    same(found, [(*row[:3], "", row[4]) for row in expected if row[2] == row[3]])
    assert [row[4] for row in found] == sorted(row[4] for row in found)


def test_reasons_say_what_was_predicted_with_which_probability(predictions):
    wrong, right = (error_items(predictions, ErrorFilter(wrong=wrong))[0] for wrong in (True, False))
    assert wrong.reason == f"Predicted {wrong.suggested} with {wrong.score:.2f}; labelled {wrong.given}."
    assert right.reason == f"Predicted {right.given} with {right.score:.2f}, as labelled."


@pytest.mark.parametrize(
    ("conditions", "fulfils"),
    [
        ({"attribute": "age"}, lambda row, own: row[1] == "age"),
        ({"true": ["mask=worn"]}, lambda row, own: row[1] == "mask" and row[2] == "worn"),
        (
            {"true": ["age=30 to 59", "age=under 30"], "attribute": "gender"},
            lambda row, own: row[1] == "gender" and own["age"][2] in ("30 to 59", "under 30"),
        ),
        (
            {"true": ["gender=male"], "predicted": ["gender=female"]},
            lambda row, own: row[1:4] == ("gender", "male", "female"),
        ),
        (
            {"predicted": ["gender=female"], "attribute": "age"},
            lambda row, own: row[1] == "age" and own["gender"][3] == "female",
        ),
        ({"confidence": (0.4, 0.6)}, lambda row, own: 0.4 <= row[4] <= 0.6),
        ({"images": ["path=incorrect_mask"]}, lambda row, own: "incorrect_mask" in row[0]),
        ({"images": ["race=drawn"], "attribute": "mask"}, lambda row, own: row[1] == "mask"),
    ],
)
def test_filters(predictions, expected, conditions, fulfils):
    own: defaultdict[str, dict[str, Row]] = defaultdict(dict)
    for row in expected:
        own[row[0]][row[1]] = row
    wanted = [row for row in expected if row[2] != row[3] and fulfils(row, own[row[0]])]
    assert wanted or "predicted" in conditions
    same(listed(predictions, **conditions), wanted)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"attribute": "mas"}, "'mas' is not an attribute.*mask"),
        ({"true": ["mask=wron"]}, "true:\n.*'mask=wron', expected worn.*nearest: worn"),
        ({"predicted": ["gendre=male"]}, "predicted:\n.*'gendre=male'.*nearest: gender"),
        ({"images": ["mask"]}, "filter:\n.*'mask', expected NAME=VALUE"),
    ],
)
def test_invalid_conditions_name_the_flag(predictions, conditions, message):
    with pytest.raises(InputError, match=f"(?s){message}"):
        error_items(predictions, ErrorFilter(**conditions))


def test_no_prediction_is_no_error_and_without_probability_comes_last(predictions):
    table, row = predictions.labels.table, 0
    codes = {name: own.copy() for name, own in predictions.codes.items()}
    for own in codes.values():
        own[row] = -1
    probabilities = {name: own.copy() for name, own in predictions.probabilities.items()}
    probabilities["mask"][:, :] = np.nan
    without = Predictions(predictions.labels, codes, probabilities)
    items = error_items(without, ErrorFilter())
    assert all(item.path != table.locations[row].path for item in items)
    assert items[-1].attribute == "mask" and items[-1].score is None
    assert items[-1].reason == f"Predicted {items[-1].suggested}; labelled {items[-1].given}."
    assert "mask" not in without.shown(1) and "age" in without.shown(1)
    with pytest.raises(InputError, match=r"least_confidence.*probabilities\.csv"):
        error_items(Predictions(predictions.labels, codes, {}), ErrorFilter(confidence=(0.5, 1)))


def test_shown_probabilities_are_the_largest_and_that_of_the_label(predictions, monkeypatch):
    monkeypatch.setattr("exploration.review.predictions.SHOWN", 1)
    for row in range(len(predictions.labels.paths)):
        for name, shown in predictions.shown(row).items():
            table, label = predictions.probabilities[name][row], predictions.labels.text(row, name)
            values = predictions.labels.table.scheme.attribute(name).values
            assert shown[0] == (values[int(table.argmax())], pytest.approx(table.max()))
            assert {value for value, _ in shown} == {shown[0][0], label}
