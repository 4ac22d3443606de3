"""Corrections of the true labels of an evaluation, in tables and channels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import evaluation
from model.attributes import Attribute, banded
from model.errors import InputError
from model.evaluation.answer_tables import TruthReading
from model.evaluation.matching import match_answers
from model.labels import Scheme
from tests.model.evaluation.conftest import KOREAN, write

HEADER = "path,group,attribute,action,value,given\n"
FACES = Scheme((Attribute("gender", ("male", "female")), banded("age", (30, 60))))


@pytest.fixture
def matched(files, tmp_path):
    """Matches a gt.csv with answers, with the rows of a log."""

    def match(truth: str, answers: str, log: str, scheme: Scheme = FACES, **options):
        (tmp_path / "fixes.csv").write_text(HEADER + log, encoding="utf-8")
        reading = TruthReading(corrections=str(tmp_path / "fixes.csv"))
        return match_answers(*files(truth, answers, scheme), reading=reading, **options)

    return match


TRUTH = "ImageID,ans,person\na.jpg,0,p0\nb.jpg,1,p0\nc.jpg,5,p1\nd.jpg,3,p2\n"
ANSWERS = "ImageID,ans\na.jpg,0\nb.jpg,1\nc.jpg,5\nd.jpg,3\n"


def test_one_attribute_changes_the_joint_class_of_images_and_groups(matched):
    log = "c.jpg,,age,relabel,25,63\n,p0,gender,relabel,female,male\nd.jpg,,,delete,,\nd.jpg,,age,marked,,\n"
    result = matched(TRUTH, ANSWERS, log)
    assert result.names == ["a.jpg", "b.jpg", "c.jpg"]
    assert [FACES.class_names[code] for code in result.truth] == [
        "female/under 30",
        "female/30 to 59",
        "female/under 30",
    ]
    assert result.groups.tolist() == [0, 0, 1] and result.metadata == {}
    assert result.corrected.relabelled == {"gender": 2, "age": 1}
    assert any(
        note.startswith("true labels were corrected: fixes.csv (") and "changed 3 labels (gender 2, age 1)" in note
        for note in result.notes
    )
    assert "1 row without a decision (marked or unsure) changed nothing" in result.notes


def test_names_are_found_in_other_spellings_and_other_images_are_a_note(matched):
    log = "images/a.JPG,,gender,relabel,female,\ngt/b.jpg,,gender,relabel,female,\nelse.jpg,,gender,relabel,male,\n"
    result = matched(TRUTH, ANSWERS, log)
    assert result.truth.tolist() == [3, 4, 5, 3]
    (note,) = [note for note in result.notes if "do not have" in note]
    assert note.startswith("1 of 3 corrections are for images or groups that the true labels do not have (line 4")
    assert matched(TRUTH, ANSWERS, "else.jpg,,gender,relabel,male,\n").truth.tolist() == [0, 1, 5, 3]


def test_columns_of_attributes_and_missing_labels(matched):
    scheme = Scheme((Attribute("gender", ("male", "female"), optional=True), Attribute("mask", ("on", "off"))))
    truth = "ImageID,gender,mask\na,male,on\nb,,off\nc,,on\n"
    result = matched(
        truth, "ImageID,ans\na,0\nb,1\nc,2\n", "b,,gender,relabel,female,\na,,mask,relabel,off,on\n", scheme
    )
    assert result.truth.tolist() == [1, 3, -1]
    assert {name: codes.tolist() for name, codes in result.truth_by_attribute.items()} == {
        "gender": [0, 1, -1],
        "mask": [1, 1, 0],
    }


def test_attributes_that_the_model_does_not_predict_change_nothing(matched):
    result = matched(
        "ImageID,ans\na,0\nb,1\n", "ImageID,ans\na,0\nb,1\n", "a,,shop,relabel,x,\nb,,tag,relabel,착용샷,\n", KOREAN
    )
    assert result.truth.tolist() == [0, 0]
    assert "1 row for attributes that are not used changed nothing" in result.notes


def test_combinations_that_only_corrections_have_are_classes(matched):
    values = tuple(f"v{number}" for number in range(40))
    scheme = Scheme((Attribute("a", values), Attribute("b", values)), combinations=(0, 41))
    result = matched("ImageID,ans\nx,0\ny,1\n", "ImageID,ans\nx,0\ny,1\n", "x,,b,relabel,v3,v0\n", scheme)
    assert [result.scheme.class_names[code] for code in result.truth] == ["v0/v3", "v1/v1"]


def test_unknown_values_are_reported_with_the_other_errors(matched):
    with pytest.raises(InputError) as error:
        matched(TRUTH.replace("a.jpg,0", "a.jpg,99"), ANSWERS, "b.jpg,,gender,relabel,femal,\n")
    assert "'99'" in str(error.value) and "line 2: gender = 'femal', expected male, female; nearest: female" in str(
        error.value
    )


def test_a_channel_of_images_is_corrected(tmp_path: Path):
    from PIL import Image

    scheme = Scheme((Attribute("label", ("cat", "dog")),))
    for name in ("cat/1.png", "cat/2.png", "dog/3.png"):
        (tmp_path / "truth" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "truth" / name)
    (tmp_path / "truth" / "corrections.csv").write_text(HEADER + "cat/2.png,,label,relabel,dog,cat\n")
    write(tmp_path / "out" / "labels.json", json.dumps(scheme.to_dict()))
    answers = write(tmp_path / "out" / "output.csv", "ImageID,ans\n1.png,0\n2.png,1\n3.png,1\n")
    reading = TruthReading(corrections="corrections.csv")  # next to the true labels
    assert match_answers(tmp_path / "truth", answers, reading=reading).truth.tolist() == [0, 1, 1]


def test_the_job_writes_counts_and_a_note(files, tmp_path, capsys):
    truth, answers = files(TRUTH, ANSWERS, FACES)
    (tmp_path / "fixes.csv").write_text(HEADER + "a.jpg,,gender,relabel,female,male\n")
    flags = ["--ground_truth_dir", str(truth.parent), "--answers", str(answers), "--output", str(tmp_path / "scores")]
    assert evaluation.main([*flags, "--resamples", "0", "--corrections", str(tmp_path / "fixes.csv")]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 0.75
    content = json.loads((tmp_path / "scores" / "evaluation.json").read_text())["rarebird"]
    assert content["corrections"]["relabelled"] == {"gender": 1}
    assert any("true labels were corrected: fixes.csv (" in note for note in content["notes"])
    assert "true labels were corrected: fixes.csv" in (tmp_path / "scores" / "report.html").read_text()
