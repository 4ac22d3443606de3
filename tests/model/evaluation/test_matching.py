import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from model.attributes import Attribute
from model.errors import InputError
from model.evaluation.answer_tables import TruthReading
from model.evaluation.matching import match_answers
from model.labels import Scheme, mask_scheme
from tests.model.evaluation.conftest import KOREAN, write


def test_rows_are_matched_by_name_and_not_by_order(files):
    matched = match_answers(*files("ImageID,ans\nc,2\na,0\nb,1\n", "ImageID,ans\na,0\nb,2\nc,1\n"))
    assert matched.names == ["c", "a", "b"]
    assert matched.truth.tolist() == [2, 0, 1]
    assert matched.answers.tolist() == [1, 0, 2]


@pytest.mark.parametrize("picture", ["ImageID", "image_name", "path"])
@pytest.mark.parametrize("answer", ["ans", "y_pred", "label"])
def test_columns_go_by_their_known_names(files, picture, answer):
    matched = match_answers(*files(f"extra,{picture},{answer}\nx,a,1\n", f"{answer},{picture}\n착용샷,a\n"))
    assert (matched.truth.tolist(), matched.answers.tolist()) == ([1], [0])


def test_classes_may_be_names_or_numbers_and_a_spreadsheets_numbers(files):
    matched = match_answers(
        *files("ImageID,ans\na,2\nb,1\nc,2.0\n", "ImageID,ans\na,미분류\nb,설치후배치컷\nc,미분류\n")
    )
    assert matched.truth.tolist() == matched.answers.tolist() == [2, 1, 2]


def test_numeric_class_names_are_read_as_numbers_in_predictions_and_as_names_in_true_labels(files):
    """Class folders called 1, 2 and 3 are classes 0, 1 and 2, and inference writes 0, 1 and 2."""
    folders = Scheme((Attribute("label", ("1", "2", "3")),))
    matched = match_answers(*files("ImageID,ans\na,1\nb,3\n", "ImageID,ans\na,0\nb,2\n", folders))
    assert matched.truth.tolist() == matched.answers.tolist() == [0, 2]


def test_byte_order_mark_blank_lines_and_spaces_are_read_silently(files):
    matched = match_answers(
        *files("\ufeff\n\nImageID , ans\n a ,0\n\n,\n   \nb, 1\n", "\ufeffImageID,ans\r\na,0\r\n\r\nb,1\r\n")
    )
    assert matched.names == ["a", "b"]
    assert matched.answers.tolist() == [0, 1]
    assert [note for note in matched.notes if "calibration" not in note] == []


def test_image_names_are_always_text(files):
    names = ["NA", "001", "1", "1.0", "None", "nan", "1e3"]
    table = "ImageID,ans\n" + "".join(f"{name},1\n" for name in names)
    matched = match_answers(*files(table, table))
    assert matched.names == names
    assert matched.answers.tolist() == [1] * len(names)


def test_a_name_is_found_in_either_unicode_form(files):
    decomposed = unicodedata.normalize("NFD", "사진.jpg")
    assert decomposed != "사진.jpg"
    matched = match_answers(*files("ImageID,ans\n사진.jpg,0\n", f"ImageID,ans\n{decomposed},{KOREAN.class_names[0]}\n"))
    assert matched.answers.tolist() == [0]


def test_missing_predictions_are_minus_one_and_predictions_without_a_true_label_are_dropped(files):
    matched = match_answers(*files("ImageID,ans\na,0\nb,1\nc,2\n", "ImageID,ans\nz,0\nc,\na,0\n"))
    assert matched.answers.tolist() == [0, -1, -1]
    assert matched.unanswered == ["b", "c"]
    assert matched.left_out == ["z"]
    message = "\n".join(matched.notes)
    assert "no row" in message and "1 of 3 (b)" in message
    assert "no prediction in" in message and "1 of 3 (c)" in message
    assert "predictions without a true label, which are not scored: 1 (z)" in message


def test_a_table_of_predictions_without_rows_makes_all_images_wrong(files):
    assert match_answers(*files("ImageID,ans\na,0\n", "ImageID,ans\n")).answers.tolist() == [-1]


@pytest.mark.parametrize("column", ["group", "person", "sender", "people_path"])
def test_groups_are_found_by_the_columns_name(files, column):
    truth, answers = files(f"ImageID,ans,{column}\na,0,p\nb,0,q\nc,1,p\n", "ImageID,ans\na,0\n")
    matched = match_answers(truth, answers)
    assert matched.group_column == column
    assert matched.groups.tolist() == [0, 1, 0]


def test_the_group_column_is_set_by_a_flag_and_images_without_a_group_are_single(files):
    truth = "ImageID,ans,person,house\na,0,p,x\nb,0,q,\nc,1,p,\nd,1,q,x\n"
    matched = match_answers(*files(truth, "ImageID,ans\na,0\n"), group_column="house")
    assert matched.groups.tolist() == [0, 1, 2, 0]
    assert "images without a house, each of which is a group of its own: 2" in matched.notes
    assert match_answers(*files("ImageID,ans\na,0\n", "ImageID,ans\na,0\n")).groups is None


def test_probabilities_are_matched_by_name_and_by_class(files):
    table = "ImageID,미분류,착용샷,설치후배치컷\nb,0.1,0.7,0.2\na,1.0000001,0,0\nc,,,\nz,0,0,1\n"
    matched = match_answers(*files("ImageID,ans\na,0\nb,1\nc,1\nd,2\n", "ImageID,ans\na,0\n", probabilities=table))
    np.testing.assert_array_equal(matched.probabilities[:2], [[0, 0, 1.0000001], [0.7, 0.2, 0.1]])
    assert np.isnan(matched.probabilities[2:]).all()
    assert any("without probabilities" in note and "2 (c, d)" in note for note in matched.notes)


def test_missing_probabilities_are_noted(files):
    matched = match_answers(*files("ImageID,ans\na,0\n", "ImageID,ans\na,0\n"))
    assert matched.probabilities is None
    assert any("probabilities.csv" in note for note in matched.notes)


def test_predictions_of_another_model_are_matched_to_the_same_true_labels(files, tmp_path):
    other = write(tmp_path / "old" / "a.csv", "image_name,y_pred\nb,1\n")
    matched = match_answers(*files("ImageID,ans\na,0\nb,1\n", "ImageID,ans\na,0\nb,0\n"), other_file=other)
    assert matched.other.tolist() == [-1, 1]
    write(tmp_path / "old" / "labels.json", json.dumps(mask_scheme().to_dict()))
    with pytest.raises(InputError, match="expected 착용샷, 설치후배치컷, 미분류"):
        match_answers(tmp_path / "gt" / "gt.csv", tmp_path / "out" / "output.csv", other_file=other)


def test_predictions_of_several_hosts_are_matched(parts):
    truth, answers = parts
    matched = match_answers(truth, answers, other_file=answers)
    assert matched.scheme.class_names == KOREAN.class_names
    assert matched.answers.tolist() == matched.other.tolist() == [1, 1, 1, 1] and not matched.unanswered
    assert matched.probabilities[:, 1].tolist() == [1, 1, 1, 1]
    assert matched.metadata == {"house": ["algo-1", "algo-2", "algo-1", "algo-2"]}
    assert "predictions of 2 hosts were joined: algo-1, algo-2" in matched.notes
    write(answers, "ImageID,ans\na,0\n")
    assert match_answers(truth, answers).answers.tolist() == [0, -1, -1, -1]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("output.csv", "ImageID,ans,house\na,1,x\n", "output.csv rows 2 of algo-1, 2 of algo-2: 'a'"),
        ("output.csv", "ImageID,ans,house\nb,9,x\n", "output.csv row 2 of algo-2: class = '9', expected"),
        (
            "output.csv",
            "ImageID,ans\nb,1\n",
            "algo-2/output.csv: has the columns ImageID, ans, expected ImageID",
        ),
        ("probabilities.csv", "ImageID,x\nb,1\n", "algo-2/probabilities.csv: has the columns ImageID, x, expected"),
        ("probabilities.csv", None, "algo-2/probabilities.csv: no such file"),
        ("labels.json", "{}", "labels.json were written with different models"),
        ("labels.json", None, "algo-2/labels.json exists"),
    ],
)
def test_differences_between_hosts_are_problems(parts, name, text, message):
    truth, answers = parts
    changed = answers.parent / "algo-2" / name
    changed.unlink() if text is None else write(changed, text)
    with pytest.raises(InputError) as raised:
        match_answers(truth, answers)
    assert message in str(raised.value)


def test_hosts_may_have_met_different_numbers_of_images_that_the_model_saw(parts):
    truth, answers = parts
    for name, host, side, seen in (("a", "algo-1", "train", 1), ("b", "algo-2", "validation", 0)):
        folder = answers.parent / host
        labels = json.loads((folder / "labels.json").read_text())
        labels["learnt_from"] = {"train": seen, "validation": 1 - seen}
        write(folder / "labels.json", json.dumps(labels))
        write(folder / "learnt_from.csv", f"ImageID,side\n{name},{side}\n")
    assert match_answers(truth, answers).learnt_from == {"train": 1, "validation": 1}


def test_one_subfolder_does_not_replace_missing_predictions(parts):
    truth, answers = parts
    (answers.parent / "algo-2" / "output.csv").unlink()
    with pytest.raises(InputError, match=r"out/output\.csv: no such file"):
        match_answers(truth, answers)


def test_all_problems_are_reported_at_once(files, tmp_path):
    truth, answers = files(
        "ImageID,ans\na,0\nb,착용삿\na,1\nc,\n,1\n",
        "ImageID,ans\na,0\n" + "".join(f"x{i},9\ny,1\n" for i in range(30)),
        probabilities="ImageID,착용샷,미분류,설치후\na,2,0,0\nb,0.5,,0.5\nc,0,many,1\nd,x,y,z\ne,1,-0.5,0\n",
    )
    with pytest.raises(InputError) as raised:
        match_answers(truth, answers, group_column="persom", other_file=tmp_path / "none" / "output.csv")
    message = str(raised.value)
    for sentence in (
        f"{truth} rows 2, 4: 'a'",
        f"{truth} row 5: 'c'",
        f"{truth} row 6\n",
        f"{truth} row 3: class = '착용삿', expected",
        "nearest: 착용샷",
        f"{truth}: no column of groups: expected persom, found ImageID, ans",
        f"{answers} rows 4, 6, 8, 10, 12 and 25 more: 'y'",
        f"{answers} rows 3, 5, 7, 9, 11 and 25 more: class = '9', expected 착용샷, 설치후배치컷, 미분류 or 0 to 2",
        "probabilities.csv row 2: 착용샷 = 2, expected 0 to 1",
        "probabilities.csv row 3: 미분류 = an empty cell, expected 0 to 1",
        "probabilities.csv row 4: 미분류 = many, expected 0 to 1",
        "probabilities.csv row 5: 착용샷 = x, expected 0 to 1",
        "probabilities.csv row 6: 미분류 = -0.5, expected 0 to 1",
        "probabilities.csv: no column of class '설치후배치컷'; nearest: 설치후",
        "probabilities.csv: column '설치후', expected",
        f"{tmp_path}/none/output.csv: no such file; there is no folder {tmp_path}/none",
    ):
        assert sentence in message
    assert message.startswith("evaluation cannot read its input: ")


def test_only_the_first_twenty_of_a_kind_are_listed(files):
    twice = "".join(f"n{i},0\nn{i},0\n" for i in range(25))
    with pytest.raises(InputError, match=r"(?s)duplicate images \(25\).*'n19'\n    \.\.\. and 5 more$"):
        match_answers(*files("ImageID,ans\na,0\n", "ImageID,ans\n" + twice))


@pytest.mark.parametrize(
    "truth, message",
    [
        ("", r"empty table \(1\):\n    gt.csv"),
        ("ImageID,ans\n", r"gt\.csv has no rows"),
        ("id,answer\na,0\n", "expected ImageID, image_name, path, filename and 6 more, found id, answer"),
        ("ImageID,anss\na,0\n", "expected ans, y_pred, label, found ImageID, anss; nearest: anss"),
        ("ImageID,ans\na,0,1\n", r"gt\.csv row 2: 3 values, the header has 2"),
        ("ImageID,ans, ans\na,0,1\n", r"gt\.csv: ans"),
    ],
)
def test_an_unreadable_table_is_a_problem(files, truth, message):
    with pytest.raises(InputError, match=message):
        match_answers(*files(truth, "ImageID,ans\na,0\n"))


def test_a_table_in_another_encoding_is_a_problem(files):
    truth, answers = files("ImageID,ans\na,0\n", "ImageID,ans\na,0\n")
    truth.write_bytes("ImageID,ans\na,착용샷\n".encode("cp949"))
    with pytest.raises(InputError, match=r"gt\.csv row 2: byte 0xc2; save it as UTF-8"):
        match_answers(truth, answers)


def test_groups_keep_their_names_and_an_image_without_a_group_is_single(files):
    matched = match_answers(*files("ImageID,ans,person\na,0,x\nb,0,\nc,0,y\nd,1,x\n", "ImageID,ans\na,0\n"))
    assert matched.groups.tolist() == [0, 1, 2, 0] and matched.group_names == ["x", "", "y"]


def test_other_columns_of_both_tables_are_metadata_in_the_order_of_the_true_labels(files):
    truth = "image_name,label,sender,site,light\nb,1,s1,north,\na,0,s2,south,day\n"
    answers = "image_name,Y_PRED,camera,site,PATH\na,0,c1,elsewhere,x\nextra,0,c9,,x\n"
    matched = match_answers(*files(truth, answers))
    assert matched.metadata == {"camera": ["", "c1"], "site": ["north", "south"], "light": ["", "day"]}
    assert (matched.group_column, matched.correct.tolist()) == ("sender", [False, True])


def test_a_table_of_predictions_without_rows_adds_no_metadata(files):
    matched = match_answers(*files("ImageID,ans,site\na,0,north\n", "ImageID,ans,camera\n"))
    assert matched.metadata == {"camera": [""], "site": ["north"]}


def test_the_provenance_is_read_from_labels_json(files, tmp_path):
    member = {
        "name": "exp", "backbone": "resnet18", "settings": {}, "source": "CSV", "grouped_by": None,
        "train": {"pictures": 9, "groups": 9}, "validation": None, "scores": {}, "best_criterion": "f1",
        "finished": True, "epoch": 1, "epochs": 1, "seconds": 2.0, "hardware": "CPU", "versions": {},
    }  # fmt: skip
    made = {"model": "exp", "views": 1, "joined": "", "members": [member]}
    tables = files("ImageID,ans\na,0\n", "ImageID,ans\na,0\n")
    assert match_answers(*tables).provenance is None
    write(tmp_path / "out" / "labels.json", json.dumps({**KOREAN.to_dict(), "made": made}))
    assert match_answers(*tables).provenance.to_dict() == {**made, "members": ({**member, "history": ()},)}
    elsewhere = write(tmp_path / "scheme.json", json.dumps(KOREAN.to_dict()))
    assert match_answers(*tables, labels=elsewhere).provenance.model == "exp"
    write(tmp_path / "out" / "labels.json", json.dumps({**KOREAN.to_dict(), "made": {"model": "exp"}}))
    spoilt = match_answers(*tables)
    assert spoilt.provenance is None and any(
        "the report does not say how the model was trained" in note for note in spoilt.notes
    )


def test_notes_name_files_with_their_last_folder_only(files, tmp_path):
    notes = match_answers(*files("ImageID,ans\na,0\nb,0\n", "ImageID,ans\na,0\n")).notes
    assert any("no row in out/output.csv" in note for note in notes) and str(tmp_path) not in " ".join(notes)


def test_labels_json_is_read_once(files, monkeypatch):
    tables = files("ImageID,ans\na,0\n", "ImageID,ans\na,0\n")
    opened: list[str] = []
    read_text = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda path, *args, **named: opened.append(path.name) or read_text(path, *args, **named)
    )
    match_answers(*tables)
    assert opened.count("labels.json") == 1


def test_another_name_of_the_image_column_is_set_or_read_from_labels_json(files):
    probabilities = f"file,{','.join(KOREAN.class_names)}\na,0,1,0\n"
    truth, answers = files("file,ans,note\na,1,x\n", "file,ans,site\na,1,north\n", probabilities=probabilities)
    with pytest.raises(InputError, match=r"no column of images: expected ImageID, image_name, path, .*, found file"):
        match_answers(truth, answers)
    matched = match_answers(truth, answers, reading=TruthReading(picture_column="file"))
    assert (matched.answers.tolist(), matched.probabilities[0].tolist()) == ([1], [0, 1, 0])
    assert matched.metadata == {"site": ["north"], "note": ["x"]}
    labels = {**KOREAN.to_dict(), "picture_column": "file"}
    write(answers.parent / "labels.json", json.dumps(labels, ensure_ascii=False))
    assert match_answers(truth, answers).answers.tolist() == [1]
    write(truth, "ImageID,ans\na,1\n")
    assert match_answers(truth, answers).answers.tolist() == [1]
    with pytest.raises(
        InputError, match=r"picture_column 'fiel': neither .*gt.csv nor .*output.csv has this column; nearest: file"
    ):
        match_answers(truth, answers, reading=TruthReading(picture_column="fiel"))


def test_a_class_may_have_the_name_of_the_image_column(files):
    probabilities = "path,ImageID,road\na,0.25,0.75\n"
    scheme = Scheme((Attribute("kind", ("ImageID", "road")),))
    matched = match_answers(*files("path,ans\na,1\n", "path,ans\na,1\n", scheme, probabilities=probabilities))
    assert matched.probabilities.tolist() == [[0.25, 0.75]]


def test_true_labels_may_have_another_encoding_and_columns_without_a_name(files):
    truth, answers = files("ImageID,ans\na,0\n", "ImageID;ans;;\n사진;착용샷;;\n")
    truth.write_bytes("ImageID,ans,,\n사진,착용샷,,\n".encode("cp949"))
    assert match_answers(truth, answers, reading=TruthReading(encoding="cp949")).answers.tolist() == [0]


def test_a_missing_folder_of_predictions_is_the_only_problem_and_has_a_nearest_name(files, tmp_path):
    truth, _ = files("file,ans\na,no class\n", "ImageID,ans\n")
    with pytest.raises(InputError) as raised:
        match_answers(truth, tmp_path / "outt" / "output.csv")
    assert str(raised.value).splitlines()[1:] == [
        "  missing files (1):",
        f"    {tmp_path}/outt/output.csv: no such file; there is no folder {tmp_path}/outt; nearest: out",
    ]


def test_a_missing_file_of_predictions_has_no_problem_about_labels_json(files, tmp_path):
    truth, answers = files("ImageID,ans\na,cat\n", "ImageID,ans\n", scheme=None)
    answers.unlink()
    with pytest.raises(InputError, match=r"output\.csv: no such file") as raised:
        match_answers(truth, answers)
    assert "labels.json" not in str(raised.value)
