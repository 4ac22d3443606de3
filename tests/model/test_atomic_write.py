"""Files are complete or do not exist."""

import csv
import json
import os
from pathlib import Path

import pandas as pd
import pytest

from model.atomic_write import (
    UMASK,
    json_text,
    remove_parts,
    write_beside,
    write_csv,
    write_frame,
    write_json,
    write_text,
)


def test_a_file_gets_its_name_once_it_is_complete(tmp_path: Path):
    path = tmp_path / "deep" / "er" / "a.txt"
    with write_beside(path) as beside:
        assert beside.parent == path.parent
        beside.write_text("whole")
        beside.chmod(0o600)
        assert not path.exists()
    assert path.read_text() == "whole" and os.listdir(path.parent) == ["a.txt"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~UMASK


def test_a_failed_write_keeps_the_old_file_and_no_temporary_one(tmp_path: Path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), write_beside(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_json_is_readable_and_has_no_nan(tmp_path: Path):
    path = tmp_path / "a.json"
    write_json(path, {"종류": [1, 0.5]})
    assert path.read_text(encoding="utf-8") == '{\n  "종류": [\n    1,\n    0.5\n  ]\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"score": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8")) == {"종류": [1, 0.5]}


def test_files_of_killed_writers_are_removed(tmp_path: Path):
    for name in (".a.csv.17.part", ".b.csv.17.part", ".c.part", ".hidden", "d.part"):
        (tmp_path / name).touch()
    remove_parts(tmp_path, "a.csv")
    assert sorted(os.listdir(tmp_path)) == [".b.csv.17.part", ".c.part", ".hidden", "d.part"]
    remove_parts(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".hidden", "d.part"]


@pytest.mark.parametrize("cell", ["first\rsecond", "\r", "a\r\nb", "a\nb"])
def test_rows_are_read_as_they_were_written(tmp_path: Path, cell: str):
    """Before Python 3.11.9 and 3.12.3, csv.writer does not quote a lone carriage return if rows end with "\\n"."""
    rows = [["name", "note"], [cell, "x,y"], ["b", cell]]
    with write_csv(tmp_path / "deep" / "a.csv") as writer:
        writer.writerows(rows)
        assert not (tmp_path / "deep" / "a.csv").exists()
    write_frame(tmp_path / "b.csv", pd.DataFrame(rows[1:], columns=rows[0]))
    for path in (tmp_path / "deep" / "a.csv", tmp_path / "b.csv"):
        with path.open(newline="") as file:
            assert list(csv.reader(file)) == rows
        assert path.read_bytes() == f'name,note\n"{cell}","x,y"\nb,"{cell}"\n'.encode()


def test_values_are_only_quoted_if_needed(tmp_path: Path):
    with write_csv(tmp_path / "a.csv") as writer:
        writer.writerow(["사진", "a b", 0.5, None, 'q"q'])
    frame = pd.DataFrame({"a": [0.1, None], "b": ["x", ""]})
    write_frame(tmp_path / "b.csv", frame)
    assert (tmp_path / "a.csv").read_bytes() == '사진,a b,0.5,,"q""q"\n'.encode()
    assert (tmp_path / "b.csv").read_text() == frame.to_csv(index=False)


def test_equal_contents_have_the_same_json_text():
    assert json_text({"b": [1.5, None], "a": "ä"}) == json_text({"a": "ä", "b": [1.5, None]})
    assert json.loads(json_text({"b": 1, "a": {"d": 2, "c": "ä"}})) == {"b": 1, "a": {"d": 2, "c": "ä"}}
    assert json_text({"a": 1}) != json_text({"a": 2}) and "\n" not in json_text({"a": 1, "b": [1, 2]})
    with pytest.raises(ValueError):
        json_text([float("nan")])
