import json
from pathlib import Path

import pytest

from container import environment
from container.environment import Environment
from model.settings import EvaluationSettings, InferenceSettings, InputError, TrainSettings


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """SageMaker's tree, with a channel train."""
    base = tmp_path / "ml"
    (base / "input" / "config").mkdir(parents=True)
    (base / "input" / "data" / "train").mkdir(parents=True)
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    return base


def write(tree: Path, name: str, content: object) -> None:
    (tree / "input" / "config" / name).write_text(json.dumps(content))


def read(*argv: str) -> TrainSettings:
    return environment.read(TrainSettings, argv, "usage")[0]


def test_flags_win_over_hyperparameters_over_variables_over_the_experiment_file(tree, tmp_path, monkeypatch):
    config = tmp_path / "a.yaml"
    config.write_text("epochs: 1\nlr: 0.1\nbatch_size: 2\nseed: 3\n")
    monkeypatch.setenv("SM_HP_LR", "0.2")
    monkeypatch.setenv("SM_HP_BATCH-SIZE", "4")
    monkeypatch.setenv("SM_HP_SEED", "5")
    write(tree, "hyperparameters.json", {"batch_size": "8", "seed": "7", "config": str(config)})
    settings = read("--seed", "9")
    assert (settings.epochs, settings.lr, settings.batch_size, settings.seed) == (1, 0.2, 8, 9)


def test_dotenv_stands_behind_the_environment(monkeypatch):
    Path(".env").write_text("SM_HP_LR=0.5\nSM_HP_EPOCHS=4\nSM_MODEL_DIR=from-file\n")
    monkeypatch.setenv("SM_HP_EPOCHS", "6")
    settings, env = environment.read(TrainSettings, [], "usage")
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
    assert environment.read(InferenceSettings, [], "")[0].num_tta == 8
    assert environment.read(TrainSettings, [], "")[0].epochs == 3
    environment.read(EvaluationSettings, [], "")


def test_a_scripts_own_default_gives_way_to_everything(monkeypatch):
    assert environment.read(InferenceSettings, [], "", num_tta=4)[0].num_tta == 4
    assert environment.read(InferenceSettings, ["--num-tta", "2"], "", num_tta=4)[0].num_tta == 2
    monkeypatch.setenv("SM_HP_NUM_TTA", "8")
    assert environment.read(InferenceSettings, [], "", num_tta=4)[0].num_tta == 8


def test_help_prints_the_scripts_own_default_and_ends(capsys):
    with pytest.raises(SystemExit) as ended:
        environment.read(InferenceSettings, ["--help"], "how to use it", num_tta=4)
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


def test_a_channel_of_inputdataconfig_stands_for_its_folder(tree):
    write(tree, "inputdataconfig.json", {"validation": {"TrainingInputMode": "File"}})
    assert Environment().channel("validation", None) == tree / "input" / "data" / "validation"


def test_without_a_tree_things_lie_beside_the_job():
    env = Environment()
    assert not env.in_tree
    assert (env.models_dir(None), env.output_data_dir(None)) == (Path("runs"), Path("output"))
    assert env.told_output_data_dir(None) is None
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
