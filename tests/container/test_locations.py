"""The path of each input and output of a job: from flag, variable, /opt/ml or default."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

from container.environment import IN_IMAGE, Environment
from container.locations import Locations
from container.sm_variables import sm_variables
from model.errors import InputError
from model.settings.inference import InferenceSettings
from tests.container.conftest import write_config


def locations() -> Locations:
    return Locations(Environment())


@pytest.fixture
def processing(tmp_path, monkeypatch) -> Path:
    """The folders of a processing job on the second of two hosts."""
    base = tmp_path / "ml"
    for name in ("ground_truth", "predictions", "eval", "model"):
        (base / "processing" / "input" / name).mkdir(parents=True)
    (base / "config").mkdir()
    folder = str(base / "processing" / "input" / "eval")
    processing_input = {
        "InputName": "eval",
        "S3Input": {"LocalPath": folder, "S3DataDistributionType": "FullyReplicated"},
    }
    (base / "config" / "processingjobconfig.json").write_text(json.dumps({"ProcessingInputs": [processing_input]}))
    hosts = {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]}
    (base / "config" / "resourceconfig.json").write_text(json.dumps(hosts))
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    return base


def test_each_folder_is_resolved_on_its_own(tree, monkeypatch):
    monkeypatch.setenv("SM_MODEL_DIR", "models")
    paths = locations()
    assert paths.channel("train", "given") == Path("given")
    assert paths.channel("train", None) == tree / "input" / "data" / "train"
    assert paths.channel("validation", None) is None
    assert paths.models_dir(None) == Path("models")
    assert paths.models_dir("given") == Path("given")
    assert paths.output_data_dir(None) == tree / "output" / "data"
    monkeypatch.setenv("SM_CHANNEL_TRAIN", "elsewhere")
    monkeypatch.delenv("SM_MODEL_DIR")
    paths = locations()
    assert paths.channel("train", None) == Path("elsewhere")
    assert paths.models_dir(None) == tree / "model"


def test_the_output_of_training_is_next_to_the_model_if_opt_ml_is_not_writable(tree, monkeypatch):
    assert locations().training_output_dir(None) == tree / "output" / "data"
    shutil.rmtree(tree / "output", ignore_errors=True)
    (tree / "output").write_text("no folder")
    assert locations().training_output_dir(None) is None
    assert locations().training_output_dir("given") == Path("given")
    monkeypatch.setenv("SM_OUTPUT_DATA_DIR", str(tree / "output"))
    assert locations().training_output_dir(None) == tree / "output"


def test_a_channel_in_inputdataconfig_has_its_default_folder(tree):
    write_config(tree, "inputdataconfig.json", {"validation": {"TrainingInputMode": "File"}})
    assert locations().channel("validation", None) == tree / "input" / "data" / "validation"


def test_without_opt_ml_the_defaults_are_in_the_working_folder():
    paths = locations()
    assert not paths.env.uses_opt_ml
    assert (paths.models_dir(None), paths.output_data_dir(None)) == (Path("runs"), Path("output"))
    assert paths.output_dir(None) is paths.training_output_dir(None) is None
    assert paths.saved_model_dir(None) is None


def test_the_model_of_inference_is_given_or_in_opt_ml(tree, monkeypatch):
    assert locations().saved_model_dir("given") == Path("given")
    assert locations().saved_model_dir(None) == tree / "model"
    monkeypatch.setenv("SM_CHANNEL_MODEL", "chosen")
    assert locations().saved_model_dir(None) == Path("chosen")


def test_only_opt_ml_model_is_packed(tree):
    paths = locations()
    assert not paths.is_packed(Path("runs"))
    assert paths.is_packed(tree / "model")
    assert not paths.is_packed(tree / "other")


def test_checkpoints_are_in_the_configured_folder_and_never_in_the_packed_one(tree):
    paths = locations()
    assert paths.checkpoints_dir("given", tree / "model") == Path("given")
    assert paths.checkpoints_dir(None, tree / "model") == tree / "checkpoints"
    assert paths.checkpoints_dir(None, Path("runs")) == Path("runs/.checkpoints")
    write_config(tree, "checkpointconfig.json", {"LocalPath": "/spot", "S3Uri": "s3://bucket/a"})
    assert locations().checkpoints_dir(None, tree / "model") == Path("/spot")


def test_live_curves_are_in_the_folder_that_sagemaker_uploads(tree):
    assert locations().live_curves_dir() is None
    write_config(tree, "tensorboardoutputconfig.json", {"LocalPath": "/opt/tensorboard", "S3OutputPath": "s3://b/a"})
    assert locations().live_curves_dir() == Path("/opt/tensorboard")


def test_a_missing_channel_names_variable_flag_and_example(tree):
    with pytest.raises(InputError) as raised:
        locations().required_channel("eval", None, "inference.py")
    text = str(raised.value)
    assert "SM_CHANNEL_EVAL" in text and "--eval_dir" in text
    assert "python inference.py --eval_dir data/eval" in text
    assert "channels here: train" in text


def test_ground_truth_is_a_processing_input_too(tree):
    with pytest.raises(InputError, match=r"set --ground_truth_dir .* or set SM_GROUND_TRUTH_DIR"):
        locations().ground_truth_dir(None)
    folder = tree / "processing" / "input" / "ground_truth"
    folder.mkdir(parents=True)
    assert locations().ground_truth_dir(None) == folder


def test_pipe_mode_is_refused_with_the_alternative(tree, monkeypatch):
    write_config(
        tree,
        "inputdataconfig.json",
        {"train": {"TrainingInputMode": "Pipe"}, "eval": {"TrainingInputMode": "FastFile"}},
    )
    monkeypatch.setenv("SM_CHANNEL_TRAIN", str(tree / "input" / "data" / "train"))
    with pytest.raises(InputError, match=r"channel `train` is in Pipe mode.*FastFile"):
        locations().channel("train", None)
    assert locations().channel("eval", None) == tree / "input" / "data" / "eval"


def test_the_initial_model_is_the_channel_unless_training_writes_there(tree, monkeypatch):
    models = tree / "model"
    assert locations().earlier_model(models) is None
    channel = tree / "input" / "data" / "model"
    channel.mkdir()
    assert locations().earlier_model(models) == channel
    for folder in (models, models / "exp", tree):
        monkeypatch.setenv("SM_CHANNEL_MODEL", str(folder))
        assert locations().earlier_model(models) is None


def test_a_processing_jobs_folders(processing, monkeypatch):
    paths, inputs = locations(), processing / "processing" / "input"
    assert paths.channel("eval", None) == inputs / "eval"
    assert paths.saved_model_dir(None) == inputs / "model"
    assert paths.ground_truth_dir(None) == inputs / "ground_truth"
    assert paths.answers_dir(None) == inputs / "predictions"
    assert paths.evaluation_dir(None, None) == processing / "processing" / "evaluation"
    assert paths.output_data_dir(None) == processing / "processing" / "output" / "algo-2"
    assert sm_variables(paths.env) == {}
    monkeypatch.setenv("SM_OUTPUT_DATA_DIR", "given")
    assert locations().answers_dir(None) == locations().evaluation_dir(None, None) == Path("given")


def test_each_host_reads_its_part_unless_sagemaker_has_split_the_input(processing):
    folder = processing / "processing" / "input" / "eval"
    assert locations().host_part(folder) == (1, 2)
    config = processing / "config" / "processingjobconfig.json"
    config.write_text(config.read_text().replace("FullyReplicated", "ShardedByS3Key"))
    assert locations().host_part(folder) == (0, 1)


def test_a_split_input_is_refused_if_all_of_it_is_needed(processing):
    folder = processing / "processing" / "input" / "eval"
    config = processing / "config" / "processingjobconfig.json"
    locations().refuse_parts(folder, "why")
    config.write_text(config.read_text().replace("FullyReplicated", "ShardedByS3Key"))
    with pytest.raises(InputError, match=r"eval is split between 2 hosts .*, but why: use FullyReplicated"):
        locations().refuse_parts(folder, "why")
    (processing / "config" / "resourceconfig.json").unlink()
    locations().refuse_parts(folder, "why")


def test_each_of_several_hosts_writes_into_its_own_folder(processing, monkeypatch):
    monkeypatch.setenv("SM_OUTPUT_DATA_DIR", "named")
    paths = locations()
    assert paths.output_data_dir(None) == Path("named/algo-2")
    assert paths.output_data_dir("flag") == Path("flag/algo-2")
    assert (paths.output_file(None), paths.output_file("a.csv"), paths.output_file("in/a.csv")) == (
        None, "a.csv", "in/algo-2/a.csv"
    )  # fmt: skip
    assert paths.answers_dir(None) == paths.evaluation_dir(None, None) == Path("named")
    (processing / "config" / "resourceconfig.json").unlink()
    paths = locations()
    assert (paths.output_data_dir(None), paths.output_file("in/a.csv")) == (Path("named"), "in/a.csv")


def test_links_are_followed_only_on_the_users_own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the image, and not if SageMaker has created /opt/ml. Folders that a launcher creates elsewhere are the
    user's."""
    own = {"SAGEMAKER_BASE_DIR": str(tmp_path)}
    (tmp_path / "input").mkdir()
    Locations(Environment({})).refuse_links(True)
    Locations(Environment(own)).refuse_links(True)
    with pytest.raises(InputError, match=r"not allowed in a container.*cp -rL"):
        Locations(Environment({IN_IMAGE: "1", **own})).refuse_links(True)
    Locations(Environment({IN_IMAGE: "1"})).refuse_links(False)
    monkeypatch.setattr("container.environment.IN_CONTAINER", tmp_path)
    with pytest.raises(InputError, match="not allowed in a container"):
        Locations(Environment({})).refuse_links(True)


def test_the_channel_training_of_sagemakers_clients_is_the_channel_train(tree, monkeypatch, caplog):
    """estimator.fit("s3://...") creates a channel `training`."""
    train, training = tree / "input" / "data" / "train", tree / "input" / "data" / "training"
    training.mkdir()
    with pytest.raises(InputError, match="a channel `train` and a channel `training`: remove one of them"):
        locations().train_dir(None)
    assert locations().train_dir("given") == Path("given")
    train.rmdir()
    with caplog.at_level(logging.INFO, "rarebird"):
        assert locations().train_dir(None) == training
    assert "the channel `training` is read as `train`" in caplog.text
    training.rmdir()
    with pytest.raises(InputError, match="the channel `train` is missing"):
        locations().train_dir(None)
    monkeypatch.setenv("SM_CHANNEL_TRAINING", "elsewhere")
    assert locations().train_dir(None) == Path("elsewhere")
    write_config(tree, "inputdataconfig.json", {"training": {"TrainingInputMode": "Pipe"}})
    monkeypatch.delenv("SM_CHANNEL_TRAINING")
    with pytest.raises(InputError, match="Pipe mode"):
        locations().train_dir(None)


def test_finished_parts_are_in_the_uploaded_folder_or_next_to_the_output(processing, monkeypatch):
    paths = locations()
    parts = processing / "processing" / "parts"
    assert paths.parts_dir(paths.output_data_dir(None) / "output.csv") == parts / "algo-2"
    assert paths.parts_dir(Path("out/output.csv")) == Path("out/parts")
    assert paths.parts_dir(Path("out/photos.csv")) == Path("out/photos.parts")
    assert parts in list(paths.written_by_inference(InferenceSettings()))
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(processing / "none"))
    assert locations().parts_dir(Path("output/output.csv")) == Path("output/parts")


def test_parts_of_an_earlier_run_are_an_input_or_given_by_a_flag(processing, tmp_path):
    assert locations().earlier_parts(None) is None
    sent = processing / "processing" / "input" / "parts"
    sent.mkdir()
    assert locations().earlier_parts(None) == sent
    assert locations().earlier_parts(str(tmp_path)) == tmp_path
    with pytest.raises(InputError, match="resume_from: nowhere: there is no such folder"):
        locations().earlier_parts("nowhere")


def test_an_input_is_split_if_sagemaker_shards_it_between_several_hosts(processing):
    folder = processing / "processing" / "input" / "eval"
    assert not locations().is_split(folder)
    config = processing / "config" / "processingjobconfig.json"
    config.write_text(config.read_text().replace("FullyReplicated", "ShardedByS3Key"))
    assert locations().is_split(folder) and not locations().is_split(folder.with_name("model"))
    (processing / "config" / "resourceconfig.json").unlink()
    assert not locations().is_split(folder)
