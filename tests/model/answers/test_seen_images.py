from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model.answers.seen_images import LEARNT_FROM_KEY, SeenImages, count_seen, seen_text
from model.answers.write import Answers
from model.artifacts.learnt_from import LearntFrom


def learnt_from(train: list[int], validation: list[int]) -> LearntFrom:
    return LearntFrom(np.array(train, np.uint64), np.array(validation, np.uint64))


def labelled(*answers: Path) -> dict[Path, object]:
    """Answers with the content of the labels.json beside them, None where there is none."""
    files = {file: file.with_name("labels.json") for file in answers}
    return {file: json.loads(path.read_text()) if path.is_file() else None for file, path in files.items()}


def batch(rows: list[int], keys: list[int]) -> Answers:
    return Answers(np.array(rows), np.zeros((len(rows), 2), np.float32), {}, np.array(keys, np.uint64))


@pytest.fixture
def seen() -> SeenImages:
    """Two models and six images: row 1 cannot be read; row 4 the first learnt from and the second was chosen by."""
    images = SeenImages([learnt_from([10, 14], [12]), learnt_from([15], [14])])
    batches = [batch([0, 2], [10, 12]), batch([3, 4, 5], [13, 14, 15])]
    assert list(images.watch(batches)) == batches
    return images


def test_images_are_counted_by_side(seen):
    assert seen.counts == {"train": 3, "validation": 1}
    assert seen.rows == {0: 0, 2: 1, 4: 0, 5: 0}
    assert (
        seen_text(seen.counts, 6)
        == "4 of 6 images were used to train the model: 3 for its weights, 1 to choose its best epoch"
    )
    assert (
        seen_text({"train": 0, "validation": 2}, 6)
        == "2 of 6 images were used to train the model: 2 to choose its best epoch"
    )


def test_learnt_from_csv_is_written_only_if_there_are_such_images(seen, tmp_path: Path):
    info = pd.DataFrame({"ImageID": [f"{name} .jpg" for name in "abcdef"], "ans": [""] * 6})
    seen.write(tmp_path / "output.csv", info, "ImageID")
    assert (tmp_path / "learnt_from.csv").read_text() == (
        "ImageID,side\na .jpg,train\nc .jpg,validation\ne .jpg,train\nf .jpg,train\n"
    )
    seen.write(tmp_path / "other.csv", info, "ImageID")
    assert (tmp_path / "other.learnt_from.csv").is_file()
    SeenImages([]).write(tmp_path / "output.csv", info, "ImageID")
    assert not (tmp_path / "learnt_from.csv").exists()


def test_images_with_true_labels_are_counted(seen, tmp_path: Path):
    answers = tmp_path / "output.csv"
    assert count_seen(labelled(answers), ["a.jpg"]) is None  # no labels.json
    (tmp_path / "labels.json").write_text("{}")
    assert count_seen(labelled(answers), ["a.jpg"]) is None  # of a model that does not know it
    (tmp_path / "labels.json").write_text(json.dumps({LEARNT_FROM_KEY: {"train": 0, "validation": 0}}))
    assert count_seen(labelled(answers), ["a.jpg"]) == {"train": 0, "validation": 0}
    (tmp_path / "labels.json").write_text(json.dumps({LEARNT_FROM_KEY: seen.counts}))
    assert count_seen(labelled(answers), ["a.jpg"]) is None  # its list is gone
    seen.write(answers, pd.DataFrame({"ImageID": [f"{name}.jpg" for name in "abcdef"]}), "ImageID")
    assert count_seen(labelled(answers), ["a.jpg", "b.jpg", "c.jpg", "e.jpg"]) == {"train": 2, "validation": 1}
    other = tmp_path / "host" / "output.csv"
    other.parent.mkdir()
    assert count_seen(labelled(answers, other), ["a.jpg"]) is None
    (other.parent / "labels.json").write_text(json.dumps({LEARNT_FROM_KEY: {"train": 1, "validation": 0}}))
    (other.parent / "learnt_from.csv").write_text("ImageID,side\nz.jpg,train\n")
    assert count_seen(labelled(answers, other), ["a.jpg", "z.jpg"]) == {"train": 2, "validation": 0}
