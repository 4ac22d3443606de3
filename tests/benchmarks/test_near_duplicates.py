"""The benchmark of near_duplicates, on few images."""

from __future__ import annotations

from pathlib import Path

from benchmarks import near_duplicates as benchmark


def test_planted_copies_are_found_and_nothing_else(tmp_path: Path) -> None:
    """300 images with 28 copies, four of each kind of change."""
    settings = benchmark.DuplicateSettings(persons=39, copies=28, workers=2)
    planted, pairs, _ = benchmark.measure(settings, tmp_path)
    found = {pair.rows: pair for pair in pairs if pair.across_groups}
    assert len(planted.table) == 301
    assert set(found) == set(planted.changes)
    for rows, changes in planted.changes.items():
        pair = found[rows]
        assert pair.is_flipped == ("flipped" in changes)
        assert pair.labels_differ == (rows[1] in planted.relabelled)
        assert pair.across_splits == (planted.table.sides[rows[1]] == "eval")
    assert sum(pair.labels_differ for pair in pairs) == 4 and sum(pair.across_splits for pair in pairs) == 7
    # the most important first: another label, then another split
    first, last = pairs[0], pairs[-1]
    assert first.labels_differ and first.across_splits and not last.labels_differ and not last.across_splits
    text = benchmark.scores(planted, pairs)
    assert "28 of 28" in text and text.splitlines()[-1].split() == ["precision", "28", "of", "28", "1.000"]
    text = benchmark.scores(planted, pairs[:7])
    assert "7 of 28" in text


def test_main_prints_recall_by_kind_of_change(tmp_path: Path, capsys) -> None:
    assert benchmark.main(["--persons", "12", "--copies", "7", "--workers", "1"]) == 0
    output = capsys.readouterr().out
    assert "flipped and cropped and resized and recompressed" in output and "91 images in" in output
