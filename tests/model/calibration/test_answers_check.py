"""Predictions that a decision cannot be fitted on, or should not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model.answers.labels_json import HELD_OUT_KEY
from model.artifacts.ensemble import Ensemble, load, load_combined, provenance_of
from model.artifacts.provenance import PROVENANCE_KEY
from model.artifacts.saved_model import SavedModel
from model.calibration.command import fit_on_answers
from model.calibration.fit import Goal
from model.decisions import Ask
from model.errors import InputError


@pytest.fixture
def write_answers(make_held_out, tmp_path):
    """Writes predictions of a model of the attribute mask for 400 images of 200 persons, with their true labels."""

    def written(model: SavedModel | Ensemble, views: int = 1, votes: int = 0, **labels: str) -> Path:
        held_out, folder = make_held_out(), tmp_path / "answers"
        folder.mkdir(exist_ok=True)
        made = {PROVENANCE_KEY: provenance_of(model, views).to_dict()}
        (folder / "labels.json").write_text(json.dumps(model.labels() | made | labels))
        probabilities = held_out.probabilities
        if votes:
            probabilities = np.random.default_rng(0).multinomial(votes, probabilities) / votes
        names = [f"{row}.jpg" for row in range(len(held_out))]
        table = pd.DataFrame(probabilities, columns=model.scheme.class_names)
        table.insert(0, "ImageID", names)
        table.to_csv(folder / "probabilities.csv", index=False, float_format="%.7g")
        pd.DataFrame({"ImageID": names, "ans": probabilities.argmax(1)}).to_csv(folder / "output.csv", index=False)
        truth = pd.DataFrame({"ImageID": names, "ans": held_out.truth, "person": held_out.groups})
        truth.to_csv(folder / "gt.csv", index=False)
        return folder

    return written


def fit(model: SavedModel | Ensemble, folder: Path, promise: float | None = 0.5):
    return fit_on_answers(model, folder / "output.csv", folder / "gt.csv", Goal(promise=promise))[0].decision


def test_thresholds_are_for_the_number_of_views_of_the_predictions(models, write_answers):
    model = load(models / "mask")
    for views in (1, 4):
        decision = fit(model, write_answers(model, views))
        assert isinstance(decision, Ask) and decision.views == views and min(decision.thresholds) < 1


@pytest.mark.parametrize("votes", [0, 3])
def test_votes_of_views_are_an_error(models, write_answers, votes):
    model = load(models / "mask")
    folder = write_answers(model, 3, votes)
    if votes:
        with pytest.raises(InputError, match="shares of the votes of 3 views"):
            fit(model, folder)
    else:
        assert isinstance(fit(model, folder), Ask)


def test_votes_of_members_are_what_a_voting_ensemble_answers(models, write_answers):
    voting = load_combined([f"{models / 'mask'}"] * 3, "vote")
    for views in (1, 2):
        assert isinstance(fit(voting, write_answers(voting, views, votes=3)), Ask)


def test_predictions_of_another_model_are_a_warning(models, write_answers, tmp_path, caplog):
    model = load(models / "mask")
    folder = write_answers(model)
    fit(model, folder, None)
    assert "another model" not in caplog.text
    # the same classes, but another training
    shutil.copytree(models / "mask", tmp_path / "other")
    metrics = json.loads((tmp_path / "other" / "metrics.json").read_text())
    (tmp_path / "other" / "metrics.json").write_text(json.dumps(metrics | {"seconds": metrics["seconds"] + 1}))
    fit(load(tmp_path / "other"), folder, None)
    assert f"has predictions of another model (mask) than {tmp_path / 'other'}" in caplog.text


@pytest.mark.parametrize("promise", [None, 0.5])
def test_out_of_fold_predictions_promise_an_ensemble_only_an_approximation(models, write_answers, caplog, promise):
    ensemble = load_combined([str(models / "mask"), str(models / "mask")])
    fit(ensemble, write_answers(ensemble, **{HELD_OUT_KEY: "out_of_fold"}), promise)
    assert ("the promise is an approximation" in caplog.text) == (promise is not None)
