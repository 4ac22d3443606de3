"""The truth in every form that training reads."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from model.answers.read import ClassTable
from model.attributes import Attribute, LabelPattern, LabelRules, pattern_column
from model.errors import InputError
from model.evaluation.matching import match_answers
from model.evaluation.truth import match_by_file_name, truth_location
from model.labels import Scheme, mask_scheme

FOLDERS = Scheme((Attribute("label", ("1", "2", "cat")),))  # class folders, two of them called by a number
SHIRTS = Scheme((Attribute("kind", ("shirt", "shoe"), (), "articleType"), Attribute("size", ("small", "large"), (10,))))


@pytest.fixture
def matched(tmp_path):
    """Matches truth/ with answers, given as lines of output.csv, of a scheme."""

    def match(scheme: Scheme, *answers: str, truth: str = "truth", made: dict | None = None, **options):
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        (out / "labels.json").write_text(json.dumps(scheme.to_dict() | (made or {})))
        (out / "output.csv").write_text("\n".join(["ImageID,ans", *answers]) + "\n")
        return match_answers(truth_location(tmp_path / truth), out / "output.csv", **options)

    return match


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def draw(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(root / name)


def test_class_folders_are_true_labels(matched, tmp_path):
    draw(tmp_path / "truth", "1/a.png", "2/b.png", "cat/c.png", "cat/d.png")
    result = matched(FOLDERS, "1/a.png,0", "2/b.png,1", "cat/c.png,0", "cat/d.png,2")
    assert result.truth.tolist() == [0, 1, 2, 2] and result.answers.tolist() == [0, 1, 0, 2]
    assert any("true labels were read from class folders" in note for note in result.notes)


def test_names_are_matched_by_a_unique_end_of_their_paths(matched, tmp_path):
    draw(tmp_path / "truth", "1/a.png", "1/x.png", "2/a.png", "cat/c.png", "cat/d.png")
    result = matched(
        FOLDERS, "test/1/a.png,0", "test/2/a.png,1", "c.png,2", "else/d.png,2", "other/x.png,0", "y/x.png,0"
    )
    assert result.names == ["test/1/a.png", "1/x.png", "test/2/a.png", "c.png", "else/d.png"]
    assert result.answers.tolist() == [0, -1, 1, 2, 2]  # x.png is the end of two answers
    assert "images matched by the end of their paths: 4 of 5" in result.notes


def test_an_exact_name_is_never_taken_by_another(tmp_path):
    names = pd.Series(["1/a.png", "2/a.png"])
    truth = ClassTable(tmp_path, names, pd.Series(["1", "2"]), pd.DataFrame(), "ans_name", "path")
    notes: list[str] = []
    assert match_by_file_name(truth, pd.Series(["a.png", "1/a.png"]), notes).names.tolist() == ["1/a.png", "a.png"]
    assert match_by_file_name(truth, pd.Series(["a.png"]), notes).names.tolist() == names.tolist()
    assert notes == ["images matched by the end of their paths: 1 of 2"]


def test_attributes_may_have_columns_of_their_own(matched, tmp_path):
    write(tmp_path / "truth" / "gt.csv", "ImageID,Size,articleType,site\na,9.5,shoe,x\nb,large,shirt,y\nc,10,shoe,x\n")
    result = matched(SHIRTS, "a,2", "b,1", "c,0")
    assert result.truth.tolist() == [2, 1, 3] and result.answers.tolist() == [2, 1, 0]
    assert result.metadata == {"site": ["x", "y", "x"]}


@pytest.mark.parametrize("location", ["truth", "truth/table.csv"])
def test_rows_without_an_optional_label_have_the_others(matched, tmp_path, location):
    kind, size = SHIRTS.attributes
    scheme = Scheme((kind, replace(size, optional=True)))
    write(tmp_path / "truth" / "table.csv", "ImageID,size,articleType\na,9,shoe\nb,,shirt\nc,10,shirt\n")
    result = matched(scheme, "a,2", "b,1", "c,0", truth=location)
    assert (result.names, result.truth.tolist()) == (["a", "b", "c"], [2, -1, 1])
    assert [result.truth_of(name).tolist() for name in ("kind", "size")] == [[1, 0, 0], [0, -1, 1]]
    note = "which are scored for these attributes: 1 (no size 1); images with labels for all attributes: 2"
    assert any(note in text for text in result.notes) and not any(
        "without a true label" in text for text in result.notes
    )
    assert result.metadata == {} and result.true_name(1) == "shirt/no label" and result.true_name(2) == "shirt/large"
    for row in ("b,,", "b,9,"):  # without kind, which is not optional
        write(tmp_path / "truth" / "table.csv", f"ImageID,size,articleType\na,9,shoe\n{row}\nc,,shirt\n")
        with pytest.raises(InputError, match=r"images without a true class \(1\):\n.*'b'"):
            matched(scheme, "a,2", "b,1", "c,0", truth=location)


def test_rows_of_a_channel_without_an_optional_label_have_the_others(matched, tmp_path):
    draw(tmp_path / "truth", "shirt_9.png", "shoe_.png")
    attributes = (
        Attribute("kind", ("shirt", "shoe"), (), pattern_column("kind"), pattern=LabelPattern("^([a-z]+)")),
        Attribute("size", ("9", "10"), (), pattern_column("size"), optional=True, pattern=LabelPattern("_([0-9]*)")),
    )
    result = matched(Scheme(attributes), "shirt_9.png,0", "shoe_.png,2")
    assert (result.names, result.truth.tolist()) == (["shirt_9.png", "shoe_.png"], [0, -1])
    assert [result.truth_of(name).tolist() for name in ("kind", "size")] == [[0, 1], [0, -1]]
    # a table of the same names, named as a file, needs no images and no column of classes
    write(tmp_path / "table.csv", "path,site\nshirt_9.png,x\nshoe_.png,y\n")
    named = matched(Scheme(attributes), "shirt_9.png,0", "shoe_.png,2", truth="table.csv")
    assert named.truth.tolist() == [0, -1] and named.metadata == {"site": ["x", "y"]}
    # alone, an attribute has no scores on images without its label
    alone = matched(Scheme(attributes[1:]), "shirt_9.png,0", "shoe_.png,1", truth="table.csv")
    assert (alone.names, alone.truth.tolist(), alone.truth_by_attribute) == (["shirt_9.png"], [0], {})
    assert "images that are not scored because they have no label (optional: size): 1" in alone.notes
    # labels that are parts of a column's texts
    texts = tuple(replace(one, pattern=replace(one.pattern, column="text")) for one in attributes)
    write(tmp_path / "table.csv", "path,text,ans\na,shoe_9,\nb,shirt_10,\n")
    with pytest.raises(InputError, match="images without a true class"):
        matched(Scheme(texts), "a,0", "b,0", truth="table.csv")
    write(tmp_path / "table.csv", "path,text\na,shoe_9\nb,shirt_10\n")
    assert matched(Scheme(texts), "a,0", "b,0", truth="table.csv").truth.tolist() == [2, 1]


def test_the_columns_of_attributes_that_training_writes_are_read_before_the_joint_class(matched, tmp_path):
    kind, size = SHIRTS.attributes
    scheme = Scheme((replace(kind, optional=True), replace(size, optional=True)))
    table = (
        "ImageID,ans,ans_name,ans_name_kind,ans_name_size,group\na,2,shoe/small,shoe,small,p\nb,,,shirt,,q\nc,,,,,q\n"
    )
    write(tmp_path / "truth" / "gt.csv", table)
    result = matched(scheme, "a,2", "b,1", "c,0", "d,0")
    assert (result.names, result.truth.tolist()) == (["a", "b"], [2, -1]) and result.metadata == {}
    assert result.group_names == ["p", "q"] and result.left_out == ["c", "d"]
    complete = result.complete
    assert (complete.names, complete.group_names, complete.groups.tolist()) == (["a"], ["p"], [0])
    assert complete.truth_by_attribute == {} and complete.complete is complete


def test_rows_that_the_rules_leave_out_are_counted(matched, tmp_path):
    kind, size = SHIRTS.attributes
    scheme = Scheme((replace(kind, rules=LabelRules(drop=("?",))), size))
    write(tmp_path / "truth" / "gt.csv", "ImageID,size,articleType\na,9,?\nb,10,shirt\nc,,?\n")
    result = matched(scheme, "b,1")
    assert result.names == ["b"]
    assert "images that are not scored because their label was dropped in training: 2 (kind 2)" in result.notes
    write(tmp_path / "truth" / "gt.csv", "ImageID,size,articleType\na,9,?\n")
    with pytest.raises(
        InputError, match=r"gt.csv has no rows to score; images that are not scored .* in training: 1 \(kind 1\)"
    ):
        matched(scheme, "b,1")


def test_true_labels_that_all_lack_an_attribute_are_an_error(matched, tmp_path):
    scheme = Scheme(tuple(replace(one, optional=True) for one in SHIRTS.attributes))
    write(tmp_path / "truth" / "gt.csv", "ImageID,size,articleType\na,9,\nb,,shirt\n")
    with pytest.raises(
        InputError, match=r"none of 2 images has labels for all attributes; number of labels: kind 1, size 1"
    ):
        matched(scheme, "a,2", "b,1")


def test_a_column_of_labels_may_be_that_of_the_groups(matched, tmp_path):
    write(tmp_path / "truth" / "gt.csv", "ImageID,size,articleType\na,9,shoe\nb,20,shirt\nc,9,shirt\n")
    result = matched(SHIRTS, "a,2", "b,1", "c,0", group_column="Size")
    assert (result.group_column, result.group_names, result.groups.tolist()) == ("size", ["9", "20"], [0, 1, 0])
    assert matched(SHIRTS, "a,2", "b,1", "c,0").metadata == {}


def test_an_attribute_may_have_the_name_of_the_column_of_classes(matched, tmp_path):
    scheme = Scheme((Attribute("label", ("shirt", "shoe")), Attribute("size", ("small", "large"))))
    write(tmp_path / "truth" / "gt.csv", "ImageID,label,size\na,shoe,small\nb,shirt,large\n")
    assert matched(scheme, "a,2", "b,1").truth.tolist() == [2, 1]


def test_unknown_values_of_attributes_are_reported_by_row(matched, tmp_path):
    write(tmp_path / "truth" / "gt.csv", "ImageID,size,articleType\na,9,shoes\nb,,shirt\nc,big,shoe\n")
    with pytest.raises(InputError) as caught:
        matched(SHIRTS, "a,2")
    message = str(caught.value)
    assert "gt.csv row 2: kind = 'shoes', expected shirt, shoe" in message and "gt.csv row 4: size = 'big'" in message
    assert "images without a true class" in message and "gt.csv row 3: 'b'" in message


@pytest.mark.parametrize("location", ["truth", "truth/mine.csv"])
def test_a_table_of_another_name_is_read_without_its_images(matched, tmp_path, location):
    write(tmp_path / "truth" / "legend.csv", "code,meaning\n1,one\n")
    for column in ("path", "File_Name"):
        write(tmp_path / "truth" / "mine.csv", f"{column},label,sender\na.png,cat,s\nb.png,1,t\n")
        result = matched(FOLDERS, "a.png,2", "b.png,0", truth=location)
        assert result.truth.tolist() == [2, 0] and result.group_names == ["s", "t"]


def test_one_of_several_tables_must_be_named(matched, tmp_path):
    for name in ("a.csv", "b.csv"):
        write(tmp_path / "truth" / name, "path,label\na.png,cat\n")
    with pytest.raises(
        InputError,
        match=r"has no gt.csv, but several tables: a.csv, b.csv; choose one, such as --ground_truth_dir .*/a.csv",
    ):
        matched(FOLDERS, "a.png,2")


def test_predictions_are_never_read_as_true_labels(matched, tmp_path):
    write(tmp_path / "out" / "predictions.csv", "ImageID,predicted\na,cat\n")
    write(tmp_path / "out" / "mine.csv", "ImageID,ans\na,2\n")
    write(tmp_path / "out" / "mine.probabilities.csv", "ImageID,1,2,cat\na,0,0,1\n")
    with pytest.raises(InputError, match=r"out/gt.csv: no such file; the folder has mine.csv, mine.prob"):
        matched(FOLDERS, "a,2", truth="out")


def test_profile_folders_are_true_labels_with_persons(matched, tmp_path, faces):
    (tmp_path / "truth").symlink_to(faces / "train")
    paths = [path.relative_to(faces / "train").as_posix() for path in (faces / "train").rglob("*.*")]
    channel = sorted(path for path in paths if path.startswith("images/"))
    result = matched(mask_scheme(), *(f"{name},0" for name in channel))
    assert sorted(result.names) == channel and result.group_column and len(result.group_names) == 24
    masks = mask_scheme().split(result.truth)["mask"].tolist()
    file_names = [name.rpartition("/")[2] for name in result.names]
    assert masks == [0 if name.startswith("mask") else 1 if name.startswith("incorrect") else 2 for name in file_names]


def test_a_list_has_true_labels(matched, tmp_path):
    draw(tmp_path / "truth", "a.png", "b.png")
    write(tmp_path / "truth" / "test.lst", "0\t1\ta.png\n1\t0\tb.png\n")
    scheme = Scheme((Attribute("label", ("0", "1")),))
    for location in ("truth", "truth/test.lst"):
        assert matched(scheme, "a.png,1", "b.png,1", truth=location).truth.tolist() == [1, 0]


def test_an_unknown_layout_and_an_unknown_class_are_problems(matched, tmp_path):
    write(tmp_path / "truth" / "notes.txt", "x")
    with pytest.raises(InputError, match="unknown layout"):
        matched(FOLDERS, "a,0")
    (tmp_path / "truth" / "notes.txt").unlink()
    draw(tmp_path / "truth", "1/a.png", "dog/b.png")
    with pytest.raises(InputError, match="label = 'dog', expected 1, 2, cat"):
        matched(FOLDERS, "1/a.png,0", "dog/b.png,0")


@pytest.mark.parametrize(("path", "expected"), [("none", "none/gt.csv"), ("truth/x.csv", "truth/x.csv")])
def test_a_missing_file_is_named(matched, tmp_path, path, expected):
    assert truth_location(tmp_path / path) == tmp_path / expected
    with pytest.raises(InputError, match=f"{expected}: no such file"):
        matched(FOLDERS, "a,0", truth=path)


def test_images_are_grouped_by_the_pattern_of_the_training(matched, tmp_path):
    draw(tmp_path / "truth", "1/p1_a.png", "1/p1_b.png", "cat/p2_a.png")
    answers = ("p1_a.png,0", "p1_b.png,0", "p2_a.png,1")
    member = {
        "name": "exp", "backbone": "x", "settings": {"group_pattern": "/(p[0-9])_"}, "source": "", "grouped_by": None,
        "train": {"pictures": 9, "groups": 9}, "validation": None, "scores": {}, "best_criterion": "f1",
        "finished": True, "epoch": 1, "epochs": 1, "seconds": 2.0, "hardware": "CPU", "versions": {},
    }  # fmt: skip
    made = {"made": {"model": "exp", "views": 1, "joined": "", "members": [member]}}
    result = matched(FOLDERS, *answers, made=made)
    assert result.names == ["p1_a.png", "p1_b.png", "p2_a.png"] and result.group_column == "group"
    assert (result.groups.tolist(), result.group_names) == ([0, 0, 1], ["p1", "p2"])
    assert "images are grouped by the model's group_pattern /(p[0-9])_" in result.notes
    # a table too, unless it has a column of groups
    write(tmp_path / "table.csv", "path,label\n1/p1_a.png,1\n1/p2_a.png,1\n")
    assert matched(FOLDERS, "1/p1_a.png,0", truth="table.csv", made=made).group_names == ["p1", "p2"]
    write(tmp_path / "table.csv", "path,label,person\n1/p1_a.png,1,x\n1/p2_a.png,1,x\n")
    assert matched(FOLDERS, "1/p1_a.png,0", truth="table.csv", made=made).group_names == ["x"]
    # images of other names have no groups, nor do those that the pattern of a spoilt labels.json cannot match
    write(tmp_path / "table.csv", "path,label\n1/p1_a.png,1\n1/other.png,1\n")
    none = matched(FOLDERS, "1/p1_a.png,0", truth="table.csv", made=made)
    assert none.groups is None and none.group_column is None
    assert "no groups: 1 of 2 image names do not match the model's group_pattern /(p[0-9])_" in none.notes
    for spoilt in ("(", "no group", 7):
        member["settings"]["group_pattern"] = spoilt
        assert matched(FOLDERS, "1/p1_a.png,0", truth="table.csv", made=made).groups is None
