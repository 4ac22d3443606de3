"""The predictions for held-out images that training writes, and the report on them."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import evaluation
import train
from model.answers.write import Answers
from model.artifacts.discovery import newest_model
from model.attributes import Attribute
from model.data.image_locations import ImageLocations
from model.data.table import Table
from model.decisions import Decision
from model.images.image_location import ImageLocation
from model.labels import Scheme
from model.prediction.api import predict
from model.training.held_out import write_held_out
from model.training.progress import Progress
from model.training.trainer import Trainer

FILES = [
    "evaluation.json",
    "gt.csv",
    "labels.json",
    "output.csv",
    "predictions.csv",
    "probabilities.csv",
    "report.html",
]
REPORT = ["--report", "true"]


def names(folder) -> list[str]:
    """Names of the files without suspects.csv, which depends on chance in such small trainings."""
    return sorted(path.name for path in folder.iterdir() if path.name != "suspects.csv")


def check_answers(folder, run, channel) -> None:
    """Checks that the predictions are those of the saved model for the validation images of the split."""
    sides = pd.read_csv(folder.parent / "split.csv" if (folder.parent / "split.csv").is_file() else run / "split.csv")
    held_out = sides[sides["side"] == "validation"]["path"].tolist()
    answers = pd.read_csv(folder / "probabilities.csv").set_index("ImageID")
    assert answers.index.tolist() == held_out == pd.read_csv(folder / "gt.csv")["ImageID"].tolist()
    expected = predict(run, [channel / path for path in held_out], device="cpu", precision="fp32").iloc[:, -18:]
    np.testing.assert_allclose(answers.to_numpy(), expected.to_numpy(), atol=1e-5)


@pytest.fixture(scope="module")
def reported(faces, tmp_path_factory):
    """A run of two epochs with its report next to the model, and the lines of its log."""
    runs = tmp_path_factory.mktemp("reported")
    small = ["--model", "test_resnet", "--pretrained", "false", "--input_size", "32", "24", "--epochs", "2"]
    small += ["--num_workers", "0", "--device", "cpu", "--precision", "fp32", "--tracking", "none"]
    with pytest.MonkeyPatch.context() as patched:
        lines: list[str] = []
        patched.setattr(train.log, "info", lambda text, *values: lines.append(text % values if values else text))
        assert train.main([*small, "--train_dir", str(faces / "train"), "--model_dir", str(runs)]) == 0
    return runs / "exp", lines


def test_training_writes_a_report_next_to_the_model_and_logs_the_next_command(reported, faces):
    run, lines = reported
    folder = run.with_name("exp.validation")
    assert names(folder) == FILES and not [path for path in run.rglob("*") if path.name in ("report.html", "gt.csv")]
    assert lines[-3:] == [
        f"saved model: {run}",
        f"report on the validation images: {folder / 'report.html'}",
        f"next: python inference.py --eval_dir {faces / 'eval'} --model_dir {run}",
    ]
    assert newest_model(run.parent) == run
    check_answers(folder, run, faces / "train")
    assert json.loads((folder / "labels.json").read_text())["held_out"] == "validation"
    metrics = json.loads((run / "metrics.json").read_text())["validation"]
    scores = json.loads((folder / "evaluation.json").read_text())["rarebird"]
    assert scores["accuracy"]["value"] == pytest.approx(metrics["acc"])
    assert scores["macro_f1"]["value"] == pytest.approx(metrics["f1"])


def test_evaluation_reproduces_the_report_from_its_files(reported, tmp_path, monkeypatch):
    run, _ = reported
    folder = tmp_path / "validation"
    shutil.copytree(run.with_name("exp.validation"), folder)
    expected = (folder / "evaluation.json").read_text()
    (folder / "evaluation.json").unlink()
    for name in ("SM_GROUND_TRUTH_DIR", "SM_OUTPUT_DATA_DIR"):
        monkeypatch.setenv(name, str(folder))
    assert evaluation.main([]) == 0 and (folder / "evaluation.json").read_text() == expected


def test_the_true_labels_have_groups_and_metadata(reported):
    run, _ = reported
    truth = pd.read_csv(run.with_name("exp.validation") / "gt.csv", dtype=str)
    assert truth.columns.tolist() == ["ImageID", "ans", "ans_name", "group", "race"]
    scores = json.loads((run.with_name("exp.validation") / "evaluation.json").read_text())["rarebird"]
    assert scores["resampled_over"] == "group" and scores["groups"] == truth["group"].nunique() == 4


def check_thumbnails(files, kinds) -> None:
    """Of the report and the event files: only these kinds of embedded images, and no image of a mistake."""
    (page,), events = files.rglob("report.html"), [*files.rglob("events.*")]
    assert set(re.findall("data:image/([a-z]+)", page.read_text(encoding="utf-8"))) == kinds and events
    for file in events:
        tags = EventAccumulator(str(file), size_guidance={"images": 0}).Reload().Tags()
        assert tags["images"] == ["confusion"] and "mistakes/text_summary" in tags["tensors"]


@pytest.mark.parametrize(
    "flags", [["--thumbnails", "none", "--tracking", "tensorboard"], ["--target", "separate", "--epochs", "0"]]
)
def test_with_an_output_folder_the_report_is_in_it(run_train, faces, tmp_path, flags):
    run = run_train(faces / "train", *REPORT, "--output_data_dir", str(tmp_path / "out"), *flags)
    folder = tmp_path / "out" / "exp" / "validation"
    assert names(folder) == FILES and not run.with_name("exp.validation").exists()
    check_answers(folder, run, faces / "train")
    if "--thumbnails" in flags:
        check_thumbnails(tmp_path / "out", set())


def test_the_predictions_of_the_best_epoch_are_computed_again_if_they_are_unknown(run_train, faces, monkeypatch):
    train_all = Trainer.train

    def forgetful(self, state=None):
        outcome = train_all(self, state)
        object.__setattr__(outcome, "probabilities", None)
        return outcome

    monkeypatch.setattr(Trainer, "train", forgetful)
    run = run_train(faces / "train", *REPORT)
    check_answers(run.with_name("exp.validation"), run, faces / "train")


def test_predictions_are_from_the_saved_weights_and_not_from_those_of_the_last_epoch(run_train, faces, monkeypatch):
    keep_best = Progress.keep_best
    monkeypatch.setattr(Progress, "keep_best", lambda self, *arguments: not self.best and keep_best(self, *arguments))
    run = run_train(faces / "train", *REPORT, "--epochs", "2")
    assert json.loads((run / "metrics.json").read_text())["epoch"] == 1
    check_answers(run.with_name("exp.validation"), run, faces / "train")


def test_folds_are_reported_out_of_fold(run_train, faces):
    run = run_train(faces / "train", *REPORT, "--folds", "2", "--epochs", "1", "--thumbnails", "blurred")
    folder = run / "out_of_fold"
    assert names(folder) == FILES and not run.with_name("exp.validation").exists()
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert set(re.findall("data:image/([a-z]+)", page)) == {"png"}
    labels = json.loads((folder / "labels.json").read_text())
    assert labels["held_out"] == "out_of_fold" and [m["name"] for m in labels["made"]["members"]] == ["fold1", "fold2"]


def test_there_is_no_report_without_held_out_images_or_with_report_false(run_train, faces, tmp_path, monkeypatch):
    for name, flags in (("a", ["--validation", "0", *REPORT]), ("b", ["--report", "false"])):
        run = run_train(faces / "train", *flags, name=name)
        assert names(run.parent) == sorted({".checkpoints", "a", name})
    base = tmp_path / "opt"
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    monkeypatch.setattr("container.locations._is_writable", lambda folder: False)
    run_train(faces / "train", *REPORT, models=base / "model")
    assert not list(base.rglob("report.html"))


def test_an_error_in_the_report_does_not_fail_the_training(run_train, faces, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(evaluation, "score", full)
    run_train(faces / "train", *REPORT)
    assert "the report on the held-out images could not be written: [Errno 28] No space left" in caplog.text


def test_columns_of_the_truth_keep_their_meaning(tmp_path):
    """A metadata column with the name of a column in gt.csv or in a predictions file is renamed."""
    scheme = Scheme((Attribute("kind", ("cat", "dog")),))
    index = pd.RangeIndex(2)
    table = Table(
        root=tmp_path,
        scheme=scheme,
        locations=ImageLocations(ImageLocation(path) for path in ("a.png", "b, c.png")),
        groups=np.array(["x", "y"], dtype=object),
        grouped_by="sender",
        labels=pd.DataFrame({"kind": [1, 0]}, index=index),
        numbers=pd.DataFrame(index=index),
        metadata=pd.DataFrame({"Label": ["p", "q"], "fold": ["r", "s"], "site": ["t", ""]}, index=index, dtype="str"),
        source="CSV",
    )
    answers = Answers(np.array([1]), np.float32([[0.25, 0.75]]), {0: "gone"})
    write_held_out(tmp_path, table, answers, scheme.to_dict(), Decision(), {"fold": np.array([1, 2])})
    assert (tmp_path / "gt.csv").read_text().splitlines() == [
        "ImageID,ans,ans_name,fold,group,metadata_Label,metadata_fold,site",
        "a.png,1,dog,1,x,p,r,t",
        '"b, c.png",0,cat,2,y,q,s,',
    ]
    assert (tmp_path / "output.csv").read_text().splitlines() == ["ImageID,ans", "a.png,", '"b, c.png",1']
    assert (tmp_path / "errors.csv").read_text().splitlines()[1] == "a.png,gone"
