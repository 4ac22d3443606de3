"""ensemble.json is read in one place, whoever wrote it."""

import json

import pytest

from model.artifacts.ensemble_file import EnsembleFile, EnsembleMember, read_ensemble_file, write_ensemble_file
from model.errors import InputError


def test_what_is_written_is_read(tmp_path):
    written = EnsembleFile("vote", (EnsembleMember("fold1/sex", 2.0), EnsembleMember("fold2", 0.5)), finished=False)
    write_ensemble_file(tmp_path, written)
    assert read_ensemble_file(tmp_path) == written
    assert written.paths == ["fold1/sex", "fold2"] and written.weights == [2.0, 0.5]
    assert json.loads((tmp_path / "ensemble.json").read_text()) == {
        "combine": "vote",
        "finished": False,
        "members": [{"model": "fold1/sex", "weight": 2.0}, {"model": "fold2", "weight": 0.5}],
    }


def test_a_file_written_by_hand_needs_only_members(tmp_path):
    (tmp_path / "ensemble.json").write_text('{"members": [{"model": "a"}]}')
    assert read_ensemble_file(tmp_path) == EnsembleFile("", (EnsembleMember("a", 1.0),), finished=True)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"members": 1}', '{"members": ["a"]}', '{"members": [{"model": "a", "weight": "heavy"}]}']
)
def test_an_error_about_other_content_names_the_file(tmp_path, text):
    (tmp_path / "ensemble.json").write_text(text)
    with pytest.raises(InputError, match=r"ensemble\.json: cannot be read: \w+Error: "):
        read_ensemble_file(tmp_path)


@pytest.mark.parametrize("path", ["../a", "/tmp", ".", "a/../.."])
def test_a_member_outside_the_folder_is_refused(tmp_path, path):
    write_ensemble_file(tmp_path, EnsembleFile("soft", (EnsembleMember("a", 1), EnsembleMember(path, 1))))
    with pytest.raises(InputError, match="is not in a subfolder"):
        read_ensemble_file(tmp_path)
