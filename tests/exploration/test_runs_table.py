import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exploration.run_records import Run
from exploration.runs_table import (
    broken_name,
    differing_settings,
    runs_frame,
    runs_text,
    sorted_runs,
    tables_that_fit,
    wrapped,
)
from model.artifacts.provenance import SplitSize

ROOT = Path("runs")


def run(name: str, f1: float | None = None, hours: int = 0, **settings: Any) -> Run:
    scores = {} if f1 is None else {"val_f1": {"value": f1, "low": None, "high": None}}
    saved = datetime(2026, 1, 1) + timedelta(hours=hours)
    return Run(ROOT / name, saved, True, "1/1", {"lr": 0.1, "epochs": 1, **settings}, 1.0, scores)


def names(runs: list[Run]) -> str:
    return "".join(run.folder.name for run in runs)


def test_columns_are_split_into_tables_that_fit():
    columns = {"run": ["a", "b"], "first": ["x" * 20] * 2, "second": ["y" * 20] * 2, "wide": ["z" * 50] * 2}
    assert [list(table) for table in tables_that_fit(columns, 48)] == [["run", name] for name in list(columns)[1:]]
    tables = tables_that_fit(columns, 49)
    assert [list(table) for table in tables] == [["run", "first", "second"], ["run", "wide"]]


def test_runs_on_different_data_have_separate_tables():
    runs = [replace(run("a", 0.9, lr=0.1), data="faces/train, 3 classes")]
    runs += [replace(run(name, 0.5, lr=lr), data="shop/train, 81 classes") for name, lr in (("b", 0.2), ("c", 0.3))]
    first, second = runs_text([*runs[1:], *runs[:1]], ROOT, 120).split("\n\nfaces/train, 3 classes\n\n")
    assert first.startswith("shop/train, 81 classes\n\nrun") and "0.3" in first and "lr" in first.splitlines()[2]
    assert "lr" not in second and second.splitlines()[-1].startswith("a ")
    assert runs_text(runs[1:], ROOT, 120) == first


def test_runs_on_different_images_or_labels_of_one_name_have_separate_tables():
    same = [replace(run(name, 0.5), data="faces/train, 3 classes", ids={"age": "1", "kind": "2"}) for name in "ab"]
    other = replace(run("c", 0.9), data="faces/train, 3 classes", ids={"age": "1", "kind": "3"})
    unknown = replace(run("d", 0.1), data="faces/train, 3 classes")
    tables = runs_text([other, *same, unknown], ROOT, 120).split("faces/train, 3 classes")[1:]
    assert [re.findall(r"^([a-d]) ", table, re.M) for table in tables] == [["c"], ["a", "b"], ["d"]]
    notes = [table.splitlines()[0] for table in tables]
    assert notes == [
        "",
        "; the images or labels differ from those above",
        "; the images or labels differ from those above",
    ]
    assert runs_text([run("a"), run("b")], ROOT, 120).startswith("run ")  # of a version that recorded no data


def test_the_split_is_above_the_table_if_all_runs_share_it_otherwise_in_a_column():
    sides = {"train": SplitSize(140, 20), "validation": SplitSize(28, 4)}
    first = replace(run("a"), data="faces/train, 3 classes", sides=sides)
    lines = runs_text([first, replace(first, folder=ROOT / "b")], ROOT, 120).splitlines()
    split = "train 140 images of 20 groups (83.3 %), validation 28 images of 4 groups (16.7 %)"
    assert lines[0] == f"faces/train, 3 classes; {split}" and "validation" not in lines[2]
    second = replace(first, sides={"train": SplitSize(160, 160)})
    text = runs_text([first, second], ROOT, 120)
    assert text.startswith("faces/train, 3 classes\n\nrun ") and "28 (16.7 %)" in text
    assert [row["split"] for row in runs_frame([first, second], ROOT).to_dict("records")] == [
        split,
        "train 160 images (100.0 %)",
    ]


def test_texts_are_wrapped_whole_unless_one_is_wider_than_a_line():
    assert wrapped(["a=1", "bb=2", "c" * 20], 9) == "a=1  bb=2\ncccc…cccc"


def test_names_of_settings_are_broken_after_dots_and_underscores():
    assert broken_name("augmentation.random_resized_crop.scale", 18) == "augmentation.\nrandom_resized_\ncrop.scale"
    assert broken_name("lr", 18) == "lr" and broken_name("a.bbbb_c", 3) == "a.\nbbbb_\nc"


def test_settings_that_differ_are_in_the_order_of_help_without_epochs():
    runs = [run("a", seed=1, lr=0.1, epochs=3), run("b", seed=2, lr=0.2), run("c", seed=2, lr=0.2, train_pictures=7)]
    assert differing_settings(runs) == ["train_pictures", "lr", "seed"]
    assert differing_settings(runs[:1]) == []


def test_runs_without_a_score_come_last_and_equal_scores_the_newest_first():
    runs = [run("a"), run("b", 0.5, hours=1), run("c", 0.5, hours=2), run("d", 0.7), run("e", hours=1), run("f", 0.0)]
    assert names(sorted_runs(runs, "f1")) == "dcbfea"
    assert names(sorted_runs(runs, "date")) == "cbeadf"
    assert names(sorted_runs(runs[::-1], "name")) == "abcdef"


@pytest.mark.parametrize(("width", "above"), [(80, "seconds"), (60, "run")])
def test_settings_that_do_not_fit_as_columns_are_a_text_per_run(width, above):
    values = {f"setting{number}": "x" * 10 for number in range(8)}
    runs = [run("a", **values), run("b", **values), run("c", **{**values, "setting3": "y"})]
    text = runs_text([*runs, run("d", **dict.fromkeys(values, "z"))], ROOT, width)
    assert max(map(len, text.splitlines())) <= width
    headers, _, *rows = text[: text.index("\n\nFor settings that differ between runs")].split("\n\n")[-1].splitlines()
    assert headers.split("settings of its own")[0].split()[-1] == above
    texts = {row.split()[0]: row.split()[5 if above == "seconds" else 1 :] for row in rows if row.strip()}
    assert (texts["a"], texts["b"], texts["c"]) == ([], [], ["setting3=y"])
    assert text.count("=z") == 8 and text.count("=xxxxxxxxxx") == 8
