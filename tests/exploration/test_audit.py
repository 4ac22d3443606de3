"""python -m exploration audit: a sample, its review as rows of a log, and the estimates."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from exploration.__main__ import main
from model.data.corrections import CORRECTION_COLUMNS


def rows_of(path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def groups_of(path) -> list[str]:
    return list(dict.fromkeys(row["group"] for row in rows_of(path)))


def write_log(path, *rows: tuple[str, str, str, str]) -> str:
    """Writes a log of audit rows: group, attribute, action, value."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(CORRECTION_COLUMNS)
        for group, attribute, action, value in rows:
            writer.writerow(["", group, attribute, action, value, "", "A", "2026-01-01T00:00:00Z", "audit"])
    return str(path)


def test_a_sample_is_drawn_once_and_can_be_enlarged(faces, cache, tmp_path, capsys):
    channel, file = str(faces / "train"), tmp_path / "audit.csv"
    assert main(["audit", channel, "6", "--output", str(file), *cache]) == 0
    first = groups_of(file)
    assert len(first) == 6 and len(rows_of(file)) == 42
    assert "6 of 24 groups, drawn at random (seed 0)" in capsys.readouterr().out
    assert all(row["group"] in row["path"] for row in rows_of(file))
    assert main(["audit", channel, "10", "--output", str(file), *cache]) == 0
    assert groups_of(file)[:6] == first and len(groups_of(file)) == 10
    before = file.read_bytes()
    for changed in (["10", "--seed", "1"], ["4"]):
        assert main(["audit", channel, *changed, "--output", str(file), *cache]) == 2
        assert "has another sample, which may be under review" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert main(["audit", channel, *cache]) == 0  # audit.csv in this folder, all groups
    assert len(groups_of("audit.csv")) == 24


def test_the_review_of_a_sample_gives_rates_and_unseen_labels(faces, cache, tmp_path, capsys):
    channel, file = str(faces / "train"), tmp_path / "audit.csv"
    assert main(["audit", channel, "12", "--output", str(file), *cache]) == 0
    groups = groups_of(file)
    log = write_log(
        tmp_path / "corrections.csv",
        *((group, "", "keep", "") for group in groups[:-1]),
        (groups[0], "gender", "marked", ""),
        (groups[-1], "age", "relabel", "99"),
    )
    capsys.readouterr()
    flags = ["--sample", str(file), "--corrections", log, "--json", str(tmp_path / "audit.json")]
    assert main(["audit", channel, *flags, *cache]) == 0
    printed = capsys.readouterr().out
    result = json.loads((tmp_path / "audit.json").read_text())
    assert all(sentence in printed for sentence in result["sentences"])
    assert "12 of 12 sampled groups are reviewed; the channel has 24" in printed
    assert "gender: 8.3 %" in printed and "age: 8.3 %" in printed and "mask: 0.0 %" in printed
    assert "expected wrong labels still unseen: " in printed
    assert result["attributes"]["gender"]["unseen"]["value"] == pytest.approx(1)
    assert result["population"] == 24


def test_rows_for_other_images_are_named(faces, cache, tmp_path, caplog, capsys):
    channel = tmp_path / "a channel"
    channel.symlink_to(faces / "train")
    file = channel.parent / "audit.csv"
    assert main(["audit", str(channel), "2", "--output", str(file), *cache]) == 0
    assert f"review '{channel}' --audit {file}" in capsys.readouterr().out
    log = write_log(tmp_path / "c.csv", *((group, "", "keep", "") for group in [*groups_of(file), "nobody"]))
    flags = ["--sample", str(file), "--corrections"]
    assert main(["audit", str(channel), *flags, log, *cache]) == 0
    assert (
        "1 rows are for images or groups that the channel does not have, and are ignored: line 4: group" in caplog.text
    )
    # a row that is withdrawn does not count: no row in force is of the channel
    withdrawn = [(groups_of(file)[0], "", action, "") for action in ("keep", "undo")]
    write_log(tmp_path / "c.csv", ("nobody", "", "keep", ""), *withdrawn)
    assert main(["audit", str(channel), *flags, log, *cache]) == 2
    assert "line 2: group nobody" in capsys.readouterr().err


def test_a_log_in_the_channel_is_found(faces, cache, tmp_path, capsys):
    channel = shutil.copytree(faces / "train", tmp_path / "train")
    file = tmp_path / "audit.csv"
    assert main(["audit", str(channel), "2", "--output", str(file), *cache]) == 0
    write_log(channel / "decided.csv", *((group, "", "keep", "") for group in groups_of(file)))
    assert main(["audit", str(channel), "--sample", str(file), "--corrections", "decided.csv", *cache]) == 0
    assert "2 of 2 sampled groups are reviewed" in capsys.readouterr().out


def test_mistakes_are_reported_with_what_was_expected(faces, cache, tmp_path, capsys):
    channel, log = str(faces / "train"), write_log(tmp_path / "corrections.csv")
    (tmp_path / "audit.csv").write_text("path,group\nimages/none.jpg,1\n")
    flags = ["--sample", str(tmp_path / "audit.csv"), "--corrections", log]
    for words, message in (
        ([], "expected a channel and a number of groups, for example"),
        ([channel, "many"], "the number of groups is 'many', expected a whole number of at least 1"),
        ([channel, "--sample", "audit.csv"], "sample requires corrections"),
        ([channel, "--corrections", log], "corrections requires sample"),
        ([channel, "5", "--output", "/proc/none/a.csv"], "output /proc/none/a.csv: cannot be written"),
        ([channel, "--json", "a.json"], "json is written only with --sample"),
        ([channel, *flags, "--json", "/proc/none/a.json"], "json /proc/none/a.json: cannot be written"),
        ([channel, *flags], "images that the channel does not have"),
        ([channel, "--sample", str(tmp_path / "audits.csv"), "--corrections", log], "nearest: audit.csv"),
        ([channel, *flags[:2], "--corrections", str(tmp_path / "correction.csv")], "nearest: corrections.csv"),
        ([str(faces / "trian")], "there is no such folder; nearest: train"),
    ):
        assert main(["audit", *words, *cache]) == 2
        assert message in capsys.readouterr().err
    (tmp_path / "audit.csv").write_text("path,group\n")
    assert main(["audit", channel, *flags, *cache]) == 2
    assert "the sample has no images; python -m exploration audit CHANNEL N draws one" in capsys.readouterr().err
    (tmp_path / "audit.csv").write_text("image\n")
    assert main(["audit", channel, *flags, *cache]) == 2
    assert "no column path; expected path,group, found image" in capsys.readouterr().err
