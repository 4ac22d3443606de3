"""Where the files of answers lie."""

from pathlib import Path

import pytest

from model.answers.files import answer_files, answers_file, beside_answers, host_parts, labels_file


def test_paths_of_the_files_of_predictions(tmp_path):
    assert answers_file(tmp_path) == tmp_path / "output.csv"
    assert answers_file(tmp_path / "tta.csv") == tmp_path / "tta.csv"
    assert beside_answers(tmp_path / "tta.csv", "probabilities.csv") == tmp_path / "tta.probabilities.csv"
    assert beside_answers(tmp_path / "output.csv", "probabilities.csv") == tmp_path / "probabilities.csv"


def test_a_folder_may_be_named_like_a_table(tmp_path):
    (tmp_path / "a.csv").mkdir()
    assert answers_file(tmp_path / "a.csv") == tmp_path / "a.csv" / "output.csv"


@pytest.mark.parametrize(
    ("output", "answers", "probabilities"),
    [
        (None, "out/output.csv", "out/probabilities.csv"),
        ("output.csv", "out/output.csv", "out/probabilities.csv"),
        ("a.csv", "out/a.csv", "out/a.probabilities.csv"),
        ("else/b.csv", "else/b.csv", "else/b.probabilities.csv"),
        ("./c.csv", "c.csv", "c.probabilities.csv"),
    ],
)
def test_a_file_name_is_in_the_output_directory(output, answers, probabilities):
    assert answer_files(Path("out"), output) == (Path(answers), Path(probabilities))


def test_labels_of_their_own_go_before_those_of_the_folder(tmp_path):
    assert labels_file(tmp_path / "a.csv") == tmp_path / "labels.json"
    (tmp_path / "a.labels.json").touch()
    assert labels_file(tmp_path / "a.csv") == tmp_path / "a.labels.json"
    assert labels_file(tmp_path / "b.csv") == labels_file(tmp_path / "output.csv") == tmp_path / "labels.json"


def test_host_parts_are_the_files_in_subfolders_if_the_file_is_missing(tmp_path):
    answers = tmp_path / "output.csv"
    assert host_parts(answers) == host_parts(tmp_path / "gone" / "output.csv") == []
    for host in ("b", "a", ".hidden", "empty"):
        (tmp_path / host).mkdir()
    for host in ("b", ".hidden"):
        (tmp_path / host / "output.csv").touch()
    assert host_parts(answers) == []
    (tmp_path / "a" / "output.csv").touch()
    assert host_parts(answers) == [tmp_path / "a" / "output.csv", tmp_path / "b" / "output.csv"]
    answers.touch()
    assert host_parts(answers) == []
