import io
import re
import sys
import time
from types import SimpleNamespace
from typing import cast

import pytest

from model.training.progress import Progress
from model.training.tracking.base import EpochResult
from model.training.tracking.console import EpochTable, MetricLines, duration, make_console, metric_line, progress_bar
from model.training.validation import Validation

ENTRY = {"epoch": 3, "val_loss": 0.5, "val_f1": 0.81234, "val_acc": 0.9, "val_gmean": 0.0, "train_loss": 0.25}
ENTRY |= {"lr": 0.00075, "pictures_per_second": 1234.56}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def wide_terminal(caplog, monkeypatch):
    """All log lines are kept."""
    caplog.set_level("INFO", "rarebird")
    monkeypatch.setenv("COLUMNS", "160")


def result(better: bool = False, **changes: float) -> EpochResult:
    return EpochResult(12, {**ENTRY, **changes}, None, better)


def test_the_line_that_sagemakers_expressions_read():
    assert metric_line(ENTRY) == (
        "epoch=3 val_f1=0.8123; val_acc=0.9000; val_gmean=0.0000; val_loss=0.5000; train_loss=0.2500; lr=0.00075; "
        "pictures_per_second=1234.6;"
    )
    alone = {name: value for name, value in ENTRY.items() if not name.startswith("val_")}
    assert metric_line(alone) == "epoch=3 train_loss=0.2500; lr=0.00075; pictures_per_second=1234.6;"


def test_the_log_has_one_line_per_epoch_and_per_logged_step(caplog):
    lines = MetricLines(5)
    lines.step(Progress(epoch=2, batches=5, lr=0.01), 1.5)
    lines.epoch(result())
    step, epoch = caplog.messages
    assert step == "epoch=3 step=5 train_loss=1.5000; lr=0.01;"
    assert re.fullmatch(re.escape(metric_line(ENTRY)) + r" epoch_seconds=\d+\.\d; seconds_left=\d+;", epoch)


def test_the_time_of_each_epoch_and_the_time_left(caplog, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for tracker in (MetricLines(10), EpochTable(10)):
        caplog.clear()
        now += 500  # reading the data does not count
        tracker.begin(0)
        # a run resumed at its seventh epoch: 10 s, then 30 s, so 20 s for each epoch that is left
        for epoch, seconds in ((7, 10.0), (8, 30.0)):
            now += seconds
            tracker.epoch(result(epoch=epoch))
        if isinstance(tracker, MetricLines):
            assert [line.split("pictures_per_second=1234.6; ")[1] for line in caplog.messages] == [
                "epoch_seconds=10.0; seconds_left=30;",
                "epoch_seconds=30.0; seconds_left=40;",
            ]
        else:
            assert [line.split()[-4:] for line in caplog.messages[1:]] == [
                ["10.0", "s", "30.0", "s"],
                ["30.0", "s", "40.0", "s"],
            ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0 s"), (59.94, "59.9 s"), (60, "1:00"), (3599, "59:59"), (10925, "3:02:05")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_the_table_has_one_header_aligned_rows_and_marks_the_best(caplog):
    table = EpochTable(100)
    table.step(Progress(), 1.0)
    table.epoch(result(better=True, epoch=9))
    table.epoch(result(epoch=10, val_f1=1.0, lr=1e-12, pictures_per_second=12))
    header, *rows = caplog.messages
    assert " ".join(header.split()) == "epoch train loss val loss macro F1 accuracy gmean F1 lr images/s time left"
    assert (
        len(rows) == 2
        and re.search(r"1,234\.6 +[0-9.:]+( s)? +[0-9.:]+( s)?  best so far$", rows[0])
        and "best" not in rows[1]
    )
    assert rows[0].split()[:5] == ["9/100", "0.2500", "0.5000", "0.8123", "0.9000"]
    for name, value in (("macro F1", "1.0000"), ("accuracy", "0.9000"), ("images/s", "12.0")):
        assert header.index(name) + len(name) == rows[1].index(value) + len(value)


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (132, "epoch train loss val loss macro F1 accuracy gmean F1 lr images/s F1 mask F1 age time left"),
        (112, "epoch train loss val loss macro F1 accuracy gmean F1 F1 mask F1 age time left"),
        (90, "epoch train loss val loss macro F1 accuracy gmean F1 time left"),
        (20, "epoch train loss val loss macro F1 accuracy gmean F1 time left"),
    ],
)
def test_a_narrow_terminal_has_fewer_columns(columns, shown, caplog, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    table = EpochTable(100)
    validation = cast(
        Validation, SimpleNamespace(number_errors={}, by_attribute={name: {"f1": 0.5} for name in ("mask", "age")})
    )
    table.epoch(EpochResult(12, ENTRY, validation, True))
    header, row = caplog.messages
    assert " ".join(header.split()) == shown
    assert max(len(header), len(row)) <= columns or columns == 20
    assert len(row.split("  best so far")[0]) == len(header)


def test_a_table_is_for_a_terminal_and_lines_for_everything_else(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert isinstance(make_console(3), EpochTable)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert isinstance(make_console(3), MetricLines)


def test_the_bar_counts_images_on_a_terminal_only(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        with progress_bar("epoch 2/3", 640, 320) as bar:
            bar.update(64)
            bar.refresh()
        text = stream.getvalue()
        assert ("epoch 2/3:" in text and "384/640" in text and "images/s]" in text) == shown
        assert shown or not text


def test_the_line_and_the_table_have_the_f1_of_each_attribute(caplog):
    scores = {"mask": {"f1": 0.9, "accuracy": 0.95}, "age": {"f1": 0.65432, "accuracy": 0.7}}
    assert metric_line(ENTRY, scores) == f"{metric_line(ENTRY)} val_f1_mask=0.9000; val_f1_age=0.6543;"
    assert metric_line(ENTRY, None, {"the age": 4.25}) == f"{metric_line(ENTRY)} val_mae_the_age=4.25;"
    table = EpochTable(5)
    validation = cast(Validation, SimpleNamespace(number_errors={}, by_attribute=scores))
    table.epoch(EpochResult(12, ENTRY, validation, False))
    header, row = caplog.messages
    assert header.index("F1 age") + len("F1 age") == row.index("0.6543") + 6
