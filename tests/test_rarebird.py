"""The Python API (rarebird.py): what its functions return, and what they leave alone in the program that calls them."""

from __future__ import annotations

import ast
import json
import logging
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

import inference
import rarebird
import train
from model import __version__
from tests.conftest import ROOT

SMALL = {
    "model": "test_resnet",
    "pretrained": False,
    "input_size": (32, 24),
    "epochs": 1,
    "batch_size": 32,
    "num_workers": 0,
    "device": "cpu",
    "precision": "fp32",
    "tracking": "none",
}


def own_python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own, which starts in folder and finds our modules behind those of folder."""
    command = [sys.executable, "-c", f"import sys; sys.path.append({str(ROOT)!r})\n{code}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_import_is_light_and_finds_its_own_modules_in_any_folder(tmp_path):
    for name in ("model", "train", "container", "evaluation"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a stranger')")
    heavy = "('torch', 'pandas', 'numpy', 'yaml', 'logging.config')"
    code = f"import rarebird\nprint(rarebird.__version__, [name for name in {heavy} if name in sys.modules])"
    ran = own_python(code, tmp_path)
    assert (ran.stdout, ran.stderr) == (f"{__version__} []\n", "")


def test_another_module_that_is_imported_already_is_named(tmp_path):
    (tmp_path / "model.py").write_text("")
    ran = own_python("import model, rarebird", tmp_path)
    assert f"rarebird needs its own module `model`, but {tmp_path / 'model.py'} is imported; rename" in ran.stderr


def test_it_imports_what_a_job_script_may():
    tree = ast.parse((ROOT / "rarebird.py").read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in nodes]
    own = {name.split(".")[0] for name in names if (ROOT / name.split(".")[0]).exists()}
    assert own == {"model", "container"}


@pytest.fixture(scope="module")
def trained(faces, tmp_path_factory) -> rarebird.Trained:
    """A model trained from another thread than the main one, with its report."""
    folder = tmp_path_factory.mktemp("trained")
    with ThreadPoolExecutor() as threads:
        settings = {**SMALL, "model_dir": folder / "runs", "name": "exp", "tracking": "tensorboard"}
        return threads.submit(rarebird.train, faces / "train", **settings).result()


def test_train_returns_the_model_its_scores_and_the_report(trained):
    assert trained.path.name == "exp" and (trained.path / "metrics.json").is_file()
    assert trained.report == trained.path.with_name("exp.validation") / "report.html" and trained.report.is_file()
    reported = json.loads(trained.report.with_name("evaluation.json").read_text())["rarebird"]
    assert trained.scores["macro_f1"] == reported["macro_f1"] and "balanced_accuracy" in trained.scores


def test_no_file_of_a_saved_model_names_a_folder_of_this_machine(trained, faces):
    files = [path for path in trained.path.rglob("*") if path.is_file()]
    texts = {path.name: path.read_bytes().decode("utf-8", "replace") for path in files}
    assert len(texts) >= 8 and f"in {faces.name}/train" in texts["README.md"]
    paths = [str(trained.path.parent), str(faces), str(ROOT), str(Path.home())]
    assert not [(name, path) for name, text in texts.items() for path in paths if path in text]


def test_train_shows_its_log_and_restores_logging_and_signals(faces, tmp_path, capsys, monkeypatch):
    log = logging.getLogger("rarebird")
    monkeypatch.setattr(log, "handlers", [])
    before = log.level, log.propagate, signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    result = rarebird.train(faces / "train", **SMALL, model_dir=tmp_path, report=False)
    assert result.report is None and result.scores["accuracy"].keys() == {"value", "low", "high"}
    assert "epoch=1 val_f1=" in capsys.readouterr().out
    after = log.level, log.propagate, signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    assert after == before and not log.handlers


def test_an_interrupted_training_raises_keyboard_interrupt_and_check_only_trains_nothing(faces, tmp_path, monkeypatch):
    result = rarebird.train(faces / "train", **SMALL, model_dir=tmp_path, check_only=True)
    assert result == rarebird.Trained(None, {}, None)
    monkeypatch.setattr(train, "train_models", lambda job: (signal.SIGINT, None))
    with pytest.raises(KeyboardInterrupt, match="the same call resumes it"):
        rarebird.train(faces / "train", **SMALL, model_dir=tmp_path)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rarebird.train("data", lrr=1), r"\n  lrr: there is no such setting; nearest: lr"),
        (lambda: rarebird.train("data", lr="fast"), r"\n  lr = 'fast': expected a number"),
        (lambda: rarebird.train("nowhere", **SMALL), "nowhere"),
        (lambda: rarebird.load("nowhere"), "nowhere: there is no such folder"),
        (lambda: rarebird.predict("nowhere", [], batchsize=2), "nearest: batch_size"),
        (lambda: rarebird.evaluate("nowhere", "gt", resample=2), "nearest: resamples"),
        (lambda: rarebird.evaluate("nowhere", "nowhere"), "nowhere/output.csv"),
    ],
)
def test_errors_name_the_setting_or_the_path(call, message):
    with pytest.raises(rarebird.InputError, match=message):
        call()


def test_predictions_are_those_of_inference_and_so_are_their_scores(models, faces, tmp_path):
    where = ["--eval_dir", str(faces / "eval"), "--model_dir", str(models / "heads"), "--output_data_dir", "answers"]
    assert inference.main([*where, "--device", "cpu", "--precision", "fp32", "--num_workers", "0"]) == 0
    of_job = pd.read_csv("answers/output.csv").set_index("ImageID")["ans"]

    model = rarebird.load(models / "heads", device="cpu", precision="fp32")
    images = sorted((faces / "eval" / "images").iterdir())
    frame = rarebird.predict(model, images)
    assert frame["class"].tolist() == of_job[[path.name for path in images]].tolist()

    expected = rarebird.evaluate("answers", faces / "gt", resamples=50, output="scores")
    assert expected.report == Path("scores/report.html") and expected.report.is_file()
    files = set(os.listdir())
    truth = pd.read_csv(faces / "gt" / "gt.csv")
    labels = models / "heads" / "labels.json"
    evaluation = rarebird.evaluate(frame.sample(frac=1, random_state=0), truth, labels=labels, resamples=50)
    assert set(os.listdir()) == files and evaluation.report is None
    values = {name: score["value"] for name, score in evaluation.scores.items()}
    assert values == pytest.approx({name: score["value"] for name, score in expected.scores.items()}, rel=1e-5)
    assert evaluation.scores["macro_f1"] == expected.scores["macro_f1"] and len(values) > 5
    assert evaluation.per_class == expected.per_class
    assert evaluation.details["attributes"].keys() == {"mask", "gender", "age"}
    other = rarebird.evaluate("answers", faces / "gt", compare="answers", resamples=50)
    assert other.details["compare"]["accuracy"]["value"] == 0
