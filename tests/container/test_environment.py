import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from container import settings_layers, toolkit
from container.environment import Environment
from container.job_types import EVALUATION, INFERENCE, INFERENCE_TTA, TRAIN
from model.errors import InputError
from model.settings.train import TrainSettings


def write(tree: Path, name: str, content: object) -> None:
    (tree / "input" / "config" / name).write_text(json.dumps(content))


def read(*argv: str) -> TrainSettings:
    return settings_layers.read(TRAIN, argv, "usage")[0]


def test_flags_win_over_hyperparameters_over_variables_over_the_experiment_file(tree, tmp_path, monkeypatch):
    config = tmp_path / "a.yaml"
    config.write_text("epochs: 1\nlr: 0.1\nbatch_size: 2\nseed: 3\n")
    monkeypatch.setenv("SM_HP_LR", "0.2")
    monkeypatch.setenv("SM_HP_BATCH-SIZE", "4")
    monkeypatch.setenv("SM_HP_SEED", "5")
    write(tree, "hyperparameters.json", {"batch_size": "8", "seed": "7", "config": str(config)})
    settings = read("--seed", "9")
    assert (settings.epochs, settings.lr, settings.batch_size, settings.seed) == (1, 0.2, 8, 9)


@pytest.mark.parametrize("encode", [str, json.dumps])
def test_the_experiment_file_is_found_under_a_name_that_was_encoded_once_more(tree, tmp_path, encode):
    (tmp_path / "a.yaml").write_text("epochs: 3\n")
    write(tree, "hyperparameters.json", {"config": encode(str(tmp_path / "a.yaml"))})
    assert read().epochs == 3


def test_dotenv_stands_behind_the_environment(monkeypatch):
    Path(".env").write_text("SM_HP_LR=0.5\nSM_HP_EPOCHS=4\nSM_MODEL_DIR=from-file\n")
    monkeypatch.setenv("SM_HP_EPOCHS", "6")
    settings, env = settings_layers.read(TRAIN, [], "usage")
    assert (settings.lr, settings.epochs) == (0.5, 6)
    assert env.models_dir(None) == Path("from-file")


def test_what_sagemakers_clients_put_there_for_themselves_is_ignored(tree, monkeypatch):
    monkeypatch.setenv("SM_HP_SAGEMAKER_PROGRAM", "train.py")
    write(
        tree,
        "hyperparameters.json",
        {"sagemaker_program": '"train.py"', "_tuning_objective_metric": "val_f1", "epochs": '"4"'},
    )
    assert read().epochs == 4


def test_everything_that_is_wrong_is_told_at_once_with_its_source(tree, monkeypatch):
    monkeypatch.setenv("SM_HP_BATCHSIZE", "8")
    write(tree, "hyperparameters.json", {"epochs": "many", "los": "focal"})
    with pytest.raises(InputError) as told:
        read("--lr", "-1", "--sampler", "imbalance")
    text = str(told.value)
    assert "variable SM_HP_batchsize: there is no such setting; nearest: batch_size" in text
    assert "hyperparameter epochs = 'many': expected a whole number" in text
    assert "hyperparameter los: there is no such setting; nearest: loss" in text
    assert "--lr = '-1': expected at least 0" in text
    assert "--sampler = 'imbalance': expected one of imbalanced, sqrt, none; nearest: imbalanced" in text


def test_one_dotenv_serves_all_jobs(monkeypatch):
    monkeypatch.setenv("SM_HP_EPOCHS", "3")
    monkeypatch.setenv("SM_HP_NUM_TTA", "8")
    assert settings_layers.read(INFERENCE, [], "")[0].num_tta == 8
    assert settings_layers.read(TRAIN, [], "")[0].epochs == 3
    settings_layers.read(EVALUATION, [], "")


def test_a_scripts_own_default_gives_way_to_everything(monkeypatch):
    assert settings_layers.read(INFERENCE_TTA, [], "")[0].num_tta == 4
    assert settings_layers.read(INFERENCE_TTA, ["--num-tta", "2"], "")[0].num_tta == 2
    monkeypatch.setenv("SM_HP_NUM_TTA", "8")
    assert settings_layers.read(INFERENCE_TTA, [], "")[0].num_tta == 8


def test_help_prints_the_scripts_own_default_and_ends(capsys):
    with pytest.raises(SystemExit) as ended:
        settings_layers.read(INFERENCE_TTA, ["--help"], "how to use it")
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert told.startswith("how to use it")
    assert "--num_tta N" in told and "default 4" in told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "No such file"),
        ("- a\n", "expected settings by name, not list"),
        ("a: [", "not YAML"),
        ("epocs: 3\n", "a.yaml: epocs: there is no such setting; nearest: epochs"),
    ],
)
def test_an_experiment_file_that_is_none_is_told(tmp_path, text, expected):
    config = tmp_path / "a.yaml"
    if text is not None:
        config.write_text(text)
    with pytest.raises(InputError, match=expected):
        read("--config", str(config))


def test_a_missing_experiment_file_names_the_nearest_one(tmp_path):
    (tmp_path / "mask-resnet18.yaml").write_text("")
    with pytest.raises(InputError, match=r"nearest: mask-resnet18\.yaml"):
        read("--config", str(tmp_path / "mask-resnet.yaml"))


def test_each_directory_is_looked_for_by_itself(tree, monkeypatch):
    monkeypatch.setenv("SM_MODEL_DIR", "models")
    env = Environment()
    assert env.channel("train", "given") == Path("given")
    assert env.channel("train", None) == tree / "input" / "data" / "train"
    assert env.channel("validation", None) is None
    assert env.models_dir(None) == Path("models")
    assert env.models_dir("given") == Path("given")
    assert env.output_data_dir(None) == tree / "output" / "data"
    monkeypatch.setenv("SM_CHANNEL_TRAIN", "elsewhere")
    monkeypatch.delenv("SM_MODEL_DIR")
    env = Environment()
    assert env.channel("train", None) == Path("elsewhere")
    assert env.models_dir(None) == tree / "model"


def test_training_tells_its_course_beside_the_model_where_the_tree_cannot_be_written(tree, monkeypatch):
    assert Environment().training_output_dir(None) == tree / "output" / "data"
    shutil.rmtree(tree / "output", ignore_errors=True)
    (tree / "output").write_text("no folder")
    assert Environment().training_output_dir(None) is None
    assert Environment().training_output_dir("given") == Path("given")
    monkeypatch.setenv("SM_OUTPUT_DATA_DIR", str(tree / "output"))
    assert Environment().training_output_dir(None) == tree / "output"


def test_a_channel_of_inputdataconfig_stands_for_its_folder(tree):
    write(tree, "inputdataconfig.json", {"validation": {"TrainingInputMode": "File"}})
    assert Environment().channel("validation", None) == tree / "input" / "data" / "validation"


def test_without_a_tree_things_lie_beside_the_job():
    env = Environment()
    assert not env.in_tree
    assert (env.models_dir(None), env.output_data_dir(None)) == (Path("runs"), Path("output"))
    assert env.told_output_data_dir(None) is env.training_output_dir(None) is None
    assert env.saved_model_dir(None) is None


@pytest.mark.parametrize("part", ["input", "config", "processing"])
def test_any_part_of_the_tree_makes_it_count(tmp_path, monkeypatch, part):
    (tmp_path / "ml" / part).mkdir(parents=True)
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path / "ml"))
    assert Environment().in_tree


def test_the_model_of_inference_is_named_or_sagemakers(tree, monkeypatch):
    assert Environment().saved_model_dir("given") == Path("given")
    assert Environment().saved_model_dir(None) == tree / "model"
    monkeypatch.setenv("SM_CHANNEL_MODEL", "chosen")
    assert Environment().saved_model_dir(None) == Path("chosen")


def test_a_run_has_its_own_folder_but_in_what_sagemaker_packs(tree):
    env = Environment()
    assert env.run_dir(Path("runs"), "exp") == Path("runs/exp")
    assert env.run_dir(tree / "model", "exp") == tree / "model"
    assert env.run_dir(tree / "other", "exp") == tree / "other" / "exp"


def test_checkpoints_lie_where_they_are_told_and_never_in_what_is_packed(tree):
    env = Environment()
    assert env.checkpoints_dir("given", tree / "model") == Path("given")
    assert env.checkpoints_dir(None, tree / "model") == tree / "checkpoints"
    assert env.checkpoints_dir(None, Path("runs")) == Path("runs/.checkpoints")
    write(tree, "checkpointconfig.json", {"LocalPath": "/spot", "S3Uri": "s3://bucket/a"})
    assert Environment().checkpoints_dir(None, tree / "model") == Path("/spot")


def test_a_missing_channel_names_variable_flag_and_example(tree):
    with pytest.raises(InputError) as told:
        Environment().required_channel("eval", None, "inference.py")
    text = str(told.value)
    assert "SM_CHANNEL_EVAL" in text and "--eval_dir" in text
    assert "SM_CHANNEL_EVAL=data/eval python inference.py" in text
    assert "channels here: train" in text


def test_ground_truth_is_a_processing_input_too(tree):
    with pytest.raises(InputError, match="SM_GROUND_TRUTH_DIR or --ground_truth_dir"):
        Environment().ground_truth_dir(None)
    folder = tree / "processing" / "input" / "ground_truth"
    folder.mkdir(parents=True)
    assert Environment().ground_truth_dir(None) == folder


@pytest.mark.parametrize(("text", "expected"), [("{", "not JSON"), ("[]", "expected a JSON object, not list")])
def test_a_damaged_config_file_is_named(tree, text, expected):
    (tree / "input" / "config" / "hyperparameters.json").write_text(text)
    with pytest.raises(InputError, match=rf"hyperparameters\.json: {expected}"):
        read()


def test_torchruns_variables_say_which_process_this_is(monkeypatch):
    assert (Environment().rank, Environment().local_rank, Environment().world) == (0, 0, 1)
    for name, value in (("RANK", "3"), ("LOCAL_RANK", "1"), ("WORLD_SIZE", "4")):
        monkeypatch.setenv(name, value)
    assert (Environment().rank, Environment().local_rank, Environment().world) == (3, 1, 4)


def test_weights_and_biases_needs_a_key_or_the_offline_mode(monkeypatch):
    def account(project: str | None = None, entity: str | None = None) -> dict | None:
        return Environment().wandb_account(project, entity)

    assert account("masks", "team") is None
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert account() == {"project": "rarebird", "entity": None, "mode": "offline", "api_key": None}
    monkeypatch.setenv("WANDB_MODE", "disabled")
    Path(".env").write_text("WANDB_API_KEY=secret\nWANDB_PROJECT=from-file\nWANDB_ENTITY=us\n")
    assert account() is None
    monkeypatch.delenv("WANDB_MODE")
    assert account() == {"project": "from-file", "entity": "us", "mode": "online", "api_key": "secret"}
    assert account("masks", "team") == {"project": "masks", "entity": "team", "mode": "online", "api_key": "secret"}


SETTINGS: dict[str, Any] = {
    "pretrained": False,
    "compile": True,
    "epochs": 3,
    "lr": 0.00012,
    "model": "resnet34",
    "table": "train.csv",
    "sampler_strength": 0.75,
    "input_size": [128, 96],
    "age_cuts": [29.0, 58.5],
    "freeze": ["layer1", "layer2"],
    "optimizer_args": {"momentum": 0.9, "nesterov": True},
    "augmentation": {"flip": {"p": 0.25}, "erasing": {}},
}
SENDERS: dict[str, Callable[[Any], str]] = {
    "SDK 2, any image": str,
    "SDK 2, script mode": json.dumps,
    "SDK 3": lambda value: value if isinstance(value, str) else json.dumps(value),
    "the tuner": lambda value: json.dumps(str(value)),
    "by hand": lambda value: (
        {True: "on", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    ),
}


@pytest.mark.parametrize("sender", SENDERS)
def test_every_senders_encoding_of_every_kind_of_setting_is_read(tree, monkeypatch, sender):
    """As hyperparameters, and as the variables that the toolkit makes of them."""
    given = {name.replace("_", "-"): SENDERS[sender](value) for name, value in SETTINGS.items()}
    write(tree, "hyperparameters.json", given)
    made = {name: value for name, value in toolkit.variables(Environment()).items() if name.startswith("SM_HP_")}
    assert len(made) == len(SETTINGS)
    for found in (read(), None):
        if found is None:
            write(tree, "hyperparameters.json", {})
            for name, value in made.items():
                monkeypatch.setenv(name, value)
            found = read()
        for name, value in SETTINGS.items():
            assert getattr(found, name) == value and type(getattr(found, name)) is type(value), (sender, name)


def test_what_is_wrong_with_a_hyperparameter_is_told_once_though_it_is_a_variable_too(tree, monkeypatch):
    write(tree, "hyperparameters.json", {"epocs": "3"})
    monkeypatch.setenv("SM_HP_EPOCS", "3")
    with pytest.raises(InputError) as told:
        read()
    assert str(told.value).count("epocs") == 1


def test_the_hosts_are_sagemakers_or_this_one_alone(tree):
    assert (Environment().hosts.names, Environment().hosts.rank) == (("algo-1",), 0)
    write(tree, "resourceconfig.json", {"current_host": "algo-2", "hosts": ["algo-2", "algo-1", "algo-3"]})
    hosts = Environment().hosts
    assert (hosts.names, hosts.rank, hosts.master) == (("algo-1", "algo-2", "algo-3"), 1, "algo-1")
    write(tree, "resourceconfig.json", {"current_host": "algo-9", "hosts": ["algo-1"]})
    with pytest.raises(InputError, match="current_host 'algo-9' is none of hosts algo-1"):
        Environment().hosts  # noqa: B018


def test_the_jobs_name_is_sagemakers(tree, monkeypatch):
    assert Environment().job_name is None
    (tree / "config").mkdir()
    (tree / "config" / "processingjobconfig.json").write_text('{"ProcessingJobName": "answers-1"}')
    assert Environment().job_name == "answers-1"
    monkeypatch.setenv("TRAINING_JOB_NAME", "masks-1")
    assert Environment().job_name == "masks-1"


def test_pipe_mode_is_refused_with_the_way_out(tree, monkeypatch):
    write(
        tree,
        "inputdataconfig.json",
        {"train": {"TrainingInputMode": "Pipe"}, "eval": {"TrainingInputMode": "FastFile"}},
    )
    monkeypatch.setenv("SM_CHANNEL_TRAIN", str(tree / "input" / "data" / "train"))
    with pytest.raises(InputError, match=r"channel `train` comes in Pipe mode.*FastFile"):
        Environment().channel("train", None)
    assert Environment().channel("eval", None) == tree / "input" / "data" / "eval"


def test_the_model_to_begin_with_is_the_channels_unless_training_writes_there(tree, monkeypatch):
    models = tree / "model"
    assert Environment().earlier_model(models) is None
    channel = tree / "input" / "data" / "model"
    channel.mkdir()
    assert Environment().earlier_model(models) == channel
    for place in (models, models / "exp", tree):
        monkeypatch.setenv("SM_CHANNEL_MODEL", str(place))
        assert Environment().earlier_model(models) is None


@pytest.fixture
def processing(tmp_path, monkeypatch) -> Path:
    """A processing job's tree on the second of two hosts."""
    base = tmp_path / "ml"
    for name in ("ground_truth", "predictions", "eval", "model"):
        (base / "processing" / "input" / name).mkdir(parents=True)
    (base / "config").mkdir()
    place = str(base / "processing" / "input" / "eval")
    given = {"InputName": "eval", "S3Input": {"LocalPath": place, "S3DataDistributionType": "FullyReplicated"}}
    (base / "config" / "processingjobconfig.json").write_text(json.dumps({"ProcessingInputs": [given]}))
    hosts = {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]}
    (base / "config" / "resourceconfig.json").write_text(json.dumps(hosts))
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    return base


def test_a_processing_jobs_folders(processing, monkeypatch):
    env, inputs = Environment(), processing / "processing" / "input"
    assert env.channel("eval", None) == inputs / "eval"
    assert env.saved_model_dir(None) == inputs / "model"
    assert env.ground_truth_dir(None) == inputs / "ground_truth"
    assert env.answers_dir(None) == inputs / "predictions"
    assert env.evaluation_dir(None, None) == processing / "processing" / "evaluation"
    assert env.output_data_dir(None) == processing / "processing" / "output" / "algo-2"
    assert toolkit.variables(env) == {}
    monkeypatch.setenv("SM_OUTPUT_DATA_DIR", "given")
    assert Environment().answers_dir(None) == Environment().evaluation_dir(None, None) == Path("given")


def test_each_host_takes_its_part_unless_sagemaker_has_dealt_it_out(processing):
    folder = processing / "processing" / "input" / "eval"
    assert Environment().part(folder) == (1, 2)
    config = processing / "config" / "processingjobconfig.json"
    config.write_text(config.read_text().replace("FullyReplicated", "ShardedByS3Key"))
    assert Environment().part(folder) == (0, 1)


def test_an_input_in_parts_is_refused_where_the_whole_is_needed(processing):
    folder = processing / "processing" / "input" / "eval"
    config = processing / "config" / "processingjobconfig.json"
    Environment().refuse_parts(folder, "why")
    config.write_text(config.read_text().replace("FullyReplicated", "ShardedByS3Key"))
    with pytest.raises(InputError, match=r"eval comes in parts to 2 hosts .*, but why: use FullyReplicated"):
        Environment().refuse_parts(folder, "why")
    (processing / "config" / "resourceconfig.json").unlink()
    Environment().refuse_parts(folder, "why")


def test_several_hosts_write_their_answers_into_folders_of_their_own(processing, monkeypatch):
    monkeypatch.setenv("SM_OUTPUT_DATA_DIR", "named")
    env = Environment()
    assert env.output_data_dir(None) == Path("named/algo-2")
    assert env.output_data_dir("flag") == Path("flag/algo-2")
    assert (env.output_file(None), env.output_file("a.csv"), env.output_file("in/a.csv")) == (
        None, "a.csv", "in/algo-2/a.csv"
    )  # fmt: skip
    assert env.answers_dir(None) == env.evaluation_dir(None, None) == Path("named")
    (processing / "config" / "resourceconfig.json").unlink()
    env = Environment()
    assert (env.output_data_dir(None), env.output_file("in/a.csv")) == (Path("named"), "in/a.csv")
