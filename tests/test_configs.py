"""The experiment files in configs/: each has a header with its command, and runs a short epoch on drawn images with its
own backbone and random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

import train

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
FILES = sorted(path.name for path in CONFIGS.glob("*.yaml"))
SEEDS = ("config-yaml", "perfect-train", "rgby", "smote", "tagging", "three-heads")
SMALL = [
    "--pretrained",
    "false",
    "--input_size",
    "64",
    "64",
    "--epochs",
    "1",
    "--batch_size",
    "8",
    "--validation",
    "0.3",
]
SMALL += ["--num_workers", "0", "--device", "cpu", "--precision", "fp32", "--report", "false", "--tracking", "none"]


def drawn(content: dict[str, Any]) -> dict[str, list[str]]:
    """Values of the attributes of a file: those that it lists, or three if it has no options for the attribute."""
    found = content.get("attributes") or {}
    return {name: values or list("abc") for name, values in found.items() if isinstance(values, list) or not values}


def draw_table(folder: Path, content: dict[str, Any]) -> Path:
    """24 images with the channels and labels that a file lists, and a column for each column that it names."""
    folder.mkdir()
    generator, rows = np.random.default_rng(0), []
    for row in range(24):
        pixels = generator.integers(0, 256, (32, 32, content.get("channels", 3)), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{row:02d}.png")
        labels = {name: str(values[row % len(values)]) for name, values in drawn(content).items()}
        labels = labels or {"label": "abc"[row % 3]}
        others = [content.get("group_column"), *(content.get("metadata_columns") or [])]
        rows.append({"image_name": f"{row:02d}.png", **labels} | {str(name): row // 2 for name in others if name})
    pd.DataFrame(rows).to_csv(folder / "train.csv", index=False)
    return folder


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Faces of 12 drawn persons, in folders and (True) in the table of README.md."""
    from exploration.__main__ import main

    folders = {}
    for is_table in (False, True):
        folder = tmp_path_factory.mktemp("people") / "data"
        layout = ["--layout", "table"] if is_table else []
        flags = ["--persons", "12", "--eval_persons", "12", "--size", "36", "48", *layout]
        assert main(["demo", "--output", str(folder), *flags]) == 0
        folders[is_table] = folder / "train"
    return folders


@pytest.mark.parametrize("name", FILES)
def test_a_file_runs_a_short_epoch(name: str, people: dict[bool, Path], tmp_path: Path) -> None:
    content = yaml.safe_load((CONFIGS / name).read_text(encoding="utf-8"))
    if "picture_column" in content:
        channel = people[True]
    elif drawn(content) or content.get("channels", 3) != 3:
        channel = draw_table(tmp_path / "data", content)
    else:
        channel = people[False]
    where = ["--config", str(CONFIGS / name), "--train_dir", str(channel)]
    where += ["--model_dir", str(tmp_path), "--name", "run"]
    assert train.main([*where, *SMALL]) == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert len(metrics["history"]) == 1 and np.isfinite(metrics["history"][0]["train_loss"])
    saved = yaml.safe_load((tmp_path / "run" / "settings.yaml").read_text(encoding="utf-8"))
    given = {key: value for key, value in content.items() if f"--{key}" not in SMALL}
    assert {key: saved[key] for key in given if isinstance(saved[key], str | bool)} == {
        key: value for key, value in given.items() if isinstance(saved[key], str | bool)
    }


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_its_command(name: str) -> None:
    text = (CONFIGS / name).read_text(encoding="utf-8")
    header = text[: text.index("\n\n")] if "\n\n" in text else text
    assert header.startswith("# ") and ("python train.py" in header or "make demo" in header)


def test_each_seed_system_has_a_file_with_its_time_and_score() -> None:
    guide = (CONFIGS.parent / "docs" / "coming-from.md").read_text(encoding="utf-8")
    for name in SEEDS:
        text = (CONFIGS / f"seed-{name}.yaml").read_text(encoding="utf-8")
        assert "# Time and score: " in text and f"configs/seed-{name}.yaml" in guide
        assert "# Our choice" in text  # which values are not those of the system
