"""Corrected labels of a table and of a channel, against an application image by image."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from model.attributes import Attribute, banded
from model.data.channel import ChannelOptions, read_channel
from model.data.corrected_labels import LabelReader, apply_corrections
from model.data.corrections import ACTIONS, Correction, CorrectionLog, effective
from model.data.image_locations import ImageLocations
from model.data.table import Table
from model.errors import Problems
from model.images.image_location import ImageLocation
from model.label_values import LabelRules
from model.labels import Scheme
from tests.model.data.conftest import csv_channel, problems_of, read, touch, write_csv

GENDER = Attribute("gender", ("male", "female"))
AGE = banded("age", (30, 60))
SCHEME = Scheme((GENDER, AGE))
OPTIONS = {"attributes": {"gender": ["male", "female"], "age": {"cuts": [30, 60]}}}
HEADER = "path,group,attribute,action,value,given\n"


def make_table(genders: list[int], ages: list[float], groups: list[str], scheme: Scheme = SCHEME) -> Table:
    """Images 0.jpg, 1.jpg, ... of these classes and numbers."""
    bands = [scheme.attributes[1].band(age) for age in ages]
    return Table(
        root=Path("faces"),
        scheme=scheme,
        locations=ImageLocations(ImageLocation(f"{number}.jpg") for number in range(len(genders))),
        groups=np.array(groups, dtype=object),
        grouped_by="person",
        labels=pd.DataFrame({"gender": genders, "age": bands}, dtype=np.int64),
        numbers=pd.DataFrame({"age": ages}, dtype=np.float64),
        metadata=pd.DataFrame({"race": ["x"] * len(genders)}, dtype="str"),
        source="table",
    )


def corrected(table: Table, *corrections: Correction) -> Table:
    problems = Problems("table")
    result = apply_corrections(table, corrections, problems)
    assert not problems, str(problems)
    return result


def relabel(subject: str, attribute: str, value: str, given: str = "", line: int = 0) -> Correction:
    """subject: an image, or a group whose name begins with p."""
    path, group = ("", subject) if subject.startswith("p") else (subject, "")
    return Correction(path, group, attribute, "relabel", value, given, line=line)


SMALL = make_table([0, 1, 0, 1], [20, 25, 40, 70], ["p0", "p0", "p1", "p2"])


def test_labels_and_numbers_of_images_and_of_groups() -> None:
    table = corrected(SMALL, relabel("p0", "gender", "female"), relabel("2.jpg", "age", "63"))
    assert table.labels.gender.tolist() == [1, 1, 0, 1]
    assert table.labels.age.tolist() == [0, 0, 2, 2]
    assert table.numbers.age.tolist() == [20, 25, 63, 70]
    assert SMALL.labels.gender.tolist() == [0, 1, 0, 1]  # unchanged
    assert table.corrected is not None
    assert table.corrected.text() == "corrections changed 2 labels (gender 1, age 1)"
    assert table.corrected.groups == 1


def test_the_name_of_a_band_has_no_number() -> None:
    table = corrected(SMALL, relabel("0.jpg", "age", "60 and over"))
    assert table.labels.age[0] == 2
    assert np.isnan(table.numbers.age[0])


def test_deleted_images_and_groups_are_left_out_and_rows_without_a_decision_change_nothing() -> None:
    rows = [Correction("3.jpg", "p2", "", "delete"), Correction("", "p0", "", "delete")]
    rows += [Correction("2.jpg", "p1", "gender", action) for action in ("marked", "unsure", "keep")]
    table = corrected(SMALL, *rows)
    assert table.locations.paths == ["2.jpg"]
    assert table.groups.tolist() == ["p1"]
    assert table.corrected is not None
    assert table.corrected.deleted == 3
    assert table.corrected.rows == {"delete": 2, "keep": 1}
    assert len(SMALL.take([0]).set_aside) == 0


@pytest.mark.parametrize("verdict", ["keep", "marked", "unsure"])
@pytest.mark.parametrize("attribute", ["gender", ""])
def test_a_row_for_an_image_beats_that_for_its_group_whichever_is_later(verdict: str, attribute: str) -> None:
    rows = [Correction("0.jpg", "p0", attribute, verdict), relabel("p0", "gender", "female")]
    for order in (rows, rows[::-1]):
        assert corrected(SMALL, *order).labels.gender.tolist() == [0, 1, 0, 1]
    rows = [relabel("1.jpg", "gender", "male"), relabel("p0", "gender", "female")]
    assert corrected(SMALL, *rows).labels.gender.tolist() == [1, 0, 0, 1]


def test_an_image_of_a_deleted_group_can_be_kept() -> None:
    rows = [Correction("", "p0", "", "delete"), Correction("1.jpg", "p0", "", "keep")]
    assert corrected(SMALL, *rows).locations.paths == ["1.jpg", "2.jpg", "3.jpg"]


def reference(table: Table, rows: list[Correction]) -> dict[str, tuple[int, float]]:
    """Gender and age of each image that is left, by path: one image and one attribute after the other."""
    in_force = effective(rows)
    left = {}
    for number, path in enumerate(table.locations.paths):
        group = table.groups[number]
        verdict = in_force.get((path, "", "")) or in_force.get(("", group, ""))
        if verdict is not None and verdict.action == "delete":
            continue
        own: list[float] = [float(table.labels.gender[number]), table.numbers.age[number]]
        for position, attribute in enumerate(("gender", "age")):
            one = in_force.get((path, "", attribute))
            if one is None and (path, "", "") not in in_force:
                one = in_force.get(("", group, attribute))
            if one is not None and one.action == "relabel":
                own[position] = float(one.value) if attribute == "age" else GENDER.values.index(one.value)
        left[path] = (int(own[0]), own[1])
    return left


def random_rows(choose: random.Random, images: int) -> list[Correction]:
    rows = []
    for _ in range(choose.randrange(14)):
        attribute = choose.choice(["", "gender", "age"])
        action = choose.choice(["relabel" if attribute else "delete", *ACTIONS])
        if (action == "relabel" and not attribute) or (action == "delete" and attribute):
            continue
        value = {"": "", "gender": choose.choice(GENDER.values), "age": str(choose.randrange(10, 90))}[attribute]
        path = choose.choice(["", f"{choose.randrange(images)}.jpg"])
        group = f"p{choose.randrange(3)}"
        rows.append(Correction(path, group, attribute, action, value, reviewer=choose.choice("ab")))
    return rows


@pytest.mark.parametrize("seed", range(60))
def test_random_logs_change_what_an_application_image_by_image_changes(seed: int) -> None:
    choose = random.Random(seed)
    images = choose.randrange(1, 7)
    genders, ages = choose.choices([0, 1], k=images), choose.choices(range(18, 80), k=images)
    table = make_table(genders, list(ages), [f"p{choose.randrange(3)}" for _ in range(images)])
    rows = random_rows(choose, images)
    result = corrected(table, *rows)
    expected = reference(table, rows)
    assert result.locations.paths == list(expected)
    assert list(zip(result.labels.gender, result.numbers.age)) == list(expected.values())
    assert result.labels.age.tolist() == [AGE.band(age) for _, age in expected.values()]
    record = result.corrected
    assert record is not None
    before = {f"{number}.jpg": (gender, age) for number, (gender, age) in enumerate(zip(genders, ages))}
    assert record.deleted == images - len(expected)
    changed = [sum(before[path][i] != own[i] for path, own in expected.items()) for i in (0, 1)]
    assert [record.relabelled.get(name, 0) for name in SCHEME.names] == changed


@pytest.mark.parametrize("seed", range(10))
def test_a_channel_is_corrected_like_its_table(root: Path, seed: int) -> None:
    choose = random.Random(seed)
    rows = random_rows(choose, 6)
    lines = [f"{n}.jpg,{choose.choice(GENDER.values)},{choose.randrange(18, 80)},p{n % 3}" for n in range(6)]
    touch(root, *(f"{number}.jpg" for number in range(6)))
    write_csv(root, "path,gender,age,person\n" + "\n".join(lines) + "\n")
    log = root.parent / "log.csv"
    columns = ("path", "group", "attribute", "action", "value", "given", "reviewer")
    texts = [",".join(getattr(row, column) for column in columns) for row in rows]
    log.write_text("\n".join([",".join(columns), *texts]) + "\n")
    uncorrected = read(root, **OPTIONS)
    table = read(root, corrections=str(log), **OPTIONS) if reference(uncorrected, rows) else None
    if table is None:
        return
    expected = corrected(uncorrected, *rows)
    pd.testing.assert_frame_equal(table.frame(), expected.frame())
    assert table.corrected is not None and expected.corrected is not None
    assert table.corrected.relabelled == expected.corrected.relabelled


def test_what_is_wrong_is_reported_with_lines_and_nearest_names_at_once() -> None:
    rows = [
        relabel("0.jpg", "gendr", "male", line=2),
        relabel("0.jpg", "gender", "femal", line=3),
        relabel("p2", "age", "old", line=4),
        relabel("2.jpg", "age", "1e999", line=5),
        relabel("3.jpg", "race", "y", line=6),  # a column of the channel that is not learnt
        relabel("9.jpg", "gender", "femal", line=7),  # an image of another channel, whose labels may be others
    ]
    problems = Problems("table")
    record = apply_corrections(SMALL, CorrectionLog("fixes.csv", "", rows), problems).corrected
    bands = "expected a number or one of under 30, 30 to 59, 60 and over"
    assert problems.kinds == {
        "corrections: unknown attribute": ["fixes.csv line 2: 'gendr', expected gender, age; nearest: gender"],
        "corrections: unknown value": [
            "fixes.csv line 3: gender = 'femal', expected male, female; nearest: female",
            f"fixes.csv line 5: age = '1e999', {bands}",
            f"fixes.csv line 4: age = 'old', {bands}",
        ],
    }
    assert record is not None
    assert (record.unused, [row.line for row in record.elsewhere]) == (1, [7])


def test_labels_that_changed_since_the_review_are_named_and_corrected_all_the_same() -> None:
    rows = [
        relabel("0.jpg", "gender", "female", "male"),
        relabel("1.jpg", "gender", "female", "male"),  # has the new label already
        relabel("2.jpg", "age", "41", "39", line=4),  # neither
        relabel("p0", "age", "21", "25"),  # one of its images still has the label of the review
    ]
    table = corrected(SMALL, *rows)
    assert table.numbers.age.tolist() == [21, 21, 41, 70]
    assert table.corrected is not None
    assert table.corrected.outdated == ("corrections line 4: 2.jpg, age 39 then",)


def test_numbers_far_outside_of_the_others_are_named() -> None:
    table = corrected(SMALL, relabel("0.jpg", "age", "630", line=2), relabel("1.jpg", "age", "100"))
    assert table.corrected is not None
    assert table.corrected.unusual == ("corrections line 2: 0.jpg, age 630",)


@pytest.mark.parametrize("spelling", ["./0.jpg", "faces/0.jpg", " 0.jpg", "sub/../0.jpg"])
def test_other_spellings_of_a_path(spelling: str) -> None:
    assert corrected(SMALL, relabel(spelling, "gender", "female")).labels.gender[0] == 1


def test_the_folder_of_a_split_may_have_any_of_its_names(root: Path) -> None:
    train = root / "train"
    csv_channel(train, "path,kind\n0.jpg,a\n1.jpg,b\n")
    for folder, count in (("training", 1), ("train", 1), ("val", 0)):
        log = root / "log.csv"
        log.write_text(f"path,attribute,action,value\n{folder}/images/0.jpg,kind,relabel,b\n")
        table = read(train, attributes={"kind": ["a", "b"]}, corrections=str(log))
        assert table.corrected is not None
        assert table.corrected.relabelled.get("kind", 0) == count


def test_file_names_in_another_unicode_form(root: Path) -> None:
    touch(root, "a/a\u0308.jpg", "b/1.jpg")
    (root.parent / "log.csv").write_text("path,attribute,action,value\na/\u00e4.jpg,label,relabel,b\n", "utf-8")
    assert read(root, corrections=str(root.parent / "log.csv")).labels.label.tolist() == [1, 1]


def test_an_invalid_label_can_be_corrected_or_its_image_left_out(root: Path) -> None:
    text = "path,gender,age,person\n0.jpg,man,20,p0\n1.jpg,male,old,p0\n2.jpg,male,30,p1\n3.jpg,,30,p1\n"
    csv_channel(root, text)
    log = root / "fixes.csv"
    log.write_text(HEADER + "images/0.jpg,,gender,relabel,female,man\nimages/1.jpg,,,delete,,\n")
    assert problems_of(root, corrections=str(log), table="train.csv", **OPTIONS).keys() == {"empty label"}
    log.write_text(log.read_text() + "images/3.jpg,,gender,relabel,female,\n")
    table = read(root, corrections=str(log), table="train.csv", **OPTIONS)
    assert table.frame()[["path", "gender"]].to_numpy().tolist() == [
        ["images/0.jpg", "female"],
        ["images/2.jpg", "male"],
        ["images/3.jpg", "female"],
    ]
    assert table.corrected is not None
    assert table.corrected.repaired == 2
    assert not len(table.set_aside)


def test_a_dropped_label_can_be_corrected_but_not_given(root: Path) -> None:
    csv_channel(root, "path,kind\n0.jpg,Skip\n1.jpg,a\n2.jpg,b\n3.jpg,b\n")
    log = root.parent / "log.csv"
    options = {"attributes": {"kind": {"values": ["a", "b"], "drop": ["Skip"]}}, "corrections": str(log)}
    log.write_text(HEADER + "images/0.jpg,,kind,relabel,a,Skip\n")
    assert read(root, **options).labels.kind.tolist() == [0, 0, 1, 1]
    log.write_text(HEADER + "images/1.jpg,,kind,relabel,Skip,a\n")
    assert problems_of(root, **options) == {
        "corrections: unknown value": ["log.csv line 2: kind = 'Skip', whose rows `drop` skips; use the action delete"]
    }


def test_rows_of_an_image_that_differ_can_be_corrected(root: Path) -> None:
    csv_channel(root, "path,label\n0.jpg,a\n0.jpg,b\n1.jpg,b\n")
    log = root.parent / "log.csv"
    log.write_text(HEADER + "images/0.jpg,,label,relabel,a,\n")
    table = read(root, duplicates="skip", corrections=str(log))
    assert table.frame()[["path", "label"]].to_numpy().tolist() == [["images/0.jpg", "a"], ["images/1.jpg", "b"]]


def test_equal_names_of_a_class_are_one_value() -> None:
    gender = Attribute("gender", ("male", "female"), rules=LabelRules(merge=(("f", "female"),), fold_case=True))
    table = make_table([0, 0], [20, 20], ["p0", "p1"], Scheme((gender, AGE)))
    rows = [relabel("0.jpg", "gender", "F"), relabel("1.jpg", "gender", "FEMALE")]
    assert corrected(table, *rows).labels.gender.tolist() == [1, 1]


def test_an_index_is_read_unless_names_are_numbers() -> None:
    reader = LabelReader(Attribute("kind", ("top", "bottom", "hat")))
    assert [reader.read(text) for text in ("hat", "2", "0")] == [
        (code, pytest.approx(np.nan, nan_ok=True)) for code in (2, 2, 0)
    ]
    assert reader.read("3") is None and reader.equals((2, np.nan), "2")
    assert "'3', expected top, bottom, hat" in reader.problem("3", near=True)
    numbers = LabelReader(Attribute("kind", ("1", "2", "3")))
    assert numbers.read("1") == (0, pytest.approx(np.nan, nan_ok=True)) and numbers.read("0") is None


def test_a_log_in_the_channel_is_no_table_of_labels(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "bad.csv").write_text("path,action\na/1.png,delete\n")
    problems = Problems("")
    table = read_channel(tmp_path, problems, ChannelOptions(corrections="bad.csv"))
    assert not problems and table is not None and table.locations.paths == ["a/2.png", "b/1.png"]


def test_a_missing_file_is_a_problem_of_the_channel(root: Path) -> None:
    csv_channel(root, "path,kind\n0.jpg,a\n1.jpg,b\n")
    problems = Problems("channel")
    read_channel(root, problems, ChannelOptions(corrections="none.csv"))
    assert problems.kinds.keys() == {"corrections: unreadable file", "missing label column"}
