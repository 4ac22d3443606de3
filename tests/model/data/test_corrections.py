"""corrections.csv: its parser against files that people and killed programs leave, and the rows in force against a
replay of the log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.data.corrections import (
    ACTIONS,
    CORRECTION_COLUMNS,
    UNDO,
    Correction,
    disagreements,
    effective,
    read_corrections,
    read_log,
    write_corrections,
)
from model.errors import Problems

ROOT = Path(__file__).resolve().parents[3]
HEADER = ",".join(CORRECTION_COLUMNS) + "\n"
ROW = "p1/a.jpg,p1,gender,relabel,male,female,ann,2026-11-27T10:00:00Z,suspects\n"
CORRECTION = Correction(
    "p1/a.jpg", "p1", "gender", "relabel", "male", "female", "ann", "2026-11-27T10:00:00Z", "suspects"
)


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "corrections.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def parsed(folder: Path, content: str | bytes) -> list[Correction]:
    problems = Problems("corrections")
    corrections = read_corrections(written(folder, content), problems)
    assert not problems, str(problems)
    return corrections


def problems_in(folder: Path, content: str | bytes) -> dict[str, list[str]]:
    problems = Problems("corrections")
    read_corrections(written(folder, content), problems)
    return problems.kinds


def test_rows_are_read_in_their_order_with_their_lines(tmp_path: Path) -> None:
    rows = parsed(tmp_path, HEADER + ROW + "\n" + ROW.replace("male", "other", 1))
    assert rows == [CORRECTION, Correction(*CORRECTION.row()[:4], "other", *CORRECTION.row()[5:])]
    assert [row.line for row in rows] == [2, 4]


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [CORRECTION, Correction("", "p, 2", "", "delete")]
    write_corrections(tmp_path / "written.csv", rows)
    assert read_corrections(tmp_path / "written.csv", Problems("")) == rows


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + (HEADER + ROW).replace("\n", "\r\n").encode(),
        (HEADER + ROW).replace(",", ";"),
        (HEADER + ROW).replace(",", "\t"),
        "sep=;\n" + (HEADER + ROW).replace(",", ";"),
        (HEADER + ROW).encode("utf-16"),
        "".join(f'"{line}"\n'.replace(",", '","') for line in (HEADER + ROW).splitlines()),
        HEADER + ROW + HEADER,  # two logs, one after the other, the second one empty
        HEADER + ROW.rstrip("\n"),
        (HEADER + ROW).replace("\n", ",,\n"),  # a spreadsheet with empty columns
    ],
    ids=["excel", "semicolons", "tabs", "separator line", "utf-16", "quoted", "two headers", "no line end", "empty"],
)
def test_files_saved_by_other_programs_are_read(tmp_path: Path, content: str | bytes) -> None:
    assert parsed(tmp_path, content) == [CORRECTION]


def test_columns_may_be_in_any_order_and_only_those_that_a_row_needs_must_be_there(tmp_path: Path) -> None:
    assert parsed(tmp_path, "Action,path,comment\ndelete,a.jpg,blurred\n") == [Correction("a.jpg", "", "", "delete")]
    assert parsed(tmp_path, "group,action\np1,delete\n") == [Correction("", "p1", "", "delete")]


def test_a_path_is_kept_as_it_is_written_and_other_texts_are_in_normal_form(tmp_path: Path) -> None:
    (row,) = parsed(tmp_path, HEADER + '"a\u0308, b\n.jpg",p\u0308 ,gender, keep ,,,,,\n')
    assert (row.path, row.group, row.action) == ("a\u0308, b\n.jpg", "p\u0308", "keep")


@pytest.mark.parametrize(
    "end",
    ["p1/b.jpg,p1,gender,relabel,ma", '"p1/b.jpg,p1', "p", "p1/b.jpg,p1,,delete,,,,ä".encode()[:-1]],
)
def test_an_incomplete_last_line_is_ignored_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, end: str | bytes
) -> None:
    content = (HEADER + ROW).encode() + (end.encode() if isinstance(end, str) else end)
    assert parsed(tmp_path, content) == [CORRECTION]
    assert "corrections.csv line 3 is incomplete" in caplog.text


def test_no_rows(tmp_path: Path) -> None:
    assert parsed(tmp_path, HEADER) == parsed(tmp_path, "") == []


def test_everything_that_is_wrong_is_reported_with_its_line_at_once(tmp_path: Path) -> None:
    rows = ["a.jpg,,gender,relable,male", ",,gender,keep,", "../a.jpg,,,delete,", "/a.jpg,,,keep,"]
    rows += [
        "a.jpg,,gender,relabel,",
        "a.jpg,,,relabel,male",
        "a.jpg,,gender,delete,",
        "a.jpg,,gender",
        "a.jpg,,,keep,",
    ]
    kinds = problems_in(tmp_path, "path,group,attribute,action,value\n" + "\n".join(rows) + "\n")
    expected = "expected relabel, delete, keep, marked, unsure, undo; nearest: relabel"
    assert kinds == {
        "corrections: row with too few or too many values": ["corrections.csv line 9: 3 values, the header has 5"],
        "corrections: unknown action": [f"corrections.csv line 2: 'relable', {expected}"],
        "corrections: row without an image or group": ["corrections.csv line 3: expected a path, or a group"],
        "corrections: path outside of the channel": [
            f"corrections.csv line {line}: {path!r}, expected a path relative to the channel"
            for line, path in ((4, "../a.jpg"), (5, "/a.jpg"))
        ],
        "corrections: relabel without an attribute or value": [
            "corrections.csv line 6: a.jpg has no value",
            "corrections.csv line 7: a.jpg has no attribute",
        ],
        "corrections: delete with an attribute": [
            "corrections.csv line 8: 'gender'; delete removes the image, so its attribute must be empty"
        ],
    }


@pytest.mark.parametrize(
    ("content", "kind", "part"),
    [
        (
            "path,attribut,action\n",
            "missing column",
            "attribute; its columns are path, attribut, action; nearest: attribut",
        ),
        ("path,value\n", "missing column", "action; its columns"),
        ("image,action\n", "missing column", "path; its columns"),
        ("path,action,path\n", "duplicate columns", "path"),
        (HEADER + 'a.jpg,"p1,gender\n' + ROW, "invalid CSV", "row 2: unexpected end of data; is a quote not closed?"),
        ("path,action\nä.jpg,delete\n".encode("cp1252"), "table that is not UTF-8", "row 2: byte 0xe4"),
    ],
)
def test_invalid_files_are_problems(tmp_path: Path, content: str | bytes, kind: str, part: str) -> None:
    kinds = problems_in(tmp_path, content)
    assert part in kinds[f"corrections: {kind}"][0]


def test_a_missing_file_names_the_nearest_one(tmp_path: Path) -> None:
    written(tmp_path, HEADER)
    problems = Problems("corrections")
    assert read_corrections(tmp_path / "correction.csv", problems) == []
    assert "No such file or directory; nearest: corrections.csv" in str(problems)


def test_the_encoding_can_be_set_and_the_hash_is_that_of_the_content(tmp_path: Path) -> None:
    path = written(tmp_path, "path,action\nä.jpg,delete\n".encode("cp1252"))
    log = read_log(path, Problems(""), "cp1252")
    assert (log.name, log.corrections) == ("corrections.csv", [Correction("ä.jpg", "", "", "delete")])
    assert len(log.digest) == 32
    # the last byte of this encoding is no incomplete character of UTF-8
    path = written(tmp_path, "path,attribute,action,value\na.jpg,drink,relabel,thé".encode("cp1252"))
    assert [row.value for row in read_corrections(path, Problems(""), "cp1252")] == ["thé"]
    assert read_log(written(tmp_path, "path,action\nb.jpg,delete\n"), Problems("")).digest != log.digest


def test_reading_imports_no_large_package() -> None:
    code = "import sys, model.data.corrections; print([n for n in ('torch', 'pandas', 'numpy') if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "[]"


corrections = st.builds(
    Correction,
    path=st.sampled_from(["", "a.jpg", "b.jpg"]),
    group=st.sampled_from(["p1", "p2"]),
    attribute=st.sampled_from(["", "gender"]),
    action=st.sampled_from([*ACTIONS, UNDO]),
    value=st.sampled_from(["male", "female"]),
    reviewer=st.sampled_from(["ann", "bob"]),
)


@given(st.lists(corrections, max_size=25))
def test_the_rows_in_force_are_those_of_a_replay(rows: list[Correction]) -> None:
    withdrawn: set[int] = set()
    for now, row in enumerate(rows):
        if row.action == UNDO:
            withdrawn.add(now)
            earlier = [
                before
                for before in range(now)
                if before not in withdrawn and (rows[before].key, rows[before].reviewer) == (row.key, row.reviewer)
            ]
            withdrawn |= set(earlier[-1:])
    replayed: dict[object, Correction] = {}
    by_reviewer: dict[object, dict[str, tuple[str, str]]] = {}
    for now, row in enumerate(rows):
        if now not in withdrawn:
            replayed.pop(row.key, None)
            replayed[row.key] = row
            verdict = (row.action, row.value if row.action == "relabel" else "")
            by_reviewer.setdefault(row.key, {})[row.reviewer] = verdict
    assert list(effective(rows).items()) == list(replayed.items())
    assert disagreements(rows).keys() == {key for key, own in by_reviewer.items() if len(set(own.values())) > 1}
    assert all(own[-1] == replayed[key] for key, own in disagreements(rows).items())


def test_a_row_for_an_image_has_the_same_key_with_and_without_its_group() -> None:
    rows = [Correction("a.jpg", "p1", "gender", "keep"), Correction("a.jpg", "", "gender", "unsure")]
    assert effective(rows) == {("a.jpg", "", "gender"): rows[1]}
