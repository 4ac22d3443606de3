"""Tables as others write them, through training, inference and evaluation without a change to any file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

import evaluation
import inference
import train
from model.errors import InputError

SMALL = ["--model", "test_resnet", "--pretrained", "false", "--input_size", "32", "32", "--epochs", "0"]
MACHINE = ["--device", "cpu", "--num_workers", "0", "--precision", "fp32"]


def draw(folder: Path, count: int) -> None:
    """Images p0.png, p1.png, ..."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"p{number}.png")


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    """A table in a folder, cp1252, with semicolons, ids for names, splits, labels of training alone and gaps."""
    draw(tmp_path / "raw" / "data" / "images", 12)
    rows = ["id;Größe;split;label;notes"]
    for number in range(11):
        split = "test" if number > 8 else "val" if number > 5 else "train"
        rows.append(f"p{number};{number};{split};{'' if split == 'test' else 'né' if number % 2 else 'b'};")
    rows += ["gone;1;train;b;;;"]
    (tmp_path / "raw" / "data" / "legend.csv").write_bytes("\r".join(rows).encode("cp1252"))
    return tmp_path / "raw"


def run_train(tmp_path: Path, channel: Path, *flags: str) -> Path:
    where = ["--train_dir", str(channel), "--model_dir", str(tmp_path / "runs"), "--name", "m", "--tracking", "none"]
    assert train.main([*where, *SMALL, *MACHINE, *flags]) == 0
    return tmp_path / "runs" / "m"


def test_a_table_of_another_system_goes_through_all_jobs(tmp_path: Path, channel: Path, capsys):
    table = ["--table", "data/legend.csv", "--encoding", "cp1252"]
    rows = ["--picture_column", "id", "--split_column", "split", "--missing", "skip", "--group_pattern", r"(p\d)"]
    model = run_train(tmp_path, channel, *table, *rows)
    metrics = json.loads((model / "metrics.json").read_text())
    assert metrics["data"]["train"]["pictures"] == 6 and metrics["data"]["validation"]["pictures"] == 3
    split = pd.read_csv(model / "split.csv")
    assert split["side"].value_counts().to_dict() == {"train": 6, "validation": 3}
    assert split["group"].tolist() == [f"p{number}" for number in range(9)]
    assert yaml.safe_load((model / "settings.yaml").read_text())["picture_column"] == "id"

    output = tmp_path / "output"
    where = ["--model_dir", str(model), "--eval_dir", str(channel), "--output_data_dir", str(output)]
    assert inference.main([*where, *MACHINE, *table]) == 0
    answers = pd.read_csv(output / "output.csv", dtype={"ans": "str"}, keep_default_na=False)
    assert answers.columns.tolist() == ["id", "Größe", "split", "label", "notes", "ans"] and len(answers) == 12
    assert answers["ans"].tolist()[-1] == "" and set(answers["ans"][:11]) <= {"0", "1"}

    truth = tmp_path / "gt"
    truth.mkdir()
    (truth / "gt.csv").write_bytes("id;ans;;\n./p6;né;;\nimages/p7.PNG;b;;\n".encode("cp1252"))
    assert (
        evaluation.main(["--ground_truth_dir", str(truth), "--output_data_dir", str(output), "--encoding", "cp1252"])
        == 0
    )
    told = capsys.readouterr()
    assert "2 images in 2 classes" in told.err and "spelled differently" in told.err


def test_a_list_without_a_header_and_its_wrong_encoding(tmp_path: Path):
    draw(tmp_path / "raw" / "train", 6)
    lines = [f"/train/p{number}.png, {number % 2}, {number % 3}" for number in range(6)]
    (tmp_path / "raw" / "train.txt").write_text("\n".join(lines))
    attributes = "{fine: {column: label, values: ['0', '1']}, coarse: {column: label_2, values: ['0', '1', '2']}}"
    run_train(tmp_path, tmp_path / "raw", "--table", "train.txt", "--attributes", attributes)
    (tmp_path / "raw" / "train.txt").write_bytes("\n".join(lines).encode("utf-16-le"))
    with pytest.raises(InputError, match="for UTF-16 without a byte-order mark, set --encoding utf-16-le"):
        run_train(tmp_path, tmp_path / "raw", "--table", "train.txt", "--attributes", attributes)
