"""The benchmark of suspects: its figures, on small tables."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks import suspects
from benchmarks.suspects import SuspectsSettings, area_under_roc, found_among_first, tagging_rows
from model.cleaning.detection import AttributeNoise, Detection
from model.cleaning.suspects import IMAGE, Suspect
from tests.model.cleaning.conftest import make_table


def detection(rows: list[int], scores: np.ndarray) -> Detection:
    listed = [Suspect((row,), IMAGE, "label", "v0", "v1", 0.5, "") for row in rows]
    return Detection(listed, {"label": scores}, [AttributeNoise("label", wrong=2.0)])


def test_the_first_distinct_groups_are_counted():
    table = make_table({"label": [0, 0, 1, 1]}, ["a", "a", "b", "c"])
    listed = detection([1, 0, 3, 2], np.zeros(4))
    wrong = {"gender": {"a", "b"}, "mask": {"c"}}
    assert found_among_first(table, listed, wrong, 1) == {"gender": 1, "mask": 0}
    assert found_among_first(table, listed, wrong, 2) == {"gender": 1, "mask": 1}


def test_the_area_is_that_of_scikit_learn():
    generator = np.random.default_rng(0)
    scores, wrong = generator.integers(0, 5, 60) / 4, generator.random(60) < 0.3
    assert area_under_roc(scores, wrong) == pytest.approx(roc_auc_score(wrong, scores))


def test_tagging_is_scored_by_the_true_labels(tmp_path, monkeypatch):
    table = make_table({"label": [0, 1, 1]}, ["a", "b", "c"])
    names = [Path(path).name for path in table.locations.paths]
    lines = [f"{name},{label}\n" for name, label in zip(names, [0, 0, 1])]
    (tmp_path / "train_truth.csv").write_text("image_name,label\n" + "".join(lines))
    found = detection([], np.array([0.1, 0.9, 0.2]))
    monkeypatch.setattr(suspects, "runs", lambda settings, channel, answers: [("embeddings", table, found, 1.2)])
    settings = SuspectsSettings(tagging=str(tmp_path))
    assert tagging_rows(settings) == [["embeddings", "1.0000", "2 of 1", "1"]]
