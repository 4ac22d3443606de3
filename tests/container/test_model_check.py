"""Whether a training has saved a model, judged by the files in its folders."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from container import model_check
from container.environment import Environment
from container.locations import Locations
from container.model_check import fingerprints, newest, require_model, run_folders
from container.supervise import ExitStatus
from model.errors import ExitCode
from model.settings.train import TrainSettings


def save(folder: Path, name: str = "metrics.json", seconds: float | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "partial"
    partial.write_text(json.dumps({}))
    partial.replace(folder / name)
    if seconds is not None:
        os.utime(folder / name, (seconds, seconds))
    return folder


def test_a_model_is_new_if_its_file_has_changed_whatever_its_time(tmp_path):
    kept, replaced = (save(tmp_path / name, seconds=1e9) for name in ("kept", "replaced"))
    folders = [kept, replaced, tmp_path / "missing"]
    before = fingerprints(folders)
    assert set(before) == {kept, replaced} and newest(folders, before) is None
    (replaced / "metrics.json").rename(replaced / "old")  # keeps its inode from the new file
    save(replaced, seconds=1e9)
    assert newest(folders, before) == replaced
    save(tmp_path / "missing", seconds=1e9 + 1)
    assert newest(folders, before) == tmp_path / "missing"


def test_an_ensemble_is_recognised_by_its_last_written_file(tmp_path):
    folder = save(tmp_path / "one")
    before = fingerprints([folder])
    save(folder, "ensemble.json")
    assert fingerprints([folder])[folder][0] == "ensemble.json" and newest([folder], before) == folder


def test_run_folders_may_have_a_number_after_the_name(tmp_path):
    for name in ("exp", "exp1", "exp12", "exp-1", "export", "other"):
        (tmp_path / name).mkdir()
    settings = TrainSettings(model_dir=str(tmp_path), name="exp")
    folders = run_folders(settings, Locations(Environment({})))
    assert sorted(folder.name for folder in folders) == ["exp", "exp1", "exp12"]


def test_in_opt_ml_the_run_folder_is_the_model_folder(tmp_path):
    locations = Locations(Environment({"SAGEMAKER_BASE_DIR": str(tmp_path)}))
    (tmp_path / "model" / "exp").mkdir(parents=True)
    settings = TrainSettings(model_dir=str(tmp_path / "model"))
    assert run_folders(settings, locations) == [tmp_path / "model"]


@pytest.mark.parametrize(
    ("code", "received", "problem", "expected", "reason"),
    [
        (ExitCode.DONE, None, None, ExitCode.DONE, ""),
        (ExitCode.DONE, None, "broken", ExitCode.FAULT, "training ended without a model: broken"),
        (ExitCode.DONE, signal.SIGTERM, "broken", ExitCode.TERMINATED, "stopped by SIGTERM before a model could be"),
        (ExitCode.TERMINATED, signal.SIGTERM, None, ExitCode.DONE, ""),
        (ExitCode.TERMINATED, signal.SIGTERM, "broken", ExitCode.TERMINATED, "so far"),
        (ExitCode.BAD_INPUT, None, None, ExitCode.BAD_INPUT, "so far"),
    ],
)
def test_the_model_decides_how_a_training_ended(tmp_path, monkeypatch, code, received, problem, expected, reason):
    monkeypatch.setattr(model_check, "model_problem", lambda folder: problem)
    save(tmp_path / "exp")
    settings = TrainSettings(model_dir=str(tmp_path))
    so_far = "" if code == ExitCode.DONE else "so far"
    status = ExitStatus(code, received)
    outcome = require_model(code, so_far, status, settings, Locations(Environment({})), {})
    assert outcome[0] == expected and outcome[1].startswith(reason) and bool(outcome[1]) is bool(reason)
