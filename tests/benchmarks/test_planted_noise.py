"""Planted wrong labels: exact rates along the confusions of a model, whole groups, and a log that training reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.planted_noise import corrections_of, main, plant, quotas, transition_matrix
from model.data.channel import ChannelOptions, read_channel
from model.data.corrected_labels import apply_corrections
from model.data.corrections import read_corrections
from model.data.table import Table
from model.errors import InputError, Problems
from tests.model.cleaning.conftest import make_table

CONFUSED = np.array([[0.6, 0.3, 0.1], [0.0, 0.9, 0.1], [0.25, 0.25, 0.5]])


def images(codes: list[int]) -> tuple[Table, np.ndarray]:
    return make_table({"tag": codes}, [f"g{row}" for row in range(len(codes))]), CONFUSED[codes]


def test_the_transition_matrix_is_the_mean_probability_of_each_other_class():
    generator = np.random.default_rng(0)
    codes, own = generator.integers(0, 3, 60), generator.dirichlet([1, 2, 3], 60)
    codes[:3], own[5] = -1, np.nan
    expected = np.zeros((3, 3))
    for code in range(3):
        rows = [row for row in range(60) if codes[row] == code and row != 5]
        for other in {0, 1, 2} - {code}:
            expected[code, other] = sum(own[row, other] for row in rows)
    assert transition_matrix(codes, own) == pytest.approx(expected / expected.sum(axis=1, keepdims=True))


def test_rates_are_exact_in_each_class_and_follow_the_matrix():
    codes = [0] * 100 + [1] * 50 + [2] * 10
    table, own = images(codes)
    result = plant(table, "tag", own, 0.4, seed=0)
    assert result.changed.tolist() == [40, 20, 4] and result.level == "images"
    counts = np.zeros((3, 3), int)
    np.add.at(counts, (codes, result.codes), 1)
    assert counts.tolist() == [[60, 30, 10], [0, 30, 20], [2, 2, 6]]
    assert np.array_equal(result.codes, plant(table, "tag", own, 0.4, seed=0).codes)
    assert not np.array_equal(result.codes, plant(table, "tag", own, 0.4, seed=1).codes)
    assert (
        result.text().split()[:4] == ["tag", "images", "changed", "rate"] and "64 of 160 images, 0.400" in result.text()
    )


def test_no_class_loses_its_last_image():
    table, own = images([0, 0, 1, 2, 2, 2])
    result = plant(table, "tag", own, 1.0, seed=0)
    assert result.changed.tolist() == [1, 0, 2]
    kept = result.codes[result.codes == table.labels["tag"].to_numpy()]
    assert sorted(kept.tolist()) == [0, 1, 2]


def test_whole_groups_are_changed_if_the_attribute_is_constant_in_them():
    person = np.repeat(np.arange(40), 5)
    codes = (person % 2).tolist()
    table = make_table({"gender": codes}, [f"p{one:02d}" for one in person])
    result = plant(table, "gender", np.full((200, 2), 0.5), 0.3, seed=0)
    assert result.level == "groups" and result.changed.tolist() == [6, 6] and result.wrong.tolist() == [30, 30]
    assert pd.Series(result.codes).groupby(person).nunique().max() == 1


def test_wrong_bands_have_numbers_of_the_band():
    person = np.repeat(np.arange(20), 2)
    age = np.where(person < 10, 20 + person, 60 + person)
    table = make_table({"age": (age >= 50).astype(int)}, [f"p{one:02d}" for one in person], {"age": age.astype(float)})
    result = plant(table, "age", np.full((40, 2), 0.5), 0.5, seed=0)
    problems = Problems("")
    changed = apply_corrections(table, corrections_of(table, result, 0), problems)
    assert not problems and changed.labels["age"].tolist() == result.codes.tolist()
    numbers = changed.numbers["age"]
    assert set(numbers) <= set(age) and numbers.groupby(person).nunique().max() == 1


def test_quotas_sum_to_the_count_and_differ_from_the_shares_by_less_than_one():
    generator = np.random.default_rng(0)
    for _ in range(50):
        shares, count = generator.dirichlet(np.ones(7)), int(generator.integers(0, 40))
        own = quotas(shares, count)
        assert own.sum() == count and (np.abs(own - shares * count) < 1).all()


def test_classes_that_cannot_be_confused_are_an_error():
    table, own = images([0, 0, 0, 1])
    with pytest.raises(InputError, match="labels are all alike"):
        plant(table.take([0, 1]), "tag", own[:2], 0.5, 0)
    own[:3] = np.nan
    with pytest.raises(InputError, match="no out-of-fold prediction for an image of class v0"):
        plant(table, "tag", own, 0.5, 0)


def test_the_command_writes_a_log_that_gives_the_rates_that_it_prints(faces: Path, tmp_path: Path, capsys):
    output, earlier = tmp_path / "planted.csv", tmp_path / "earlier.csv"
    first = next(path for path in sorted((faces / "train" / "images").rglob("*")) if path.is_file())
    path = first.relative_to(faces / "train").as_posix()
    earlier.write_text(f"path,group,attribute,action,value\n{path},,,delete,\n")
    flags = [str(faces / "train"), "--output", str(output), "--rate", "0.25", "--only", "gender", "mask"]
    flags += ["--model", "thumbnail", "--cache", str(tmp_path / "cache"), "--corrections", str(earlier)]
    assert main(flags) == 0
    printed = capsys.readouterr().out
    assert (
        printed.split()[:3] == ["gender", "groups", "changed"]
        and "mask" in printed
        and f"--corrections {output}" in printed
    )
    problems = Problems("")
    tables = [
        read_channel(faces / "train", problems, ChannelOptions(corrections=str(log))) for log in (earlier, output)
    ]
    assert not problems and tables[0] is not None and tables[1] is not None
    given, wrong = (table.labels for table in tables)
    assert len(given) == len(wrong) and (given["age"] == wrong["age"]).all()
    for name in ("gender", "mask"):
        share = (given[name] != wrong[name]).groupby(given[name]).mean()
        assert share.max() < 0.5 and share.min() > 0
    assert all(row.reviewer == "planted" for row in read_corrections(output, problems)[1:])
    with pytest.raises(InputError, match="only: 'gendr'; nearest: gender, expected"):
        main([str(faces / "train"), "--output", str(output), "--only", "gendr"])
    with pytest.raises(InputError, match="name the folder of a channel"):
        main([])
