"""Words of the systems that this one took over from, each an alias of one of ours. Imports no torch.

A word is translated where settings are read, whatever it came by: flag, hyperparameter, variable or experiment file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model.errors import InputError, did_you_mean, listing
from model.settings.fields import canonical, decode

TRAIN, INFERENCE = "train.py", "inference.py"


@dataclass(frozen=True)
class Word:
    """word: theirs; job: the script that it was said to; ours: what to write instead, for people; translate: the
    settings that a value of it stands for, from the value and all that was said beside it. ValueError where the value
    has no counterpart."""

    word: str
    job: str
    ours: str
    translate: Callable[[Any, Mapping[str, Any]], dict[str, Any]]


def _same(name: str) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
    return lambda value, _: {name: value}


def _nothing(value: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _where(name: str, value: Any) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
    """A switch that stands for one value of ours."""
    return lambda given, _: {name: value} if decode(bool, given) else {}


OUTPUTS = {"all": "heads", "class": "joint"}
DATASETS = {"customdatasetsplitbyprofile": "profiles"}
LOSSES = {
    "bceloss": "bce",
    "bcewithlogitsloss": "bce",
    "crossentropyloss": "cross_entropy",
    "cross_entropy": "cross_entropy",
    "focal": "focal",
    "focalloss": "focal",
    "f1": "f1",
    "f1loss": "f1",
    "label_smoothing": "label_smoothing",
    "labelsmoothingloss": "label_smoothing",
    "bce": "bce",
}
LOSS_ARGUMENTS = {"gamma": "focal_gamma", "smoothing": "label_smoothing", "label_smoothing": "label_smoothing"}
MODEL_ARGUMENTS = {
    "pretrained": "pretrained",
    "num_classes": "num_classes",
    "drop_rate": "dropout",
    "drop_path_rate": "drop_path",
    "in_chans": "channels",
}


def _dataset(value: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    name = str(value).strip().lower()
    if name not in DATASETS:
        raise ValueError("a dataset class is not needed: the channel's layout is recognised, or named by `layout`")
    return {"layout": DATASETS[name]}


def _dataset_args(value: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    arguments = decode(dict, value)
    for key in arguments:
        if key != "output":
            raise ValueError(f"{key} has no counterpart; of dataset_args only `output` is taken, which is `target`")
    if "output" not in arguments:
        return {}
    output = str(arguments["output"])
    return {"target": OUTPUTS.get(output, output)}


def _augmentation_args(value: Any, beside: Mapping[str, Any]) -> dict[str, Any]:
    name = beside.get("augmentation")
    if not isinstance(name, str):
        raise ValueError("it goes with one augmentation's name; write `augmentation: {NAME: {ARGUMENT: VALUE}}`")
    return {"augmentation": {name: decode(dict, value)}}


def _criterion(value: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    name = str(value).strip().lower()
    if name not in LOSSES:
        raise ValueError(f"expected one of {listing(LOSSES)}{did_you_mean(name, LOSSES)}")
    return {"loss": LOSSES[name]}


def _criterion_args(value: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, argument in decode(dict, value).items():
        if key in LOSS_ARGUMENTS:
            found[LOSS_ARGUMENTS[key]] = argument
        elif key == "weight":
            found |= {"class_weights": "given", "class_weight_values": argument}
        elif key in ("classes", "num_classes"):
            found["num_classes"] = argument
        else:
            raise ValueError(
                f"{key} has no counterpart; there are {listing([*LOSS_ARGUMENTS, 'weight', 'classes'])}"
                f"{did_you_mean(key, LOSS_ARGUMENTS)}"
            )
    return found


def _model_args(value: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    arguments = decode(dict, value)
    found = {MODEL_ARGUMENTS[key]: arguments.pop(key) for key in list(arguments) if key in MODEL_ARGUMENTS}
    return {**found, "model_args": arguments}


def _output_name(value: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    text = str(value)
    return {"output": text if text.lower().endswith(".csv") else f"{text}.csv"}


def _split(value: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    return {"table": f"{value}.csv"}


def _ensemble(value: Any, beside: Mapping[str, Any]) -> dict[str, Any]:
    if decode(bool, value) and not {"ensemble_model_dir", "models"} & set(beside):
        raise ValueError(
            "name the models, as in --models runs/a runs/b, or make one folder of them by `python -m model ensemble`"
        )
    return {}


WORDS = (
    Word("data_dir", TRAIN, "`train_dir`", _same("train_dir")),
    Word("train_profile", TRAIN, "`train_groups`", _same("train_groups")),
    Word("valid_profile", TRAIN, "`validation_groups`", _same("validation_groups")),
    Word("train_batch_size", TRAIN, "`batch_size`", _same("batch_size")),
    Word("valid_batch_size", TRAIN, "nothing: validation takes `batch_size`, which changes no score", _nothing),
    Word("dataset", TRAIN, "`layout: profiles` for CustomDatasetSplitByProfile", _dataset),
    Word("dataset_args", TRAIN, "`target`: output all is `heads`, class is `joint`, mask, gender or age itself",
         _dataset_args),
    Word("augmentation_args", TRAIN, "`augmentation: {NAME: {ARGUMENT: VALUE}}`", _augmentation_args),
    Word("model_args", TRAIN, "`model_args`; of them pretrained, num_classes, drop_rate (`dropout`), drop_path_rate "
         "(`drop_path`) and in_chans (`channels`) are settings of their own", _model_args),
    Word("criterion", TRAIN, "`loss`: BCELoss is `bce`", _criterion),
    Word("criterion_args", TRAIN, "`focal_gamma`, `label_smoothing`; weight: `class_weights: given` with "
         "`class_weight_values`; classes: `num_classes`", _criterion_args),
    Word("infer_data_dir", TRAIN, "`eval_dir`, kept with the model for inference.py", _same("eval_dir")),
    Word("model_name", TRAIN, "`model`", _same("model")),
    Word("cv", TRAIN, "`folds: 5`, grouped as well as stratified", _where("folds", 5)),
    Word("multi", TRAIN, "`target: separate`", _where("target", "separate")),
    Word("kfold_num", TRAIN, "`folds`", _same("folds")),
    Word("pretrain", TRAIN, "`pretrained`", _same("pretrained")),
    Word("num_epoch", TRAIN, "`epochs`; 0 saves the initial model", _same("epochs")),
    Word("epoch", TRAIN, "`epochs`", _same("epochs")),
    Word("learning_rate", TRAIN, "`lr`", _same("lr")),
    Word("infer_data_dir", INFERENCE, "`eval_dir`", _same("eval_dir")),
    Word("model_name", INFERENCE, "nothing: the saved model knows its backbone", _nothing),
    Word("pth_name", INFERENCE, "nothing: a saved model holds its best weights", _nothing),
    Word("output_name", INFERENCE, "`output`", _output_name),
    Word("cv", INFERENCE, "nothing: the folds' folder is a model, `model_dir`", _nothing),
    Word("multi", INFERENCE, "nothing: the folder of separate models is a model, `model_dir`", _nothing),
    Word("ensemble", INFERENCE, "`models`, or one folder made by `python -m model ensemble`", _ensemble),
    Word("ensemble_model_name", INFERENCE, "nothing: saved models know their backbones", _nothing),
    Word("ensemble_model_dir", INFERENCE, "`models`", _same("models")),
    Word("split", INFERENCE, "`table: SPLIT.csv` of the eval channel", _split),
)  # fmt: skip


def words_of(job: str) -> dict[str, Word]:
    """Their words that a job takes."""
    return {word.word: word for word in WORDS if word.job == job}


def translate(job: str, label: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Settings with their words replaced by ours, and a sentence for each word. label: as Layer's.

    InputError tells every word whose value has no counterpart, and every setting that was said in both words.
    """
    words = words_of(job)
    said = {canonical(str(key)): value for key, value in values.items()}
    ours = {key: value for key, value in values.items() if canonical(str(key)) not in words}
    named = {canonical(str(key)) for key in ours}
    sentences, faults = [], []
    for key, value in said.items():
        word = words.get(key)
        if word is None:
            continue
        where = label.replace("{}", key)
        try:
            found = word.translate(value, said)
        except ValueError as error:
            faults.append(f"{where} = {value!r}: {error}")
            continue
        if key == "augmentation_args":
            named.discard("augmentation")
            ours.pop("augmentation", None)
        twice = sorted(named & found.keys())
        if twice:
            faults.append(f"{where}: it means {listing(twice)}, which is set beside it; write one of them")
        named |= found.keys()
        ours |= found
        if key != "model_args" or len(found) > 1:
            sentences.append(f"{where} is {word.ours} here")
    if faults:
        raise InputError("settings:\n" + "\n".join(f"  {fault}" for fault in faults))
    return ours, sentences


def words_table() -> str:
    """Their words and ours as a Markdown table."""
    lines = ["| word | of | here |", "| --- | --- | --- |"]
    lines += [f"| `{word.word}` | {word.job} | {word.ours} |" for word in WORDS]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str]) -> int:
    if argv:
        raise InputError(f"words takes no words: {' '.join(argv)}")
    print(words_table(), end="")
    return 0
