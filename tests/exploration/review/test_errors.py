"""The command: which labels and images it reads, what it refuses, and corrections that evaluation applies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from exploration.__main__ import main
from exploration.review.errors import ErrorsSettings, open_errors, read_predictions

PORT = 8767


@pytest.fixture
def settings(faces: Path, eval_answers: Path, tmp_path: Path) -> Callable[..., ErrorsSettings]:
    def make(**given: object) -> ErrorsSettings:
        known = {"channel": str(faces / "eval"), "answers": str(eval_answers), "ground_truth": str(faces / "gt")}
        return ErrorsSettings(**{**known, "corrections": str(tmp_path / "corrections.csv"), "reviewer": "ann", **given})

    return make


@pytest.mark.parametrize("folder", ["eval", "eval/images"])
def test_labels_of_a_table_and_images_of_a_folder(settings, faces, folder):
    predictions = read_predictions(settings(channel=str(faces / folder)))
    labels = predictions.labels
    assert len(labels.paths) == 84 and labels.table.grouped_by == "person" and len(set(labels.groups)) == 12
    assert all((faces / folder / path).is_file() for path in labels.paths)
    assert set(predictions.codes) == set(predictions.probabilities) == {"mask", "gender", "age"}


def test_labels_of_the_channel_itself(settings, faces, held_out, labels):
    train = {"channel": str(faces / "train"), "answers": str(held_out.with_name("exp.validation"))}
    beside = read_predictions(settings(**train, ground_truth=None))
    whole = read_predictions(settings(**train, ground_truth=str(faces / "train")))
    rows = [whole.labels.row_of[path] for path in beside.labels.paths]
    assert 0 < len(rows) < len(whole.labels.paths) == 168
    assert set(whole.labels.paths) == set(labels.paths)  # as training and review call them, for corrections
    others = np.setdiff1d(np.arange(168), rows)
    for name, codes in beside.codes.items():
        assert np.array_equal(whole.codes[name][rows], codes) and (whole.codes[name][others] == -1).all()
        assert np.array_equal(whole.labels.table.labels[name][rows], beside.labels.table.labels[name])
    assert beside.labels.table.grouped_by == "person"  # as in training, not as gt.csv calls it


def test_images_that_the_folder_lacks_are_left_out(settings, faces, tmp_path, capsys):
    folder = tmp_path / "some"
    folder.mkdir()
    for image in sorted((faces / "eval" / "images").iterdir())[:5]:
        shutil.copy(image, folder)
    assert len(read_predictions(settings(channel=str(folder))).labels.paths) == 5
    assert "5 of 84 images" in capsys.readouterr().out


def test_a_correction_is_saved_with_its_source_and_evaluation_applies_it(settings, faces, eval_answers, tmp_path):
    import evaluation

    review = open_errors(settings(attribute="mask"), PORT)
    items = review.data.items
    with TestClient(review.app(), f"http://127.0.0.1:{PORT}") as client:
        client.headers["X-Rarebird-Token"] = review.token
        for item in items:
            body = {"item": item.id, "row": item.images[0], "attribute": "mask", "action": "relabel"}
            assert client.post("/api/decisions", json={**body, "value": item.suggested}).status_code == 200
    review.close()
    lines = [line.split(",") for line in (tmp_path / "corrections.csv").read_text().splitlines()[1:]]
    assert len(lines) == len(items) > 0
    first = items[0]
    assert lines[0][0] == first.path
    assert lines[0][2:7] == ["mask", "relabel", first.suggested, first.given, "ann"] and lines[0][-1] == "errors"
    flags = ["--ground_truth_dir", str(faces / "gt"), "--output_data_dir", str(eval_answers)]
    flags += ["--output", str(tmp_path / "scores"), "--corrections", str(tmp_path / "corrections.csv")]
    assert evaluation.main([*flags, "--resamples", "0"]) == 0
    scores = json.loads((tmp_path / "scores" / "evaluation.json").read_text())["rarebird"]
    assert scores["attributes"]["mask"]["accuracy"]["value"] == 1.0


def test_at_most_some_are_listed(settings, capsys):
    whole = open_errors(settings(most=0), PORT)
    some = open_errors(settings(most=3), PORT)
    for review in (whole, some):
        review.close()
    assert list(some.data.items) == list(whole.data.items)[:3] and len(whole.data.items) > 3
    assert f"the first 3 of {len(whole.data.items):,} are listed" in capsys.readouterr().out


LABELLED = ["{eval}", "--answers", "{answers}", "--ground_truth", "{gt}"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "no channel"),
        (["{eval}"], "no answers"),
        (["{eval}l", "--answers", "{answers}"], "there is no such folder; nearest: eval"),
        (["{eval}", "--answers", "{answers}/none"], "none"),
        (["{gt}", "--answers", "{answers}", "--ground_truth", "{gt}"], "has none of the images in output.csv"),
        ([*LABELLED, "--true", "mask=wron"], "nearest: worn"),
        ([*LABELLED, "--attribute", "mas"], "attribute: 'mas' is not an attribute"),
        ([*LABELLED, "--model", "{gt}"], "contain a saved model"),
        ([*LABELLED, "--least_confidence", "0.9", "--most_confidence", "0.2"], "is larger than"),
        ([*LABELLED, "--least_confidence", "2"], "least_confidence"),
        ([*LABELLED, "--filter", "path=nowhere"], "there is no wrong prediction"),
        ([*LABELLED, "--corrections", "{eval}/c.csv"], "must not be in the channel"),
        ([*LABELLED, "--attribtue", "x"], "nearest: attribute"),
    ],
)
def test_bad_input_exits_with_2(faces, eval_answers, capsys, flags, message):
    known = {"eval": faces / "eval", "gt": faces / "gt", "answers": eval_answers}
    assert main(["errors", *(flag.format(**known) for flag in flags)]) == 2
    assert message in capsys.readouterr().err
