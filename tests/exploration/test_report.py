"""python -m exploration report: the command, over drawn channels."""

from __future__ import annotations

import json
import logging
import re
import shlex

import pandas as pd
import pytest

from exploration import report
from exploration.__main__ import main
from model.errors import WeightsUnavailable

SMALL = ("--model", "thumbnail", "--num_workers", "1", "--samples", "2")


def test_it_writes_a_page_and_numbers_and_prints_the_findings(faces, cache, tmp_path, capsys):
    files = {"--output": tmp_path / "new" / "page.html", "--json": tmp_path / "numbers.json"}
    flags = [str(text) for pair in files.items() for text in pair]
    assert main(["report", str(faces / "train"), str(faces / "eval"), *SMALL, *cache, *flags]) == 0
    html, numbers = (path.read_text(encoding="utf-8") for path in files.values())
    assert html.startswith("<!DOCTYPE html>") and "Data report: train" in html
    splits = json.loads(numbers)["splits"]
    assert splits == {"train": {"images": 168, "groups": 24}, "eval": {"images": 84, "groups": 0}}
    printed = capsys.readouterr().out
    assert all(finding["sentence"] in printed for finding in json.loads(numbers)["findings"])
    assert f"wrote {files['--output']}" in printed
    # with the same embeddings, which are cached
    command = shlex.split(printed.splitlines()[-1])
    assert command[:6] == ["next:", "python", "-m", "exploration", "noise", str(faces / "train")]
    assert set(command[6:]) == {"--model", "thumbnail", "--num_workers", "1", *cache}
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"page.html", "numbers.json"}


def test_the_split_of_a_training_is_shown(faces, cache, tmp_path):
    paths = sorted(path.relative_to(faces / "train").as_posix() for path in (faces / "train").rglob("*.*g"))
    sides = ["validation" if number < 21 else "train" for number in range(len(paths))]
    pd.DataFrame({"path": paths, "side": sides}).to_csv(tmp_path / "split.csv", index=False)
    flags = ["--split_csv", str(tmp_path / "split.csv"), "--json", str(tmp_path / "n.json"), "--thumbnails", "none"]
    assert main(["report", str(faces / "train"), *SMALL, *cache, *flags]) == 0  # writes data_report.html here
    numbers = json.loads((tmp_path / "n.json").read_text())
    assert numbers["splits"]["validation"] == {"images": 21, "groups": 3}
    assert [leak["groups"] for leak in numbers["leaks"]] == [[]]


def test_without_weights_it_uses_thumbnails_and_says_so(faces, cache, tmp_path, monkeypatch, caplog):
    embeddings_of = report.embeddings_of
    models = []

    def fake(settings, table):
        models.append(settings.model)
        if settings.model != "thumbnail":
            raise WeightsUnavailable("the pretrained weights of resnet18 cannot be downloaded")
        return embeddings_of(settings, table)

    monkeypatch.setattr(report, "embeddings_of", fake)
    output = tmp_path / "page.html"
    flags = ["--model", "resnet18", "--input_size", "64", "--num_workers", "1", *cache, "--output", str(output)]
    with caplog.at_level(logging.WARNING, "rarebird"):
        assert main(["report", str(faces / "train"), *flags, "--thumbnails", "none"]) == 0
    assert models == ["resnet18", "thumbnail"] and "cannot be downloaded" in caplog.text
    html = output.read_text(encoding="utf-8")
    assert "The weights of resnet18 could not be downloaded" in html and "thumbnail, 12x12" in html


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "expected the folder of a channel"),
        (["a", "b", "c"], "got 3: a b c"),
        (["trian"], "trian: there is no such folder"),
        (["x", "--split_csv", "s.csv", "--split_column", "side"], "split_csv and split_column"),
        (["x", "--thumbnail", "none"], "nearest: thumbnails"),
        (["x", "--output", "/"], "output /: is a folder"),
        (["x", "--json", "/"], "json /: is a folder"),
    ],
)
def test_wrong_flags_are_errors(flags, message, capsys):
    assert main(["report", *flags]) == 2
    assert re.search(message, capsys.readouterr().err)
