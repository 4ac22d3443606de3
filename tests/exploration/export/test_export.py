"""`python -m exploration export`: what it writes is read again by training, or has the form that another tool reads."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from exploration.__main__ import main
from model.data.channel import ChannelOptions, read_channel
from model.data.table import Table
from model.errors import Problems
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings

HEADER = "path,group,attribute,action,value,given\n"


def table_of(root: Path, **options: object) -> Table:
    problems = Problems("channel")
    table = read_channel(root, problems, ChannelOptions(**options))
    assert table is not None and not problems, str(problems)
    return table


@pytest.fixture(scope="module")
def corrected(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Table]:
    """A channel of faces, a log of corrections, and the corrected table."""
    root = faces / "train"
    table = table_of(root)
    groups, paths = list(dict.fromkeys(table.groups)), table.locations.paths
    log = tmp_path_factory.mktemp("log") / "corrections.csv"
    rows = [f",{groups[0]},gender,relabel,{'male' if table.labels.gender[0] else 'female'},"]
    rows += [f",{groups[1]},age,relabel,77,", f",{groups[2]},,delete,,", f"{paths[-1]},,mask,relabel,none,"]
    log.write_text(HEADER + "\n".join(rows) + "\n")
    return root, log, table_of(root, corrections=str(log))


def suspects_csv(folder: Path, table: Table) -> Path:
    """Two suspects of a table: an image's mask and a group's gender; and one of an image that is not there."""
    path = folder / "suspects.csv"
    rows = [
        [table.locations.paths[0], "", "mask", "image", "worn", "none", "0.75", "", "[]"],
        [table.locations.paths[7], table.groups[7], "gender", "group", "male", "female", "0.5", "", "[]"],
        ["gone.jpg", "", "mask", "image", "worn", "none", "0.9", "", "[]"],
    ]
    with open(path, "w", newline="") as file:
        columns = ["path", "group", "attribute", "level", "given", "suggested", "score", "reason", "neighbours"]
        csv.writer(file).writerows([columns, *rows])
    return path


def export(root: Path, output: Path, *flags: str) -> int:
    cache = str(root.parent / ".checked")
    return main(["export", str(root), "--output", str(output), "--cache", cache, *flags])


def test_training_reads_the_corrected_labels_from_the_csv(
    corrected: tuple[Path, Path, Table], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, log, table = corrected
    copy = shutil.copytree(root, tmp_path / "channel")
    assert export(copy, copy / "clean.csv", "--corrections", str(log)) == 0
    again = table_of(copy, table="clean.csv")
    with open(copy / "clean.csv", newline="") as file:
        header, *rows = csv.reader(file)
    by_path = again.frame().set_index("path")
    expected = table.frame().set_index("path")
    columns = ["group", "mask", "gender", "age", "age_number"]
    pd.testing.assert_frame_equal(by_path.loc[expected.index, columns], expected[columns])
    assert len(again) == len(table) and again.grouped_by == table.grouped_by and again.scheme == table.scheme
    assert header[:6] == ["path", "class", table.grouped_by, "mask", "gender", "age"]
    names = dict(zip(table.locations.paths, (table.scheme.class_names[code] for code in table.classes())))
    assert {row[0]: row[1] for row in rows} == names
    assert "77" in {row[5] for row in rows}
    assert "--table clean.csv" in capsys.readouterr().out


def channel_of(folder: Path, header: str, *rows: str) -> Path:
    from PIL import Image

    folder.mkdir()
    for number in range(len(rows)):
        Image.new("RGB", (8, 8), (number * 20, 0, 0)).save(folder / f"{number}.png")
    lines = [header, *(f"{number}.png,{row}" for number, row in enumerate(rows))]
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_the_printed_command_reads_the_same_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = channel_of(tmp_path / "c", "path,kind,weight,farm", "top,3,x", "bottom,5.5,x", "top,heavy,y")
    attributes = "{kind: {}, weight: {cuts: [2, 5], names: [light, medium, heavy]}}"
    flags = ["--attributes", attributes, "--group_column", "farm", "--table", "train.csv"]
    (root / "fixes.csv").write_text(HEADER + "0.png,,kind,relabel,bottom,top\n2.png,,weight,relabel,7,\n")
    assert export(root, root / "clean.csv", *flags, "--corrections", "fixes.csv") == 0
    command = shlex.split(capsys.readouterr().out.split("to train with it: ")[1])
    assert command[:4] == ["python", "train.py", "--train_dir", str(root)]
    settings = build(TrainSettings, [Layer("{}", dict(zip([n[2:] for n in command[4::2]], command[5::2])))])
    again = table_of(root, **{n: getattr(settings, n) for n in ("attributes", "group_column", "table")})
    assert again.labels.kind.tolist() == [0, 0, 1]
    assert again.numbers.weight.tolist() == [3, 5.5, 7] and again.labels.weight.tolist() == [1, 2, 2]
    assert again.groups.tolist() == ["x", "x", "y"]


def test_an_only_attribute_is_the_class(tmp_path: Path) -> None:
    root = channel_of(tmp_path / "c", "path,label,shop", "a,x", "b,y", "a,x")
    assert export(root, root / "clean.csv") == 0
    assert (root / "clean.csv").read_text() == "path,class,shop\n0.png,a,x\n1.png,b,y\n2.png,a,x\n"
    assert table_of(root, table="clean.csv").labels.label.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("attributes", "rows"),
    [
        ({"years": {"cuts": [30, 60]}}, ["20,a", "45.5,a", "70,b"]),
        ({"years": {"cuts": [30.5], "names": ["young", "old"]}}, ["20,a", "45.123456789,a"]),
        ({"years": {"values": ["top", "bottom", "none, or unknown"]}}, ["bottom,a", "top,a", "top,b"]),
        ({"years": {"optional": True}, "kind": {"values": ["b", "a"]}}, ["1,a", ",b", "2,a"]),
        ({"class": {}, "kind": {}}, ["1,a", "2,b"]),
    ],
    ids=["number", "names of bands", "order of classes", "optional", "an attribute called class"],
)
def test_the_printed_command_keeps_numbers_and_classes(
    tmp_path: Path, attributes: dict[str, object], rows: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    root = channel_of(tmp_path / "c", f"path,{next(iter(attributes))},kind", *rows)
    before = table_of(root, attributes=attributes)
    flags = ["--attributes", json.dumps(attributes)]
    assert export(root, root / "clean.csv", *flags) == 0
    command = shlex.split(capsys.readouterr().out.split("to train with it: ")[1])
    settings = build(TrainSettings, [Layer("{}", dict(zip([n[2:] for n in command[4::2]], command[5::2])))])
    again = table_of(root, table="clean.csv", attributes=settings.attributes)
    values = [[(one.name, one.values, one.cuts) for one in table.scheme.attributes] for table in (before, again)]
    assert values[0] == values[1]
    pd.testing.assert_frame_equal(again.labels, before.labels)
    pd.testing.assert_frame_equal(again.numbers, before.numbers)


def test_other_tools_get_the_numbers_of_an_only_attribute(tmp_path: Path) -> None:
    root = channel_of(tmp_path / "c", "path,years", "20", "45.5")
    flags = ["--attributes", json.dumps({"years": {"cuts": [30, 60]}})]
    assert export(root, tmp_path / "fiftyone.json", "--format", "fiftyone", *flags) == 0
    labels = json.loads((tmp_path / "fiftyone.json").read_text())["labels"]
    assert labels["1"] == {"label": "30 to 59", "attributes": {"years": "45.5"}}
    assert export(root, tmp_path / "lightly.json", "--format", "lightly", *flags) == 0
    images = json.loads((tmp_path / "lightly.json").read_text())["images"]
    assert images["1.png"]["annotations"] == {"channel": [{"class_name": "years 45.5"}]}


def test_the_table_of_the_channel_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = channel_of(tmp_path / "c", "path,label", "a", "b", "a")
    before = (root / "train.csv").read_bytes()
    assert export(root, root / "train.csv") == 2
    assert "the labels were read from this file" in capsys.readouterr().err
    link = tmp_path / "link"
    link.symlink_to(root)
    for channel, output in ((root, link / "train.csv"), (link, root / "train.csv"), (root, root / "../c/train.csv")):
        assert export(channel, output) == 2
    assert (root / "train.csv").read_bytes() == before
    assert export(root, root / "clean.csv") == export(root, root / "clean.csv", "--table", "train.csv") == 0
    assert export(root, root / "clean.csv", "--table", "clean.csv") == 2


def test_suspects_are_columns_of_the_csv(
    corrected: tuple[Path, Path, Table], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, log, table = corrected
    suspects = suspects_csv(tmp_path, table)
    assert export(root, tmp_path / "clean.csv", "--corrections", str(log), "--suspects", str(suspects)) == 0
    frame = pd.read_csv(tmp_path / "clean.csv", dtype=str, keep_default_na=False)
    assert frame.mask_suspicion.tolist() == ["0.75"] + [""] * (len(table) - 1)
    assert f"to train with it: copy it into {root}, then python train.py" in capsys.readouterr().out
    of_group = frame.path[frame.gender_suggested == "female"].tolist()
    assert of_group == [path for path, group in zip(table.locations.paths, table.groups) if group == table.groups[7]]


def test_fiftyone_gets_the_joint_class_and_attributes(corrected: tuple[Path, Path, Table], tmp_path: Path) -> None:
    root, log, table = corrected
    flags = ["--corrections", str(log), "--format", "fiftyone", "--suspects", str(suspects_csv(tmp_path, table))]
    assert export(root, tmp_path / "labels.json", *flags) == 0
    content = json.loads((tmp_path / "labels.json").read_text())
    assert content.keys() == {"labels"} and len(content["labels"]) == len(table)
    first = content["labels"][table.locations.paths[0].rsplit(".", 1)[0]]
    assert first["label"] == table.scheme.class_names[table.classes()[0]]
    expected = {"group": table.groups[0], "mask_suspicion": 0.75, "mask_suggested": "none"}
    assert expected.items() <= first["attributes"].items()
    assert first["attributes"]["gender"] == table.scheme.attribute("gender").values[table.labels.gender[0]]


def test_fiftyone_cannot_tell_images_apart_that_differ_only_in_their_extension(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = channel_of(tmp_path / "c", "path,label", "a", "b")
    (root / "0.jpg").write_bytes((root / "0.png").read_bytes())
    (root / "train.csv").write_text("path,label\n0.png,a\n0.jpg,b\n1.png,b\n")
    assert export(root, tmp_path / "labels.json", "--format", "fiftyone") == 2
    assert "0.jpg and 0.png; FiftyOne names images without their extension" in capsys.readouterr().err
    assert not (tmp_path / "labels.json").exists()


def test_label_studio_gets_tasks_with_labels_and_suggestions(
    corrected: tuple[Path, Path, Table], tmp_path: Path
) -> None:
    root, log, table = corrected
    flags = ["--corrections", str(log), "--format", "labelstudio", "--suspects", str(suspects_csv(tmp_path, table))]
    assert export(root, tmp_path / "tasks.json", *flags) == 0
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert len(tasks) == len(table)
    assert tasks[0]["data"]["image"] == f"/data/local-files/?d=train/{table.locations.paths[0]}"
    results = {one["from_name"]: (one["type"], one["value"]) for one in tasks[0]["annotations"][0]["result"]}
    gender = table.scheme.attribute("gender").values[table.labels.gender[0]]
    assert results["gender"] == ("choices", {"choices": [gender]})
    assert results["age"] == ("number", {"number": table.numbers.age[0]})
    (prediction,) = tasks[0]["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("suspects", 0.75)
    assert prediction["result"][0]["value"] == {"choices": ["none"]}
    assert "predictions" not in tasks[1]
    interface = (tmp_path / "tasks.xml").read_text()
    assert '<Image name="image" value="$image"/>' in interface and '<Number name="age" toName="image"/>' in interface
    assert '<Choices name="gender" toName="image" choice="single">\n    <Choice value="male"/>' in interface


def test_lightly_gets_classes_and_metadata_by_path(corrected: tuple[Path, Path, Table], tmp_path: Path) -> None:
    root, log, table = corrected
    flags = ["--corrections", str(log), "--format", "lightly", "--suspects", str(suspects_csv(tmp_path, table))]
    assert export(root, tmp_path / "lightly.json", *flags) == 0
    content = json.loads((tmp_path / "lightly.json").read_text())
    assert content["images_path"] == str(root) and list(content["images"]) == table.locations.paths
    first = content["images"][table.locations.paths[0]]
    assert {"class_name": f"age {table.numbers.age[0]:g}"} in first["annotations"]["channel"]
    assert first["annotations"]["suspects"] == [{"class_name": "mask none", "confidence": 0.75}]
    assert first["metadata"]["group"] == table.groups[0]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "no output; set the file to write, as in --output clean.csv"),
        (["--output", "x.json"], "format csv is a file with the extension .csv"),
        (["--output", "/proc/none/x.csv"], "output /proc/none/x.csv: cannot be written: No such file or directory"),
        (["--output", "x.csv", "--suspects", "none.csv"], "none.csv: No such file or directory"),
        (["--output", "x.csv", "--corrections", "none.csv"], "none.csv: No such file or directory"),
    ],
)
def test_invalid_settings(
    faces: Path, tmp_path: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(faces / "train"), "--cache", str(tmp_path), *flags]) == 2
    assert message in capsys.readouterr().err
