"""`python -m model weights`: fits weights to the members' validation answers, and writes them when asked."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from model.artifacts.combine import create_ensemble
from model.artifacts.ensemble import load
from model.artifacts.fingerprint import model_fingerprint
from model.artifacts.saved_decision import save_decision
from model.decisions import Ask
from model.errors import InputError
from model.evaluation.ensemble_weights import fit_ensemble_weights, main
from model.evaluation.mixture_weights import fit_weights


@pytest.fixture
def answered(models, faces, tmp_path):
    """An ensemble of the untrained models a and b, and predictions of each for the labelled evaluation images: those of
    b are made better by hand."""
    import inference

    create_ensemble([str(models / "a"), str(models / "b")], tmp_path / "both")
    for name in "ab":
        flags = ["--eval_dir", str(faces / "eval"), "--model_dir", str(models / name), "--device", "cpu"]
        assert inference.main([*flags, "--num_workers", "0", "--output_data_dir", str(tmp_path / name)]) == 0
    truth = pd.read_csv(faces / "gt" / "gt.csv")
    table = pd.read_csv(tmp_path / "b" / "probabilities.csv")
    classes = list(table.columns[1:])
    codes = truth.set_index("ImageID").loc[table["ImageID"], "ans"].to_numpy()
    values = table[classes].to_numpy()
    values[::2] *= 0.5
    values[np.arange(len(codes))[::2], codes[::2]] += 0.5
    table[classes] = values
    table.to_csv(tmp_path / "b" / "probabilities.csv", index=False)
    return tmp_path


def own_probabilities(folder, faces) -> np.ndarray:
    truth = pd.read_csv(faces / "gt" / "gt.csv")
    columns = []
    for name in "ab":
        table = pd.read_csv(folder / name / "probabilities.csv").set_index("ImageID").loc[truth["ImageID"]]
        columns.append(table.to_numpy()[np.arange(len(truth)), truth["ans"]])
    return np.stack(columns, axis=1)


def test_the_weights_are_fitted_to_the_probabilities_of_the_true_classes(answered, faces, capsys):
    words = [str(answered / "both"), "--answers", str(answered / "a"), str(answered / "b")]
    words += ["--ground_truth", str(faces / "gt"), "--resamples", "200"]
    before = (answered / "both" / "ensemble.json").read_text()
    fitted = fit_ensemble_weights(
        answered / "both", [str(answered / "a"), str(answered / "b")], str(faces / "gt"), resamples=200
    )
    np.testing.assert_allclose(fitted.weights, fit_weights(own_probabilities(answered, faces)), atol=1e-4)
    assert fitted.weights[1] > 0.9 and fitted.gain.is_positive and fitted.groups == 12

    assert main(words) == 0
    out = capsys.readouterr().out
    assert "ensemble.json is unchanged" in out and (answered / "both" / "ensemble.json").read_text() == before
    assert "higher likelihood than equal ones" in out and "images of 12 groups" in out

    fingerprint = model_fingerprint(load(answered / "both"))
    assert main([*words, "--write"]) == 0
    ensemble = load(answered / "both")
    assert ensemble.weights == fitted.weights and model_fingerprint(ensemble) != fingerprint
    assert f"{fitted.weights[1]:g}" in (answered / "both" / "README.md").read_text()
    assert json.loads((answered / "both" / "ensemble.json").read_text())["finished"]


def test_the_promise_of_an_ensemble_ends_with_other_weights(answered, faces, capsys):
    decision = Ask(biases=(0.5, *[0.0] * 17), thresholds=(0.5,) * 18, promise=0.1)
    save_decision(load(answered / "both"), decision)
    words = [str(answered / "both"), "--answers", str(answered / "a"), str(answered / "b")]
    words += ["--ground_truth", str(faces / "gt"), "--resamples", "0"]
    assert main(words) == 0 and load(answered / "both").decision == decision
    assert main([*words, "--write"]) == 0
    assert load(answered / "both").decision == decision.without_promise()
    assert "its promise does not hold with other weights" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: ["a"], "1 given, but the ensemble has 2 members: a, b"),
        (lambda folder: ["b", "a"], "by b, expected those of a"),
        (lambda folder: (folder / "b" / "probabilities.csv").unlink() or ["a", "b"], r"there is no probabilities\.csv"),
    ],
)
def test_predictions_that_do_not_fit_are_reported(answered, faces, change, message):
    names = change(answered)
    with pytest.raises(InputError, match=message):
        fit_ensemble_weights(answered / "both", [str(answered / name) for name in names], str(faces / "gt"))


def test_only_a_mean_has_weights_to_fit(models, answered, faces):
    create_ensemble([str(models / "a"), str(models / "b")], answered / "votes", "vote")
    with pytest.raises(InputError, match="combines by 'vote'"):
        fit_ensemble_weights(answered / "votes", [str(answered / "a")] * 2, str(faces / "gt"))
    with pytest.raises(InputError, match="is a single model"):
        fit_ensemble_weights(models / "a", [str(answered / "a")], str(faces / "gt"))


def test_images_that_a_member_was_trained_on_are_warned_of(models, faces, tmp_path, caplog):
    import inference

    create_ensemble([str(models / "a")], tmp_path / "one")
    (tmp_path / "eval").mkdir()
    shutil.copytree(faces / "train" / "images", tmp_path / "eval" / "images")
    flags = ["--eval_dir", str(tmp_path / "eval"), "--model_dir", str(models / "a"), "--device", "cpu"]
    assert inference.main([*flags, "--num_workers", "0", "--output_data_dir", str(tmp_path / "a")]) == 0
    fit_ensemble_weights(tmp_path / "one", [str(tmp_path / "a")], str(faces / "train"), resamples=0)
    assert "the model was trained on" in caplog.text
