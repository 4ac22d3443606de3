"""Fingerprints of models: equal if their predictions are."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from model.artifacts.ensemble import load, make_ensemble
from model.artifacts.fingerprint import model_fingerprint
from model.decisions import Decision
from tests.test_without_torch import toy_model


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setattr("model.artifacts.files.NETWORK_FILES", ["toy.npz"])
    return [toy_model(tmp_path / name, seed) for seed, name in enumerate("ab")]


@pytest.mark.parametrize("name", ["toy.npz", "labels.json", "preprocessing.json", "settings.yaml", "decision.json"])
def test_the_fingerprint_of_a_model_depends_on_its_files_not_its_folder(models, tmp_path, name):
    first, other = (model_fingerprint(load(folder)) for folder in models)
    copy = shutil.copytree(models[0], tmp_path / "copy")
    (copy / "README.md").write_text("another card")
    assert model_fingerprint(load(copy)) == first != other
    saved = load(copy)
    with (copy / name).open("ab") as file:
        file.write(b" ")
    assert model_fingerprint(saved) != first


def test_that_of_an_ensemble_depends_on_members_weights_combination_and_decision(models, tmp_path):
    members = [load(folder) for folder in models]
    first = make_ensemble(tmp_path / "x", members, [1, 2], "soft")
    same = make_ensemble(tmp_path / "y", members, [1.0, 2.0], "soft")
    assert model_fingerprint(first) == model_fingerprint(same)
    others = [
        make_ensemble(tmp_path / "x", members[::-1], [1, 2], "soft"),
        make_ensemble(tmp_path / "x", members, [2, 2], "soft"),
        make_ensemble(tmp_path / "x", members, [1, 2], "vote"),
        replace(first, decision=Decision(temperature=2.0)),
    ]
    assert len({model_fingerprint(each) for each in (first, *others)}) == 5
