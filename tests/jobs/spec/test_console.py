"""Terminal output while a job runs."""

from __future__ import annotations

import pytest

from jobs.spec.console import HEADER_ROWS, MetricTable, confirmed, print_line


def test_metric_lines_are_formatted_as_a_table():
    table = MetricTable()
    rows = table.row(
        "algo-1: epoch=1 val_f1=0.5000; val_acc=0.6000; train_loss=1.2; lr=1e-05; pictures_per_second=3.0;"
    )
    assert rows is not None and len(rows) == 2
    assert rows[0].split()[:3] == ["epoch", "val_f1", "val_acc"]
    assert rows[1].split() == ["1", "0.5000", "0.6000", "1.2", "1e-05", "3.0"]
    assert len(table.row("epoch=2 val_f1=0.6;") or []) == 1
    assert table.row("epoch=2 step=5 train_loss=1.0; lr=0.1;") is None
    assert table.row("best epoch=1 val_f1=0.5000; val_acc=0.6000;") is None


def test_an_optional_metric_has_a_column_only_if_the_line_contains_it():
    (header, row), (longer, _) = (
        MetricTable().row(line) or [] for line in ("epoch=1 val_f1=0.5; lr=1;", "epoch=1 val_f1=0.5; val_gmean=0.1;")
    )
    assert "val_gmean" not in header and "val_gmean" in longer
    assert header.index("val_f1") + len("val_f1") == row.index("0.5") + 3


def test_the_header_is_repeated():
    table = MetricTable()
    lengths = [len(table.row(f"epoch={epoch} val_f1=0.5;") or []) for epoch in range(2 * HEADER_ROWS)]
    assert [at for at, length in enumerate(lengths) if length == 2] == [0, HEADER_ROWS]


@pytest.mark.parametrize(
    ("answer", "is_yes"), [("y", True), (" YES ", True), ("", False), ("n", False), ("yeah", False), (EOFError, False)]
)
def test_a_question_is_asked_only_on_a_terminal(answer, is_yes, monkeypatch):
    def answer_question(question: str) -> str:
        assert question == "really? [y/N] "
        if answer is EOFError:
            raise EOFError
        return answer

    monkeypatch.setattr("builtins.input", answer_question)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert confirmed("really?") is is_yes
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert confirmed("really?") is True


def test_lines_are_flushed(monkeypatch):
    flushed: list[bool] = []
    monkeypatch.setattr("builtins.print", lambda *_, flush=False: flushed.append(flush))
    print_line("x")
    assert flushed == [True]
