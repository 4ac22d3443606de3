"""Experiment files; tests/container/test_settings_layers.py and tests/exploration/test_fold_training.py read some."""

import pytest

from model.errors import InputError
from model.settings.experiment_file import read_experiment


def test_settings_are_read_as_they_are_written(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("lr: 0.1\nbatch-size: 8\n1: x\n", encoding="utf-8")
    assert read_experiment(path) == {"lr": 0.1, "batch-size": 8, "1": "x"}
    path.write_text("# nothing\n", encoding="utf-8")
    assert read_experiment(path) == {}


def test_other_content_and_a_missing_file_are_input_errors(tmp_path):
    path = tmp_path / "a.yaml"
    for content, message in (("- 1", "expected settings by name, not list"), ("a: [", "invalid YAML")):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match=message):
            read_experiment(path)
    with pytest.raises(InputError, match=r"nearest: a\.yaml"):
        read_experiment(tmp_path / "b.yaml")
