"""Replacing the decision of saved models and ensembles."""

import shutil

import pytest

from model.artifacts.combine import create_ensemble
from model.artifacts.ensemble import load
from model.artifacts.fingerprint import model_fingerprint
from model.artifacts.saved_decision import save_decision
from model.artifacts.verify import model_problem
from model.decisions import Ask, Decision


@pytest.mark.parametrize("kind", ["model", "ensemble"])
def test_the_folder_has_the_new_decision_and_a_card_that_names_it(models, tmp_path, kind):
    folder = tmp_path / "copy"
    if kind == "model":
        shutil.copytree(models / "a", folder)
    else:
        create_ensemble([str(models / "a"), str(models / "b")], folder)
    card, before = (folder / "README.md").read_text(encoding="utf-8"), load(folder)
    unchanged = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    decision = Ask(2.0, tuple([0.5] * 17 + [0.0]), (0.25,) * 18, 0.1)
    fingerprint = model_fingerprint(before)
    save_decision(before, decision)
    after = load(folder)
    assert after.decision == decision and model_problem(folder) is None
    assert model_fingerprint(after) != fingerprint
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "ask (" in text and "promise 0.1" in text
    changed = {path.name for path, content in unchanged.items() if path.read_bytes() != content}
    assert changed == {"decision.json", "README.md"}
    # the card is the one that was there, but for the decision
    save_decision(after, Decision())
    assert (folder / "README.md").read_text(encoding="utf-8") == card
