"""Truth and answers as files."""

import json
from pathlib import Path

import pytest

from model.attributes import Attribute
from model.labels import Scheme

KOREAN = Scheme((Attribute("tag", ("착용샷", "설치후배치컷", "미분류")),))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path):
    """Writes gt.csv and output.csv (and what else is named) and returns the paths of the first two."""

    def made(truth: str, answers: str, scheme: Scheme | None = KOREAN, **others: str) -> tuple[Path, Path]:
        if scheme:
            write(tmp_path / "out" / "labels.json", json.dumps(scheme.to_dict(), ensure_ascii=False))
        for name, text in others.items():
            write(tmp_path / "out" / f"{name}.csv", text)
        return write(tmp_path / "gt" / "gt.csv", truth), write(tmp_path / "out" / "output.csv", answers)

    return made


@pytest.fixture
def parts(tmp_path):
    """The answers of two hosts, each in a folder of its own; returns the truth and the file that is missing."""
    probabilities = f"ImageID,{','.join(KOREAN.class_names)}\n"
    for host, names in (("algo-1", "ac"), ("algo-2", "bd")):
        folder = tmp_path / "out" / host
        write(folder / "output.csv", "ImageID,ans,house\n" + "".join(f"{name},1,{host}\n" for name in names))
        write(folder / "probabilities.csv", probabilities + "".join(f"{name},0,1,0\n" for name in names))
        write(folder / "labels.json", json.dumps(KOREAN.to_dict(), ensure_ascii=False))
    write(tmp_path / "out" / "tensorboard" / "events", "")
    return write(tmp_path / "gt" / "gt.csv", "ImageID,ans\na,0\nb,1\nc,2\nd,0\n"), tmp_path / "out" / "output.csv"
