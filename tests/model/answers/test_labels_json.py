"""labels.json: what is read from one, and which one is written."""

import json

import pytest

from model.answers.labels_json import LabelsJson, write_labels
from model.attributes import Attribute
from model.errors import Problems
from model.labels import Scheme, mask_scheme

SCHEME = Scheme((Attribute("kind", ("cat", "dog")),))
LABELS = SCHEME.to_dict() | {"made": {"model": "exp"}}


@pytest.fixture
def read(tmp_path):
    def of(content: object) -> LabelsJson:
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "labels.json").write_text(text, encoding="utf-8-sig")
        return LabelsJson.read(tmp_path / "labels.json")

    return of


def test_the_file_is_opened_once(read, tmp_path):
    labels = read(SCHEME.to_dict() | {"channel": mask_scheme().to_dict()})
    (tmp_path / "labels.json").unlink()
    problems, notes = Problems("labels"), []
    assert labels.scheme(problems) == SCHEME and labels.channel_scheme() == mask_scheme()
    assert labels.provenance(notes) is None and not problems and not notes


@pytest.mark.parametrize(
    ("content", "held_out"), [({"held_out": "validation"}, "validation"), ({"held_out": 3}, ""), ({}, ""), ("[]", "")]
)
def test_held_out_names_the_images_of_a_training(read, content, held_out):
    assert read(content).held_out() == held_out


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "labels.json is not JSON: "), ("[]", "labels.json: invalid label scheme"), ("{}", "invalid label scheme")],
)
def test_a_scheme_that_cannot_be_read_is_a_problem(read, content, message):
    problems = Problems("labels")
    labels = read(content)
    assert labels.scheme(problems) is None and message in str(problems) and labels.channel_scheme() is None


def test_a_missing_file_is_a_problem(tmp_path):
    problems = Problems("labels")
    assert LabelsJson.read(tmp_path / "labels.json").scheme(problems) is None
    assert "labels.json: No such file or directory" in str(problems)


@pytest.mark.parametrize("content", ["{", "[]", {"made": {"model": "exp"}}])
def test_a_provenance_that_cannot_be_read_is_a_note(read, content):
    notes: list[str] = []
    assert read(content).provenance(notes) is None
    assert len(notes) == 1 and notes[0].startswith("the report does not say how the model was trained: labels.json: ")


def written(folder) -> dict[str, dict]:
    return {path.name: json.loads(path.read_text()) for path in folder.glob("*labels.json")}


def test_predictions_in_stem_csv_have_stem_labels_json_and_share_labels_json(tmp_path):
    write_labels(tmp_path / "a.csv", LABELS)
    assert written(tmp_path) == {"a.labels.json": LABELS, "labels.json": SCHEME.to_dict()}
    write_labels(tmp_path / "output.csv", LABELS | {"made": {"model": "other"}})
    write_labels(tmp_path / "a.csv", LABELS)
    assert written(tmp_path) == {"a.labels.json": LABELS, "labels.json": LABELS | {"made": {"model": "other"}}}


def test_shared_labels_of_other_classes_are_replaced(tmp_path):
    for before in ("{", json.dumps(mask_scheme().to_dict())):
        (tmp_path / "labels.json").write_text(before)
        write_labels(tmp_path / "a.csv", LABELS)
        assert written(tmp_path)["labels.json"] == SCHEME.to_dict()


def test_labels_json_of_a_saved_model_is_not_changed(tmp_path):
    for name in ("model.safetensors", "settings.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "labels.json").write_text('{"heads": []}')
    write_labels(tmp_path / "output.csv", LABELS)
    write_labels(tmp_path / "a.csv", LABELS)
    assert written(tmp_path) == {"a.labels.json": LABELS, "labels.json": {"heads": []}}


@pytest.mark.parametrize(
    ("column", "remembered"), [("ImageID", None), ("imageid", None), ("Path", "Path"), ("file", "file")]
)
def test_the_column_of_images_is_remembered_as_a_table_may_have_several(tmp_path, column, remembered):
    write_labels(tmp_path / "output.csv", LABELS, column)
    result = LabelsJson.read(tmp_path / "labels.json")
    assert result.picture_column() == remembered and result.scheme(Problems("labels")) == SCHEME


def test_the_image_column_is_written_for_predictions_only(tmp_path):
    write_labels(tmp_path / "a.csv", LABELS, "file")
    assert "picture_column" not in written(tmp_path)["labels.json"]
    assert written(tmp_path)["a.labels.json"]["picture_column"] == "file"


@pytest.mark.parametrize("content", ["{", "[]", {"picture_column": 3}, {}])
def test_labels_json_without_an_image_column_gives_none(read, content):
    assert read(content).picture_column() is None
