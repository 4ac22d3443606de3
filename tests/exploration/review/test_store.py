"""The store of decisions: what is acknowledged is in the file, whatever else writes to it."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exploration.review.correction_rows import correction_row, header_row
from exploration.review.store import ConflictError, Content, DecisionStore, NothingToUndo, StoreError
from model.data.corrections import ACTIONS, UNDO, Correction, effective
from model.errors import InputError
from tests.container.http.server_process import ROOT
from tests.exploration.review.conftest import saved

TIME = "2027-01-15T08:00:00Z"


def decided(
    path: str = "a.jpg", action: str = "keep", value: str = "", reviewer: str = "ann", **others: str
) -> Correction:
    row = {"group": "", "attribute": "gender", "given": "male", "time": TIME, "source": "all", **others}
    return Correction(path=path, action=action, value=value, reviewer=reviewer, **row)


def content_of(store: DecisionStore) -> Content:
    with store.reading() as content:
        return content


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "corrections.csv"


def test_decisions_are_appended_as_training_reads_them(path):
    store = DecisionStore(path)
    rows = [
        decided(),
        decided('b, "c".jpg', "relabel", "female"),
        decided("", group="7", action="delete", attribute=""),
    ]
    for row in rows:
        store.append(row, after=content_of(store).rows)
    assert saved(path) == rows == content_of(store).decisions
    assert path.read_text().splitlines()[0] == "path,group,attribute,action,value,given,reviewer,time,source"
    assert [row.line for row in content_of(store).decisions] == [row.line for row in saved(path)] == [2, 3, 4]


decisions = st.builds(
    decided,
    path=st.sampled_from(["a.jpg", "b,c.jpg", "d\"e'.jpg", "f\ng.jpg"]),
    action=st.sampled_from(ACTIONS),
    reviewer=st.sampled_from(["ann", "bob"]),
    given=st.sampled_from(["male", "fe,male", '"', "ä\n"]).map(str.strip),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(decisions, st.integers(0, 1)), max_size=25), st.integers(1, 30))
def test_two_servers_and_a_new_one_agree_with_training(rows, torn):
    """Both append to one file, between them a row that a killed process left incomplete."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corrections.csv"
        stores = [DecisionStore(path), DecisionStore(path)]
        acknowledged = []
        for number, (row, server) in enumerate(rows):
            row = Correction(**{**row.__dict__, "attribute": "" if row.action == "delete" else "gender"})
            if row.action == "relabel":
                row = Correction(**{**row.__dict__, "value": "female"})
            try:
                stores[server].append(row)
                acknowledged.append(row)
            except NothingToUndo:
                assert row.action == UNDO
            if number == 3:
                with open(path, "ab") as file:  # the start of a row
                    file.write(correction_row(decided(given="x" * 9))[:torn])
        expected = acknowledged
        for store in (*stores, DecisionStore(path)):
            content = content_of(store)
            assert content.decisions == expected
            in_force = {key: content.in_force(key) for key in content.by_key}
            assert {key: row for key, row in in_force.items() if row} == effective(expected)
        assert saved(path) == expected


def test_a_window_is_told_what_another_has_decided_since(path):
    store, other = DecisionStore(path), DecisionStore(path)
    seen = content_of(store).rows
    first, _ = other.append(decided(action="relabel", value="female", reviewer="bob"), seen, "window 2")
    with pytest.raises(ConflictError, match=r"relabel female \(bob\)") as raised:
        store.append(decided(), seen, "window 1")
    assert raised.value.current == first and raised.value.current.line == first.line
    store.append(decided("b.jpg"), seen, "window 1")  # about something else
    again, others = store.append(decided(), first.line, "window 1")
    assert not others and content_of(other).in_force(again.key) == again
    assert len(saved(path)) == 3


def test_own_decisions_and_withdrawn_ones_are_no_conflict(path):
    store = DecisionStore(path)
    seen = content_of(store).rows
    store.append(decided(), seen, "window 1")
    store.append(decided(action="marked"), seen, "window 1")
    with pytest.raises(ConflictError):
        store.append(decided(action="unsure"), seen, "")
    for _ in range(2):
        store.append(decided(action=UNDO), seen, "window 1")
    _, others = store.append(decided(action="unsure", reviewer="bob"), seen, "window 2")
    assert [row.action for row in others] == ["keep", "marked", UNDO, UNDO]


def test_undo_withdraws_only_what_the_reviewer_has_decided(path):
    store = DecisionStore(path)
    store.append(decided())
    with pytest.raises(NothingToUndo):
        store.append(decided(action=UNDO, reviewer="bob"))
    store.append(decided(action="marked", reviewer="bob"))
    store.append(decided(action=UNDO, reviewer="bob"))
    with pytest.raises(NothingToUndo):
        store.append(decided(action=UNDO, reviewer="bob"))
    assert content_of(store).in_force(decided().key) == decided()


def test_undo_conflicts_only_with_the_reviewers_other_window(path):
    store = DecisionStore(path)
    mine, _ = store.append(decided(), window="window 1")
    store.append(decided(action="marked", reviewer="bob"), window="window 2")
    _, others = store.append(decided(action=UNDO), mine.line, "window 1")
    assert [row.reviewer for row in others] == ["bob"]
    seen, _ = store.append(decided(), window="window 1")
    store.append(decided(action="unsure"), window="window 3")
    with pytest.raises(ConflictError):
        store.append(decided(action=UNDO), seen.line, "window 1")


def test_the_start_of_a_row_is_removed_and_a_row_without_line_feed_is_kept(path, caplog):
    DecisionStore(path).append(decided())
    whole = path.read_bytes()
    row = correction_row(decided("b.jpg"))
    for cut in range(1, len(row) - 4):  # the last value is then too short, but the row is whole
        path.write_bytes(whole + row[:cut])
        is_row = row[:cut].count(b",") == 8
        assert len(saved(path)) == 1 + is_row
        content = content_of(DecisionStore(path))
        assert len(content.decisions) == len(saved(path)) == 1 + is_row
    assert "removed an incomplete last row" in caplog.text
    path.write_bytes(whole + b'"a name with\n')  # the quotation mark is not closed
    assert content_of(DecisionStore(path)).rows == 2 and path.read_bytes() == whole
    path.write_bytes(header_row()[:7])
    assert content_of(DecisionStore(path)).rows == 1 and path.read_bytes() == header_row()


def test_a_deleted_replaced_or_cut_file_is_read_again(path):
    store = DecisionStore(path)
    for name in "abc":
        store.append(decided(name))
    whole = path.read_bytes()
    assert content_of(store).generation == 0
    path.unlink()
    assert (content_of(store).generation, content_of(store).decisions) == (1, [])
    store.append(decided("d"))
    assert [row.path for row in saved(path)] == ["d"]
    path.with_name("other").write_bytes(whole)
    os.replace(path.with_name("other"), path)
    assert [row.path for row in content_of(store).decisions] == ["a", "b", "c"]
    rows = [correction_row(decided(f"{number}.jpg")) for number in range(100)]
    path.write_bytes(header_row() + b"".join(rows))
    assert len(content_of(store).decisions) == 100
    path.with_name("other").write_bytes(header_row() + correction_row(decided("x.jpg")) + b"".join(rows[1:]))
    os.replace(path.with_name("other"), path)  # it differs only in its first row
    assert content_of(store).decisions[0].path == "x.jpg"
    before = content_of(store).generation
    path.write_bytes(header_row() + correction_row(decided("e")))  # the same inode, shorter
    assert [row.path for row in content_of(store).decisions] == ["e"]
    path.write_bytes(header_row() + correction_row(decided("f")) * 2)  # longer, but not continued
    assert [row.path for row in content_of(store).decisions] == ["f", "f"]
    assert content_of(store).generation == before + 2


def test_invalid_rows_are_skipped_and_logged(path, caplog):
    store = DecisionStore(path)
    with open(path, "ab") as file:
        file.write(b'a.jpg,too,short\n"a"b,,,,,,,,\nc.jpg,,,kept,,,,,\n\xff\xfe\n')
    with caplog.at_level(logging.WARNING, "rarebird"):
        store.append(decided())
    assert "ignored rows that are no corrections: 2, 3, 4, 5" in caplog.text
    assert [row.line for row in content_of(store).decisions] == [6]


def test_a_file_that_is_something_else_is_refused(path, tmp_path):
    path.parent.mkdir()
    for content, message in ((b"image,label\n1,2\n", "its columns are image, label; expected path,group,"),):
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            DecisionStore(path)
        assert path.read_bytes() == content
    with pytest.raises(InputError, match="Is a directory"):
        DecisionStore(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"corrections .*file/c"):
        DecisionStore(tmp_path / "file" / "c.csv")


def test_nothing_is_left_of_a_decision_that_could_not_be_synced(path, monkeypatch):
    store = DecisionStore(path)
    store.append(decided())
    whole = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match=r"not saved: .*corrections.csv: No space left on device"):
            store.append(decided("b.jpg"))
    assert path.read_bytes() == whole and len(content_of(store).decisions) == 1
    store.append(decided("b.jpg"))
    assert len(saved(path)) == 2


FULL = """
import json, resource, sys
from pathlib import Path
from exploration.review.store import DecisionStore, StoreError
from model.data.corrections import Correction
path = Path(sys.argv[1])
store = DecisionStore(path)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
acknowledged, failed = [], []
for number in range(60):
    try:
        store.append(Correction(f"{number}.jpg", "", "gender", "keep", reviewer="ann"))
        acknowledged.append(number)
    except StoreError as error:
        failed.append(str(error))
print(json.dumps([acknowledged, failed]))
"""


def test_a_row_that_is_written_in_part_is_removed(path):
    """The limit of the file's size makes the kernel write only the part of a row that fits, as on a full disk."""
    ended = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    acknowledged, failed = json.loads(ended.stdout)
    assert len(acknowledged) > 10 and len(failed) > 5 and "File too large" in failed[0]
    assert [row.path for row in saved(path)] == [f"{number}.jpg" for number in acknowledged]
    assert path.read_bytes().endswith(b"\n")


def test_a_name_that_is_no_text_is_refused(path):
    with pytest.raises(StoreError, match="not valid UTF-8"):
        DecisionStore(path).append(decided("\udcff.jpg"))
    assert not saved(path)


def test_an_append_waits_for_the_lock_of_other_processes(path):
    store = DecisionStore(path)
    with ThreadPoolExecutor(1) as pool:
        with open(path, "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            appended = pool.submit(store.append, decided())
            with pytest.raises(TimeoutError):
                appended.result(timeout=0.2)
            file.write(correction_row(decided("b.jpg")))
        assert appended.result()[0].line == 3
    assert [row.path for row in saved(path)] == ["b.jpg", "a.jpg"]


def test_appends_of_threads_and_stores_do_not_mix(path):
    stores = [DecisionStore(path) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        lines = list(pool.map(lambda number: stores[number % 4].append(decided(f"{number}.jpg"))[0].line, range(64)))
    assert sorted(lines) == list(range(2, 66))
    rows = saved(path)
    assert {row.line: row.path for row in rows} == {line: f"{number}.jpg" for number, line in enumerate(lines)}
