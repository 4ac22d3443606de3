"""Answers as they are written, batch by batch."""

import json

import numpy as np
import pandas as pd
import pytest

from model.answers.write import Answers, write_answers
from model.attributes import Attribute
from model.decisions import Decision
from model.errors import InputError
from model.labels import Scheme

SCHEME = Scheme((Attribute("kind", ("cat", "dog", "owl")),))
BATCHES = [
    Answers(np.array([0, 2]), np.float32([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]]), {1: "no such file"}),
    Answers(np.array([3]), np.float32([[0, 0, 1]]), {}),
]


@pytest.fixture
def write(tmp_path):
    """Writes the batches of four images; returns the number that had no answer."""

    def written(
        info: dict[str, list[str]],
        name_column: str = "ImageID",
        name: str = "output",
        batches=BATCHES,
        decision: Decision = Decision(),
    ) -> int:
        probabilities = "probabilities.csv" if name == "output" else f"{name}.probabilities.csv"
        files = (tmp_path / f"{name}.csv", tmp_path / probabilities)
        return write_answers(iter(batches), pd.DataFrame(info), name_column, SCHEME.to_dict(), *files, decision)

    return written


def lines(tmp_path, name: str) -> list[str]:
    return (tmp_path / name).read_text(encoding="utf-8").splitlines()


def test_the_class_is_that_of_the_decision_and_the_probabilities_stay(write, tmp_path):
    write({"ImageID": ["a", "b", "c", "d"]}, decision=Decision(biases=(0.0, 0.0, 1.5)))
    assert lines(tmp_path, "output.csv") == ["ImageID,ans", "a,2", "b,", "c,2", "d,2"]
    assert lines(tmp_path, "probabilities.csv")[1] == "a,0.1,0.7,0.2"


def test_each_row_has_its_class_its_probabilities_or_a_reason(write, tmp_path):
    info = {"ImageID": ["a", "b", "c", "d"], "note": ["w", "x", "착용", "z,z"]}
    assert write(info) == 1
    assert lines(tmp_path, "output.csv") == ["ImageID,note,ans", "a,w,1", "b,x,", "c,착용,0", 'd,"z,z",2']
    assert lines(tmp_path, "probabilities.csv") == [
        "ImageID,cat,dog,owl", "a,0.1,0.7,0.2", "b,,,", "c,0.5,0.25,0.25", "d,0,0,1",
    ]  # fmt: skip
    assert lines(tmp_path, "errors.csv") == ["ImageID,error", "b,no such file"]
    assert lines(tmp_path, "predictions.csv") == [
        "\ufeffImageID,predicted,probability,second,second_probability,third,third_probability,error",
        "a,dog,0.7000,owl,0.2000,cat,0.1000,",
        "b,,,,,,,no such file",
        "c,cat,0.5000,dog,0.2500,owl,0.2500,",
        "d,owl,1.0000,cat,0.0000,dog,0.0000,",
    ]
    assert json.loads((tmp_path / "labels.json").read_text()) == SCHEME.to_dict()


def test_an_existing_column_of_predictions_keeps_its_position_and_name(write, tmp_path):
    info = {"Ans": ["0"] * 4, "ImageID": ["a", "b", "c", "d"]}
    write(info)
    assert lines(tmp_path, "output.csv") == ["Ans,ImageID", "1,a", ",b", "0,c", "2,d"]
    assert info["Ans"] == ["0"] * 4


def test_image_name_has_names_and_y_pred_only(write, tmp_path):
    write({"category": ["x"] * 4, "image_name": ["a", "b", "c", "d"], "ans": ["0"] * 4}, "image_name")
    assert lines(tmp_path, "output.csv") == ["image_name,y_pred", "a,1", "b,", "c,0", "d,2"]


def test_errors_of_an_earlier_inference_are_removed(write, tmp_path):
    write({"ImageID": ["a", "b", "c", "d"]})
    assert (tmp_path / "errors.csv").is_file()
    assert write({"ImageID": ["a"]}, batches=[Answers(np.array([0]), np.float32([[1, 0, 0]]), {})]) == 0
    assert not (tmp_path / "errors.csv").exists()


def test_stem_csv_has_stem_predictions_csv(write, tmp_path):
    write({"image_name": ["a", "b", "c", "d"]}, "image_name", name="photos")
    assert lines(tmp_path, "photos.predictions.csv")[1].startswith("a,dog,")
    assert lines(tmp_path, "photos.csv")[1] == "a,1"
    assert not (tmp_path / "predictions.csv").exists()


def test_nothing_takes_its_name_before_the_last_batch(write, tmp_path):
    def cut():
        yield BATCHES[0]
        parts = sorted(path.name.split(".")[1] for path in tmp_path.iterdir())
        assert parts == ["output", "predictions", "probabilities"]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write({"ImageID": ["a", "b", "c", "d"]}, batches=cut())
    assert not list(tmp_path.iterdir())


def test_temporary_files_of_a_killed_process_are_removed(write, tmp_path):
    for name in (".output.csv.7.part", ".probabilities.csv.7.part", ".predictions.csv.7.part", ".other.csv.7.part"):
        (tmp_path / name).touch()
    write({"ImageID": ["a", "b", "c", "d"]})
    assert [path.name for path in tmp_path.glob(".*")] == [".other.csv.7.part"]


def test_a_lone_carriage_return_is_quoted(write, tmp_path):
    write({"ImageID": ["a\rb", "c", "d", "e"], "note": ["x", "y\rz", "", ""]})
    assert (tmp_path / "output.csv").read_bytes().startswith(b'ImageID,note,ans\n"a\rb",x,1\nc,"y\rz",\nd,,0\n')
    assert b'\n"a\rb",0.1,' in (tmp_path / "probabilities.csv").read_bytes()


def test_the_image_column_is_renamed_if_a_class_has_its_name(write, tmp_path, caplog):
    write({"cat": ["a", "b", "c", "d"]}, "cat")
    assert lines(tmp_path, "probabilities.csv")[0] == "ImageID,cat,dog,owl"
    assert lines(tmp_path, "output.csv")[0] == "cat,ans"
    message = "because a class is called cat, the image column in probabilities.csv is called ImageID instead"
    assert caplog.messages == [message]


def test_classes_with_all_names_of_the_images_column_are_an_error_before_anything_is_written(
    write, tmp_path, monkeypatch
):
    monkeypatch.setattr("model.answers.write.PICTURE_COLUMNS", ("cat", "dog"))
    with pytest.raises(InputError, match=r"cannot be named: all possible names \(cat, dog"):
        write({"owl": ["a", "b", "c", "d"]}, "owl")
    assert not list(tmp_path.iterdir())


def test_another_name_of_the_image_column_is_written_to_labels_json(write, tmp_path):
    info = ["a", "b", "c", "d"]
    write({"file": info}, "file")
    assert json.loads((tmp_path / "labels.json").read_text()) == {**SCHEME.to_dict(), "picture_column": "file"}
    write({"file": info}, "file", name="other")
    assert json.loads((tmp_path / "other.labels.json").read_text())["picture_column"] == "file"
    write({"imageid": info}, "imageid")
    assert json.loads((tmp_path / "labels.json").read_text()) == SCHEME.to_dict()
