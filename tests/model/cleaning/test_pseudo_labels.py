"""Pseudo-labels: which images are selected, and a training on both channels that never validates on them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model.answers.labels_json import LabelsJson
from model.cleaning.pseudo_labels import main, select
from model.data.channel import ChannelOptions, read_channel
from model.errors import InputError, Problems


def test_the_most_confident_images_of_each_class_are_selected():
    generator = np.random.default_rng(0)
    own = generator.dirichlet([0.3, 0.3, 0.3], 300)
    own[7] = np.nan
    labelled = np.array([40, 10, 1000])
    selected, thresholds = select(own, labelled, 0.8, 0.5, 15)
    for code, most in enumerate((15, 5, 15)):
        confident = [(-own[row, code], row) for row in range(300) if own[row, code] >= 0.8]
        expected = sorted(row for _, row in sorted(confident)[:most])
        assert np.flatnonzero(selected == code).tolist() == expected and expected
        assert thresholds[code] == own[expected, code].min()
    selected, thresholds = select(own, np.array([1, 0, 0]), 0.8, 0.5)
    assert (selected == -1).all() and np.isnan(thresholds).all()


@pytest.fixture
def answered(faces: Path, tmp_path: Path) -> Path:
    """The drawn faces with a folder of unlabelled images, whose predictions are sure."""
    shutil.copytree(faces / "train", tmp_path / "data" / "train")
    problems = Problems("")
    table = read_channel(faces / "train", problems)
    assert table is not None and not problems
    new = tmp_path / "data" / "new"
    new.mkdir()
    count = 40
    for row in range(count):
        shutil.copy(faces / "train" / table.locations.paths[row], new / f"{row:02d}.jpg")
    classes = table.scheme.class_names
    own = np.full((count, len(classes)), 0.02 / (len(classes) - 1))
    own[np.arange(count), table.classes()[:count]] = 0.98
    own[0] = 1 / len(classes)
    folder = tmp_path / "answers"
    folder.mkdir()
    names = [f"{row:02d}.jpg" for row in range(count)]
    probabilities = pd.DataFrame(own, columns=list(classes))
    probabilities.insert(0, "image_name", names)
    probabilities.to_csv(folder / "probabilities.csv", index=False)
    output = pd.DataFrame({"image_name": names, table.grouped_by: table.groups[:count], "y_pred": 0})
    output.to_csv(folder / "output.csv", index=False)
    (folder / "labels.json").write_text(json.dumps(table.scheme.to_dict()))
    assert LabelsJson.read(folder / "labels.json").scheme(problems) is not None
    return tmp_path


def flags(folder: Path, *more: str) -> list[str]:
    data = folder / "data"
    own = [str(data / "train"), "--unlabelled", str(data / "new"), "--answers", str(folder / "answers")]
    return [*own, "--output", str(data / "pseudo.csv"), *more]


def test_a_training_on_both_never_validates_on_pseudo_labels(answered: Path, run_train, capsys):
    assert main(flags(answered, "--per_class_share", "0.8", "--weight", "0.25")) == 0
    assert "pseudo-labelled images" in capsys.readouterr().out
    written = pd.read_csv(answered / "data" / "pseudo.csv", dtype=str, keep_default_na=False)
    pseudo = written["path"].str.startswith("new/")
    assert pseudo.sum() > 0 and (written["split"][pseudo] == "train").all() and (~pseudo).sum() == 168
    assert set(written["weight"][pseudo]) == {"0.25"} and set(written["weight"][~pseudo]) == {"1.0"}
    assert "new/00.jpg" not in set(written["path"])  # not confident
    held_out = set(written["group"][written["split"] == "validation"])
    assert held_out and not held_out & set(written["group"][written["split"] == "train"])
    # the classes are those of the channel, and the labels those that were predicted
    alone = run_train(answered / "data" / "train", "--epochs", "0", name="alone")
    options = ["--table", "pseudo.csv", "--split_column", "split", "--group_column", "group", "--epochs", "1"]
    options += ["--weight_column", "weight"]
    both = run_train(answered / "data", *options, name="both")
    one, two = (pd.read_csv(run / "split.csv", dtype=str, keep_default_na=False) for run in (alone, both))
    validated = two[two["side"] == "validation"]
    assert {f"train/{path}" for path in one["path"][one["side"] == "validation"]} == set(validated["path"])
    assert len(two) == len(written) and not validated["path"].str.startswith("new/").any()
    given = read_channel(answered / "data" / "train", Problems(""), ChannelOptions())
    assert given is not None
    frame, used = given.frame(), two[two["path"].str.startswith("new/")]
    for _, row in used.iterrows():
        copied = frame.iloc[int(Path(row["path"]).stem)]
        assert all(row[name] == copied[name] for name in given.scheme.names)


def test_what_does_not_fit_is_reported_at_once(answered: Path):
    with pytest.raises(InputError, match=r"channel is missing[\s\S]*output is missing"):
        main([])
    elsewhere = [*flags(answered)[:-1], str(answered / "answers" / "pseudo.csv")]
    with pytest.raises(InputError, match=r"train is not in .*answers[\s\S]*new is not in"):
        main(elsewhere)
    with pytest.raises(InputError, match="one is in the other"):
        main([*flags(answered), "--unlabelled", str(answered / "data" / "train" / "images")])
    (answered / "data" / "new" / "03.jpg").rename(answered / "data" / "new" / "03x.jpg")
    (answered / "data" / "new" / "04.jpg").unlink()
    with pytest.raises(InputError, match=r"2 problems[\s\S]*03\.jpg; nearest: 03x\.jpg"):
        main(flags(answered))
    labels = answered / "answers" / "labels.json"
    labels.write_text(labels.read_text().replace('"gender"', '"gendr"'))
    with pytest.raises(InputError, match=r"gendr, expected .*nearest: gender"):
        main(flags(answered))
    with pytest.raises(InputError, match="there is no such folder; nearest"):
        main([*flags(answered), "--answers", str(answered / "answer")])
