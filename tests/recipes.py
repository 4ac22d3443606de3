"""Runs the recipes of docs/data.md, and train.py alone, on drawn images."""

from __future__ import annotations

import importlib
import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "data.md"


SMALL = (
    "--model test_resnet --pretrained false --input_size 32 32 --epochs 1 --batch_size 16 --num_workers 0 --device cpu"
)

_drawn = np.random.default_rng(0)  # no two images are alike


@dataclass(frozen=True)
class Recipe:
    """A recipe of the document.

    Attributes:
        file: Name of the YAML file.
        settings: Its content.
        commands: The commands, as words.
    """

    file: str
    settings: str
    commands: Sequence[Sequence[str]]


def section(title: str) -> str:
    """The section of the document whose heading begins so."""
    found = [
        text for text in re.split(r"^##+ ", DOCUMENT.read_text(encoding="utf-8"), flags=re.M) if text.startswith(title)
    ]
    assert len(found) == 1, title
    return found[0]


def commands_of(text: str) -> list[list[str]]:
    """The commands that call the jobs, without the word python."""
    lines = [line for line in text.splitlines() if line.startswith("python ")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


def recipe(repository: str) -> Recipe:
    text = section(f"{repository}: ")
    ((file, settings),) = re.findall(r"```yaml\n# (\S+)\n(.*?)```", text, re.S)
    return Recipe(file, settings, commands_of(text))


def run(words: Sequence[str]) -> None:
    """Runs `train.py --name x ...` in this process; training takes seconds."""
    script, *flags = words
    small = SMALL.split() if script == "train.py" else []
    assert importlib.import_module(Path(script).stem).main([*flags, *small]) == 0


def cook(repository: str) -> Path:
    """Runs a recipe in the working folder, where its data was drawn; returns the folder of the saved model."""
    found = recipe(repository)
    Path(found.file).write_text(found.settings, encoding="utf-8")
    for words in found.commands:
        run(words)
    (model,) = {path.parent for path in Path("runs").rglob("model.safetensors")}
    (page,) = Path().rglob("report.html")
    assert "macro F1" in page.read_text(encoding="utf-8")
    return model


def values(model: Path) -> dict[str, list[str]]:
    """The classes of each attribute of a saved model."""
    attributes = json.loads((model / "labels.json").read_text(encoding="utf-8"))["attributes"]
    return {attribute["name"]: attribute["values"] for attribute in attributes}


def split() -> pd.DataFrame:
    """split.csv: each image with its labels, group and side, by path."""
    (file,) = Path("runs").rglob("split.csv")
    return pd.read_csv(file, dtype=str, keep_default_na=False).set_index("path")


def groups_on_both_sides(images: pd.DataFrame) -> set[str]:
    sides = [set(images[images.side == side].group) for side in ("train", "validation")]
    assert all(sides)
    return sides[0] & sides[1]


def draw(path: str | Path) -> None:
    """An image unlike any other."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_drawn.integers(0, 256, (36, 32, 3)).astype(np.uint8)).save(path)


def write(path: str, *lines: str, encoding: str = "utf-8") -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(("\n".join(lines) + "\n").encode(encoding))
