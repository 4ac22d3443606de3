"""Every command of docs/coming-from.md, unchanged, on drawn images."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
SMALL = {"EPOCHS": "1", "PRETRAINED": "false", "INPUT_SIZE": "64 48", "NUM_WORKERS": "0", "DEVICE": "cpu"}
MASKS = {"mask1": 0, "mask2": 0, "mask3": 0, "mask4": 0, "mask5": 0, "incorrect_mask": 1, "normal": 2}


def sections() -> dict[str, list[tuple[str, str]]]:
    """By heading: its blocks of code, each with its language."""
    found = {}
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        found[heading] = re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return found


@pytest.fixture
def place(faces: Path, tmp_path: Path) -> Path:
    """A working folder with the scripts, small settings in .env, and the data that the page uses."""
    for name in ("train.py", "inference.py", "inference_TTA.py", "evaluation.py", "model", "container", "configs"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".env").write_text("".join(f"SM_HP_{name}={value}\n" for name, value in SMALL.items()))
    shutil.copytree(faces, tmp_path / "data")
    data = tmp_path / "data"
    shutil.copy(data / "eval" / "info.csv", data / "eval" / "test_val.csv")
    persons = sorted(path.name for path in (data / "train" / "images").iterdir())
    (data / "train_profiles.txt").write_text("\n".join(persons[:16]))
    (data / "valid_profiles.txt").write_text("\n".join(persons[16:]))

    rows = []
    for person in persons:
        _, gender, _, age = person.split("_")
        for picture in sorted((data / "train" / "images" / person).iterdir()):
            mask, band = MASKS[picture.stem], (int(age) >= 30) + (int(age) >= 60)
            label = mask * 6 + (gender == "female") * 3 + band
            rows.append((f"images/{person}/{picture.name}", age, gender, mask, label, person))
    shutil.copytree(data / "train" / "images", data / "perfect" / "images")
    frame = pd.DataFrame(rows, columns=["path", "age", "gender", "mask", "label", "people_path"])
    frame.to_csv(data / "perfect" / "perfect_train.csv", index=False)

    (data / "tagging").mkdir()
    pictures = sorted((data / "eval" / "images").iterdir())[:20]
    names = []
    for number, picture in enumerate(pictures):
        names.append("a.png" if not number else picture.name)
        shutil.copy(picture, data / "tagging" / names[-1])
    tags = pd.DataFrame({"image_name": names, "label": [number % 5 for number in range(len(names))]})
    tags.to_csv(data / "tagging" / "train.csv", index=False)
    return tmp_path


@pytest.mark.parametrize("heading", [heading for heading, blocks in sections().items() if blocks])
def test_every_command_of_the_page_works(heading: str, place: Path):
    commands = ""
    for language, block in sections()[heading]:
        if language == "yaml":
            (place / "config.yaml").write_text(block, encoding="utf-8")
        else:
            commands += block
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-ex"],
        input=commands,
        cwd=place,
        env={**os.environ, "PATH": path, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, f"{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
    assert "Traceback" not in ended.stderr


def test_the_page_holds_every_word():
    from model.settings.aliases import aliases_table

    shown = re.search(r"<!-- words -->\n(.*)<!-- /words -->", PAGE, re.DOTALL)
    assert shown and shown[1].strip() == aliases_table().strip(), "put the output of python -m model aliases there"
