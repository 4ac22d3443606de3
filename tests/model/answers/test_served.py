"""Answers of a batch transform become those of inference."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import evaluation
from container.serve.responses import Answer, ResponseFormat, encode_answers
from model.__main__ import SUBCOMMANDS
from model.artifacts.archive import pack
from model.artifacts.ensemble import load
from model.decisions import Decision
from model.subcommands import run_subcommand

NAMES = ["a/10.jpg", "a/9.jpg", "b.jpg", "cut.jpg", "착용 1.png"]  # sorted
UNREAD = "truncated: image file is truncated"


def transform(*flags: str) -> int:
    return run_subcommand("model", SUBCOMMANDS, ["transform", *flags])


@pytest.fixture
def answered(models: Path, tmp_path: Path) -> Callable[[ResponseFormat], tuple[Path, np.ndarray]]:
    """Writes what the server answers to five images, one of them unreadable; returns the folder and the
    probabilities."""
    scheme = load(models / "a").scheme
    probabilities = np.random.default_rng(0).dirichlet(np.ones(scheme.num_classes), len(NAMES)).astype(np.float32)

    def write(response_format: ResponseFormat) -> tuple[Path, np.ndarray]:
        for name, values in zip(NAMES, probabilities):
            answer = Answer(None, UNREAD) if name == "cut.jpg" else Answer(values)
            path = tmp_path / "transform" / f"{name}.out"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_answers([answer], True, response_format, scheme, Decision()))
        return tmp_path / "transform", probabilities

    return write


@pytest.mark.parametrize(
    ("media_type", "verbose"),
    [
        ("application/json", False),
        ("application/json", True),
        ("application/jsonlines", True),
        ("text/csv", False),
    ],
)
def test_every_form_of_response_is_read(media_type, verbose, answered, models, tmp_path, capsys):
    folder, expected = answered(ResponseFormat(media_type, verbose))
    output = tmp_path / "scores" / "output.csv"
    assert transform(str(folder), "--model_dir", str(models / "a"), "--output", str(output)) == 0
    assert f"5 images converted to {output}; 1 of them could not be read" in capsys.readouterr().out
    result = pd.read_csv(output.with_name("probabilities.csv"), index_col="ImageID")
    scheme = load(models / "a").scheme
    assert result.index.tolist() == NAMES and result.columns.tolist() == scheme.class_names
    is_read = np.array(NAMES) != "cut.jpg"
    np.testing.assert_allclose(result[is_read], expected[is_read], rtol=1e-6)
    assert result[~is_read].isna().all(axis=None)
    answers = pd.read_csv(output, dtype=str, keep_default_na=False)["ans"].tolist()
    assert answers == ["" if name == "cut.jpg" else str(row.argmax()) for name, row in zip(NAMES, expected)]
    assert output.with_name("errors.csv").read_text(encoding="utf-8").splitlines()[1] == f"cut.jpg,{UNREAD}"
    assert json.loads(output.with_name("labels.json").read_text())["attributes"]


def test_they_can_be_evaluated_and_the_model_may_be_packed(answered, models, tmp_path, capsys):
    folder, expected = answered(ResponseFormat("application/json"))
    pack(models / "a", tmp_path / "model.tar.gz")
    output = tmp_path / "scores" / "output.csv"
    assert transform(str(folder), "--model_dir", str(tmp_path / "model.tar.gz"), "--output", str(output)) == 0
    (tmp_path / "gt").mkdir()
    truth = pd.DataFrame({"ImageID": NAMES, "ans": expected.argmax(axis=1)})
    truth.to_csv(tmp_path / "gt" / "gt.csv", index=False)
    flags = ["--ground_truth_dir", str(tmp_path / "gt"), "--output_data_dir", str(output.parent), "--resamples", "0"]
    capsys.readouterr()
    assert evaluation.main(flags) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 0.8  # all but the one that was not read


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"probabilities": [0.5, 0.5]}', "has 2 probabilities, expected 18, one per class"),
        ("0.5,0.5", "has 2 probabilities, expected 18, one per class"),
        (",".join(["7"] * 18), "expected probabilities from 0 to 1"),
        (json.dumps({"probabilities": [None] * 18}), "expected probabilities from 0 to 1"),
        ('{"predictions": []}', "expected the response for one image, with probabilities"),
        ('{"probabilities": [0.5, 0.5], "labels": ["a", "b"]}', "the labels in the file are not the 18 classes"),
        ("1\n2", "expected one line (the response for one image), found 2"),
    ],
)
def test_files_without_a_prediction_are_listed_and_nothing_is_written(
    content, message, answered, models, tmp_path, capsys
):
    folder, _ = answered(ResponseFormat("application/json"))
    for name in ("b.jpg", "a/9.jpg"):
        (folder / f"{name}.out").write_text(content)
    output = tmp_path / "scores" / "output.csv"
    assert transform(str(folder), "--model_dir", str(models / "a"), "--output", str(output)) == 2
    error = capsys.readouterr().err
    assert f"{folder / 'b.jpg.out'}: {message}" in error and f"{folder / 'a/9.jpg.out'}: {message}" in error
    assert not list(output.parent.iterdir())


def test_an_empty_folder_and_missing_flags_are_errors(models, tmp_path, capsys):
    assert transform(str(tmp_path), "--model_dir", str(models / "a")) == 2
    assert "contains no output of a batch transform; expected a file IMAGE.out" in capsys.readouterr().err
    assert transform() == 2
    error = capsys.readouterr().err
    assert "expected one folder of .out files, not" in error and "--model_dir is missing" in error
