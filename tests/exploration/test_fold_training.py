"""Training folds for out-of-fold predictions; tests/exploration/test_noise.py trains some."""

import signal

import pytest

from exploration import fold_training
from exploration.fold_training import fold_settings, predict_out_of_fold, read_translated, shared_settings
from model.errors import Failure, InputError


def test_an_experiment_file_is_read_or_refused(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("model: resnet18\ngroup_column: sender\n", encoding="utf-8")
    assert read_translated(path) == {"model": "resnet18", "group_column": "sender"}
    assert shared_settings(read_translated(path)) == {"group_column": "sender"}
    with pytest.raises(InputError, match=r"nearest: a\.yaml"):  # others: tests/model/settings/test_experiment_file
        read_translated(tmp_path / "b.yaml")


def test_an_experiment_file_may_use_other_spellings_and_aliases(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("Group-Column: sender\nnum-classes: 20\nepochs: 3\ntrain_batch_size: 8\n", encoding="utf-8")
    assert read_translated(path) == {"group_column": "sender", "num_classes": 20, "epochs": 3, "batch_size": 8}
    assert shared_settings(read_translated(path)) == {"group_column": "sender", "num_classes": 20}
    path.write_text("", encoding="utf-8")
    assert read_translated(path) == {}


def test_flags_override_the_experiment(tmp_path):
    settings = fold_settings(tmp_path / "a.yaml", {"epochs": 9, "validation": 0.3}, {"folds": 4, "epochs": 2})
    assert (settings.epochs, settings.folds, settings.report) == (2, 4, False)
    with pytest.raises(InputError, match=r"config .*a\.yaml: epocs"):
        fold_settings(tmp_path / "a.yaml", {"epocs": 9}, {"folds": 4})


def test_folds_are_those_of_the_experiment_or_five_and_labels_are_judged_as_they_are(tmp_path):
    path = tmp_path / "a.yaml"
    assert fold_settings(path, {}, {}).folds == 5
    settings = fold_settings(
        path, {"folds": 10, "clean": "auto", "clean_args": {"cap": 0.1}, "unreadable": "error"}, {}
    )
    assert (settings.folds, settings.clean, settings.clean_args, settings.unreadable) == (10, None, {}, "skip")
    with pytest.raises(InputError, match=r"a\.yaml: folds 0, expected at least 2; set --folds 5"):
        fold_settings(path, {"folds": 0}, {})


def test_an_interrupted_training_is_resumed(faces, tmp_path, monkeypatch):
    """A signal after the first fold: its model is kept, and the next start trains only the second."""
    small = {"model": "test_resnet", "pretrained": False, "input_size": [32, 24], "epochs": 1, "num_workers": 0}
    small |= {"folds": 2, "target": "heads", "device": "cpu", "precision": "fp32"}
    settings = fold_settings(tmp_path / "a.yaml", small, {})
    trained, train_one = [], fold_training._train_one

    def recording(run, *others):
        trained.append(run.folder)
        if len(trained) == 2:
            return signal.SIGTERM
        return train_one(run, *others)

    monkeypatch.setattr(fold_training, "_train_one", recording)
    with pytest.raises(Failure, match="resumes"):
        predict_out_of_fold(settings, faces / "train", tmp_path)
    (model,) = tmp_path.glob("folds-*/fold1/model.safetensors")
    before = model.stat().st_mtime_ns
    folder = predict_out_of_fold(settings, faces / "train", tmp_path)
    assert trained == ["fold1", "fold2", "fold1", "fold2"] and model.stat().st_mtime_ns == before
    assert (folder / "probabilities.csv").is_file() and folder.parent == model.parent.parent
