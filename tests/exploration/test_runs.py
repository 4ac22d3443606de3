"""`python -m exploration runs`: synthetic runs in the format of train.py, and one that it trained."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from wcwidth import wcswidth

from exploration.__main__ import main
from model.attributes import Attribute
from model.labels import Scheme
from model.settings.fields import as_dict
from model.settings.train import TrainSettings
from model.training.checkpoints import Checkpoints
from model.training.progress import Best, Progress


def saved(
    folder: Path,
    f1: float,
    intervals: bool = True,
    finished: bool = True,
    data: dict[str, Any] | None = None,
    **settings: Any,
) -> Path:
    """What `runs` reads of a saved model; data: what a version that records the data's name writes of them."""
    folder.mkdir(parents=True)
    saved_settings = TrainSettings(name=folder.name, **settings)
    (folder / "settings.yaml").write_text(yaml.safe_dump(as_dict(saved_settings), allow_unicode=True), encoding="utf-8")
    validation = {"f1": f1, "acc": 0.9}
    if intervals:
        validation["intervals"] = {"f1": [f1 - 0.1, f1 + 0.1], "acc": [0.8, 0.95]}
    content = {"finished": finished, "epochs": 3, "validation": validation, "seconds": 1234.56}
    content["data"] = data or {"train": {"pictures": 800}, "validation": {"pictures": 200}}
    (folder / "metrics.json").write_text(json.dumps(content))
    return folder


def unfinished(models: Path, name: str, f1: float, **settings: Any) -> None:
    """A checkpoint after two epochs."""
    best = Best(2, f1, {"f1": f1, "acc": 0.5, "intervals": {"f1": [0.0, 0.2], "acc": [0.4, 0.6]}}, {})
    progress = Progress(epoch=2, updates=8, seconds=60.0, best=best)
    identity = as_dict(TrainSettings(**settings), only_result=True)
    identity |= {"training data": "a", "training pictures": 800, "validation data": "b", "validation pictures": 200}
    Checkpoints(models / ".checkpoints" / name, identity).save({**progress.to_state(), "finished": False})


def evaluated(folder: Path, accuracy: float, seconds: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    scores = {
        "accuracy": {"value": accuracy, "low": accuracy - 0.05, "high": accuracy + 0.05},
        "macro_f1": {"value": 0.5, "low": None, "high": None},
    }
    path = folder / "evaluation.json"
    path.write_text(json.dumps({"rarebird": scores}))
    os.utime(path, (1_700_000_000 + seconds,) * 2)


@pytest.fixture
def listed(capsys, monkeypatch, tmp_path):
    """The lines of the list below tmp_path/runs."""

    def run(*flags: str, width: int = 120) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        assert main(["runs", str(tmp_path / "runs"), *flags]) == 0
        return capsys.readouterr().out.splitlines()

    return run


def row(lines: list[str], name: str) -> list[str]:
    return next(line for line in lines if line.startswith(name)).split()


def test_runs_are_listed_with_the_settings_that_differ(tmp_path, listed):
    saved(tmp_path / "runs" / "slow", 0.6, lr=0.001)
    saved(tmp_path / "runs" / "fast", 0.7, lr=0.01, num_workers=7)
    lines = listed()
    assert lines[0].split() == ["run", "saved", "epochs", "seconds", "val", "F1", "val", "accuracy", "lr"]
    assert [line.split()[0] for line in lines[2:]] == ["fast", "slow"]
    assert row(lines, "fast")[3:] == ["3/10", "1,235", "0.7000", "0.600..0.800", "0.9000", "0.800..0.950", "0.01"]
    assert max(map(len, lines)) <= 120 and len({len(line.rstrip()) for line in lines[1:2]}) == 1


def test_unfinished_runs_are_marked_and_read_from_the_checkpoint(tmp_path, listed):
    saved(tmp_path / "runs" / "done", 0.6, lr=0.01)
    saved(tmp_path / "runs" / "stopped", 0.5, finished=False)
    unfinished(tmp_path / "runs", "stopped", 0.1, seed=7)
    unfinished(tmp_path / "runs", "killed", 0.9)
    unfinished(tmp_path / "runs", "done", 0.9)
    lines = listed()
    assert [line.split()[0] for line in lines[2:]] == ["killed", "done", "stopped"]
    assert " ".join(row(lines, "killed")[4:]) == "2/10 60 0.9000 0.000..0.200 0.5000 0.400..0.600 0.001 0"
    assert row(lines, "stopped (unfinished)")[4] == "2/10" and row(lines, "stopped")[-1] == "7"
    assert row(lines, "done")[3] == "3/10"


def test_an_evaluation_belongs_to_the_run_whose_folder_contains_it(tmp_path, listed):
    first = saved(tmp_path / "runs" / "first", 0.6)
    saved(tmp_path / "runs" / "second", 0.5)
    evaluated(first, 0.11, seconds=2)
    evaluated(first / "output" / "early", 0.22, seconds=1)
    evaluated(tmp_path / "runs" / "of-nobody", 0.33, seconds=3)
    evaluated(tmp_path / "runs", 0.44, seconds=4)
    lines = listed(width=160)
    assert lines[0].split()[4:8] == ["macro", "F1", "accuracy", "val"]
    assert row(lines, "first")[5:8] == ["0.5000", "0.1100", "0.060..0.160"]
    assert not any(score in line for line in lines for score in ("0.22", "0.33", "0.44"))


def test_an_evaluation_above_the_only_run_belongs_to_it(tmp_path, listed):
    saved(tmp_path / "runs" / "model" / "classic", 0.6)
    evaluated(tmp_path / "runs", 0.44)
    assert row(listed(), "model/classic")[6] == "0.4400"


def test_a_damaged_file_is_reported_and_skipped(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    saved(tmp_path / "good", 0.6)
    (saved(tmp_path / "cut", 0.5) / "metrics.json").write_text('{"finished": true, "ep')
    (saved(tmp_path / "odd", 0.5) / "metrics.json").write_text('{"finished": true}')
    (saved(tmp_path / "newer", 0.5) / "settings.yaml").write_text("not_yet_known: 1\n")
    (tmp_path / "good" / "evaluation.json").write_text("[]")
    unfinished(tmp_path, "broken", 0.5)
    next(tmp_path.rglob("checkpoint-*.pt")).write_bytes(b"PK")
    assert main(["runs", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert [line.split()[0] for line in captured.out.splitlines()[2:]] == ["good"]
    for name in ("cut/metrics.json", "odd/metrics.json", "newer/metrics.json", "good/evaluation.json"):
        assert f"skipped: {tmp_path / name}: " in captured.err
    assert f"skipped: {tmp_path / '.checkpoints' / 'broken'}: " in captured.err


def test_an_ensemble_is_listed_with_its_members(tmp_path, listed):
    both = tmp_path / "runs" / "both"
    for fold in (1, 2):
        saved(both / f"fold{fold}", 0.5 + fold / 10, seed=fold)
    members = [{"model": "fold1", "weight": 1}, {"model": "fold2", "weight": 1}]
    (both / "ensemble.json").write_text(json.dumps({"combine": "soft", "finished": True, "members": members}))
    evaluated(both / "out_of_fold", 0.77)
    unfinished(tmp_path / "runs", "others/fold1", 0.4)
    Checkpoints(tmp_path / "runs" / ".checkpoints" / "others").begin()
    lines = listed(width=160)
    names = [line.split("  ")[0] for line in lines[2:]]
    assert names == ["both/fold2", "both/fold1", "both", "others/fold1 (unfinished)"]
    assert row(lines, "both ")[3:7] == ["2", "models", "2,469", "0.5000"]
    assert row(lines, "both ")[-1] == "various" and "0.7700" in row(lines, "both ")


def test_a_product_is_listed_with_joint_models_of_the_same_data(tmp_path, listed):
    def data(classes: int, *names: str) -> dict[str, Any]:
        side = {"pictures": 9, "groups": 9, "class_counts": [0] * classes}
        return {
            "name": "shop/train",
            "ids": {name: f"id of {name}" for name in names},
            "train": side,
            "validation": side,
        }

    both = tmp_path / "runs" / "both"
    saved(both / "kind", 0.5, data=data(2, "kind"), target="kind")
    saved(both / "size", 0.6, data=data(3, "size"), target="size")
    saved(tmp_path / "runs" / "joint", 0.4, data=data(6, "kind", "size"))
    members = [{"model": "kind", "weight": 1}, {"model": "size", "weight": 1}]
    (both / "ensemble.json").write_text(json.dumps({"combine": "product", "finished": True, "members": members}))
    scheme = Scheme((Attribute("kind", ("a", "b")), Attribute("size", ("s", "m", "l"))))
    (both / "labels.json").write_text(json.dumps(scheme.to_dict()))
    text = "\n".join(listed())
    tables = re.split(r"^shop/train, (\d) classes.*$", text, flags=re.M)[1:]
    rows = {classes: re.findall(r"^(both\S*|joint) ", table, re.M) for classes, table in zip(tables[::2], tables[1::2])}
    assert rows == {"3": ["both/size"], "2": ["both/kind"], "6": ["joint", "both"]}


def test_csv_has_every_value_in_full(tmp_path, listed):
    long = "/somewhere/very/far/away/" + "x" * 100 + ".safetensors"
    saved(tmp_path / "runs" / "with", 0.6, weights=long, epochs=3)
    saved(tmp_path / "runs" / "without", 0.7, intervals=False)
    lines = listed("--output", str(tmp_path / "list.csv"))
    assert lines[-1] == f"wrote {tmp_path / 'list.csv'}" and "…" in row(lines, "with ")[-1]
    without, with_weights = csv.DictReader((tmp_path / "list.csv").open(encoding="utf-8"))
    assert with_weights["weights"] == long and without["weights"] == "none"
    assert (with_weights["val_f1"], with_weights["val_f1_low"], without["val_f1_low"]) == ("0.6", "0.5", "")
    assert (with_weights["epochs"], without["epochs"], without["finished"]) == ("3/3", "3/10", "True")
    assert without["seconds"] == "1234.6" and without["saved"][4] == "-"


def test_many_differences_become_a_text_per_run(tmp_path, listed):
    usual = {"lr": 0.01, "loss": "cross_entropy", "class_weights": "none", "dropout": 0.2, "ema": 0.9, "accumulate": 2}
    for seed in range(2):
        saved(tmp_path / "runs" / f"usual{seed}", 0.5, seed=seed, **usual)
    saved(tmp_path / "runs" / "odd", 0.6, **{**usual, "augmentation": {"erasing": {"p": 0.3}, "flip": {}}})
    saved(tmp_path / "runs" / "default", 0.4)
    for width in (60, 100, 160):
        lines = listed(width=width)
        assert max(map(wcswidth, lines)) <= width
        text = " ".join(" ".join(lines).split())
        assert "augmentation.erasing.p=0.3" in text and "ema=0" in text
        usual_text = text.split("For settings that differ between runs, the value that most runs use: ")[1]
        assert "lr=0.01 " in usual_text and "dropout=0.2 " in usual_text and "augmentation.erasing.p=none" in usual_text


def test_korean_names_align(tmp_path, listed):
    saved(tmp_path / "runs" / "착용샷", 0.7, target="나이")
    saved(tmp_path / "runs" / "b", 0.6, target="age")
    header, _, korean, plain = listed()
    at = header.index("epochs")
    assert wcswidth(korean[: korean.index("3/10")]) == len(plain[: plain.index("3/10")]) == at + 2


@pytest.mark.parametrize(
    ("sort", "names"), [("f1", "bac"), ("accuracy", "cab"), ("date", "acb"), ("name", "abc")], ids=lambda x: x
)
def test_runs_are_sorted_as_requested(tmp_path, listed, sort, names):
    for number, (name, f1, accuracy) in enumerate([("b", 0.9, 0.1), ("c", 0.2, 0.8), ("a", 0.5, 0.5)]):
        metrics = saved(tmp_path / "runs" / name, f1) / "metrics.json"
        content = json.loads(metrics.read_text())
        content["validation"]["acc"] = accuracy
        metrics.write_text(json.dumps(content))
        os.utime(metrics, (1_700_000_000 + 60 * number,) * 2)
    assert "".join(line.split()[0] for line in listed("--sort", sort)[2:]) == names


def test_a_run_without_validation_is_last(tmp_path, listed):
    metrics = saved(tmp_path / "runs" / "a", 0.9) / "metrics.json"
    metrics.write_text(json.dumps({**json.loads(metrics.read_text()), "validation": None}))
    saved(tmp_path / "runs" / "b", 0.0)
    assert [line.split()[0] for line in listed()[2:]] == ["b", "a"]


def test_a_missing_folder_and_a_folder_without_runs_are_reported(tmp_path, capsys):
    (tmp_path / "runs").mkdir()
    assert main(["runs", str(tmp_path / "rums")]) == 2
    assert "nearest: runs" in capsys.readouterr().err
    assert main(["runs", str(tmp_path / "runs")]) == 2
    assert "contains no run; a run has" in capsys.readouterr().err


def test_what_train_leaves_is_read(faces, run_train, tmp_path, listed):
    data = json.loads((run_train(faces / "train", name="first") / "metrics.json").read_text())["data"]
    data["train"]["pictures"] = 800
    saved(tmp_path / "runs" / "second", 0.0, data=data, model="resnet10t", pretrained=False)
    lines = listed(width=130)
    assert data["name"] == f"{faces.name}/train" and lines[0] == f"{faces.name}/train, 18 classes" and not lines[1]
    assert row(lines, "first")[3] == "1/1" and ".." not in row(lines, "first")[6]  # four persons have no interval
    assert "train_pictures=140" in " ".join(lines) and "input_size=32 24" in " ".join(lines)
