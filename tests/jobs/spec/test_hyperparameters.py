"""Settings as hyperparameters."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from container.job_types import EVALUATION, INFERENCE, TRAIN
from jobs.spec.hyperparameters import SplitSettings, path_in_job, read_settings, split_settings, to_text
from jobs.spec.inputs import Input, check_inputs
from jobs.spec.job_from_flags import read_job
from jobs.spec.record import JobRecord
from model.errors import InputError
from model.settings.fields import Layer, as_dict, build
from model.settings.train import TrainSettings
from tests.jobs.conftest import ACCOUNT


def test_only_settings_that_differ_from_the_defaults_are_sent(dry_run):
    code, out, _ = dry_run(
        "train", "--data", "s3://b/t", "--epochs", "10", "--lr", "0.01", "--input_size", "64", "--augmentation", "none"
    )
    assert code == 0
    assert json.loads(out)["HyperParameters"] == {"lr": "0.01", "input_size": "[64]", "augmentation": "{}"}


def changed() -> dict[str, object]:
    """Returns a value other than the default for every setting of training."""
    choices = {field.name: field.metadata["choices"] for field in dataclasses.fields(TrainSettings)}
    values: dict[str, object] = {}
    for name, value in as_dict(TrainSettings()).items():
        if choices[name]:
            values[name] = next(
                (choice for choice in choices[name] if choice != value), value
            )  # the only choice, if there is one
        elif isinstance(value, bool):
            values[name] = not value
        elif isinstance(value, int):
            values[name] = value + 1 if name != "channels" else 1
        elif isinstance(value, float):
            values[name] = value / 2 + 0.125
        elif name in ("sampler_strength", "promise"):
            values[name] = 0.25
        elif name in ("mean", "std"):
            values[name] = [0.1]
        elif name == "pixel_range":
            values[name] = [0.0, 4095.0]
        elif isinstance(value, list):
            values[name] = [24, 40] if name in ("input_size", "hidden_layers", "age_cuts") else ["1", "2"]
        elif isinstance(value, dict):
            values[name] = {"a": {"column": "종류", "values": ['x "y"', "z"]}} if name == "attributes" else {"flip": {}}
        else:
            values[name] = 'a "quoted", odd\nvalue'
    return values


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(TrainSettings)])
def test_a_setting_converted_to_text_is_read_back(name):
    settings = dataclasses.replace(TrainSettings(), **{name: changed()[name]})
    if list(settings.contradictions()):
        pytest.skip("the value needs another one beside it")
    text = to_text(getattr(settings, name))
    assert "\n" not in text
    assert getattr(build(TrainSettings, [Layer("{}", {name: text})]), name) == getattr(settings, name)


def test_local_files_are_sent_as_channels(tmp_path):
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"x")
    settings = read_settings(TRAIN, ["--weights", str(weights), "--train_dir", "s3://b/t", "--model_dir", "elsewhere"])
    split = split_settings(TRAIN, settings)
    assert split.texts == {"weights": "/opt/ml/input/data/weights/w.safetensors"}
    assert {each.name: each.source for each in split.inputs} == {"train": "s3://b/t", "weights": str(weights)}
    assert split.not_sent == ["model_dir"]


def split(job_type, *flags: str) -> SplitSettings:
    return split_settings(job_type, read_settings(job_type, flags))


@pytest.mark.parametrize(
    ("job_type", "value", "sent", "moved"),
    [
        (INFERENCE, "photos.csv", {"output": "photos.csv"}, {}),
        (INFERENCE, "answers/photos.csv", {"output": "photos.csv"}, {"output": ("answers/photos.csv", "photos.csv")}),
        (INFERENCE, "/tmp/x/photos.csv", {"output": "photos.csv"}, {"output": ("/tmp/x/photos.csv", "photos.csv")}),
        (EVALUATION, "scores", {}, {"output": ("scores", "")}),
        (EVALUATION, "/tmp/x/scores/", {}, {"output": ("/tmp/x/scores/", "")}),
    ],
)
def test_an_output_is_moved_to_the_jobs_output_folder(job_type, value, sent, moved):
    done = split(job_type, "--output", value)
    assert (done.texts, done.inputs, done.moved) == (sent, [], moved)


@pytest.mark.parametrize(
    ("job_type", "flags", "message"),
    [
        (INFERENCE, ["--output", "s3://b/x.csv"], "output s3://b/x.csv: expected a local file; a job always writes"),
        (INFERENCE, ["--output", ".."], "output ..: expected a local file"),
        (EVALUATION, ["--output", "s3://b/x"], "output s3://b/x: expected a local folder; a job always writes"),
        (INFERENCE, ["a.jpg", "b.jpg"], "pictures a.jpg b.jpg: only python inference.py predicts single images"),
    ],
)
def test_settings_that_a_launched_job_cannot_use_are_errors(job_type, flags, message):
    with pytest.raises(InputError) as raised:
        split(job_type, *flags)
    assert message in str(raised.value)


def test_answers_elsewhere_are_sent_with_their_folder(tmp_path):
    done = split(EVALUATION, "--output_data_dir", "ans", "--answers", "my/a.csv", "--compare", "b.csv")
    assert done.texts == {"answers": "/opt/ml/processing/input/answers/a.csv", "compare": "b.csv"}
    assert {each.name: each.source for each in done.inputs} == {"predictions": "ans", "answers": "my/"}
    remote = split(EVALUATION, "--answers", "s3://b/x/a.csv", "--compare", "s3://b/y")
    assert {each.name: each.source for each in remote.inputs} == {"answers": "s3://b/x/", "compare": "s3://b/y"}
    check_inputs(
        [*remote.inputs[:0], Input("ground_truth", "s3://b/gt"), Input("answers", "s3://b/x/")],
        EVALUATION.required_inputs,
        EVALUATION.replaced_by,
    )
    (tmp_path / "truth.csv").touch()
    table = split(EVALUATION, "--ground_truth_dir", str(tmp_path / "truth.csv"))
    assert table.texts == {"ground_truth_dir": "/opt/ml/processing/input/ground_truth/truth.csv"}


@pytest.mark.parametrize(
    ("job_type", "folder"), [(TRAIN, "/opt/ml/input/data"), (EVALUATION, "/opt/ml/processing/input")]
)
def test_corrections_are_sent_unless_they_are_in_the_data(tmp_path, monkeypatch, job_type, folder):
    monkeypatch.chdir(tmp_path)
    done = split(job_type, "--corrections", "corrections.csv")
    assert (done.texts, done.inputs) == ({"corrections": "corrections.csv"}, [])
    (tmp_path / "corrections.csv").touch()
    done = split(job_type, "--corrections", "corrections.csv")
    assert done.texts == {"corrections": f"{folder}/corrections/corrections.csv"}
    assert [(each.name, each.source) for each in done.inputs] == [("corrections", "corrections.csv")]
    done = split(job_type, "--corrections", "s3://b/corrections.csv")
    assert [each.source for each in done.inputs] == ["s3://b/corrections.csv"]


def test_clean_is_auto_or_a_folder_that_is_sent(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = split(TRAIN, "--clean", "auto")
    assert (done.texts, done.inputs) == ({"clean": "auto"}, [])
    (tmp_path / "out_of_fold").mkdir()
    done = split(TRAIN, "--clean", "out_of_fold")
    assert done.texts == {"clean": "/opt/ml/input/data/clean"}
    (missing,) = split(TRAIN, "--clean", "out_of_folds").inputs  # is checked before the job is sent
    assert missing.source == "out_of_folds"


def test_each_model_of_an_ensemble_is_an_input(tmp_path):
    (tmp_path / "a").mkdir()
    done = split(INFERENCE, "--models", f"{tmp_path}/a:2", "s3://b/m/model.tar.gz", "s3://b/n:0.5")
    sources = [str(tmp_path / "a"), "s3://b/m/model.tar.gz", "s3://b/n"]
    assert [(each.name, each.source) for each in done.inputs] == list(
        zip(["models-1", "models-2", "models-3"], sources)
    )
    folder = "/opt/ml/processing/input/models-"
    assert json.loads(done.texts["models"]) == [f"{folder}1:2", f"{folder}2/model.tar.gz", f"{folder}3:0.5"]
    check_inputs([Input("eval", "s3://b/e"), *done.inputs[1:]], INFERENCE.required_inputs, INFERENCE.replaced_by)


def test_a_job_name_is_resolved_to_the_jobs_model(tmp_path):
    outputs = {"model": "s3://b/j/output/model.tar.gz", "output": "s3://b/j/output/output.tar.gz"}
    JobRecord("j-1", "train", "training", "sagemaker", "2026", Path("results/j-1"), outputs).save()
    for name, flags in (("weights", ("train", "--data", "s3://b/t", "--weights", "j-1")),):
        command = read_job(*flags[:1], [*ACCOUNT, "--on", "sagemaker", *flags[1:]], "")
        assert {each.name: each.source for each in command.job.inputs}[name] == outputs["model"]
        assert command.job.settings == {"weights": "/opt/ml/input/data/weights/model.tar.gz"}
    argv = ["--data", "s3://b/e", "--models", "j-1", "j-1:0.5"]
    job = read_job("inference", [*ACCOUNT, "--on", "sagemaker", *argv], "").job
    assert [each.source for each in job.inputs] == ["s3://b/e", outputs["model"], outputs["model"]]


def test_inference_TTA_sends_only_what_differs_from_its_own_defaults(dry_run):
    flags = ("--data", "s3://b/e", "--model_dir", "s3://b/m")
    _, out, _ = dry_run("inference_TTA", *flags)
    assert json.loads(out)["AppSpecification"]["ContainerArguments"] == ["inference_TTA"]
    _, out, _ = dry_run("inference_TTA", *flags, "--num_tta", "1")
    assert json.loads(out)["AppSpecification"]["ContainerArguments"] == ["inference_TTA", "--num_tta", "1"]


def test_path_in_job_of_files_and_folders(tmp_path):
    (tmp_path / "labels.json").touch()
    labels = path_in_job(EVALUATION, Input("labels", str(tmp_path / "labels.json")))
    assert labels == Path("/opt/ml/processing/input/labels/labels.json")
    assert path_in_job(TRAIN, Input("weights", str(tmp_path))) == Path("/opt/ml/input/data/weights")
