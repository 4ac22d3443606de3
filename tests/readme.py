"""README.md: its sections and their blocks of code."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


def section(heading: str) -> str:
    """Text of the section `## heading`, its subsections included."""
    (text,) = re.findall(
        rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", README.read_text(encoding="utf-8"), re.M | re.S
    )
    return text


def blocks(heading: str, language: str) -> list[str]:
    """Blocks of code of a section in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", section(heading), re.M | re.S)


def scripts_folder(folder: Path) -> Path:
    """Makes a folder look like a checkout: links to all that the commands of the README use."""
    for name in ("train.py", "inference.py", "inference_TTA.py", "evaluation.py", "rarebird.py"):
        (folder / name).symlink_to(ROOT / name)
    for name in ("model", "container", "exploration", "jobs", "configs"):
        (folder / name).symlink_to(ROOT / name)
    return folder
