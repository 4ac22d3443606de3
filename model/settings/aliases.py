"""Aliases: setting names of the systems that Rarebird replaces, each translated into a setting of Rarebird.

They are translated in every source of settings: flags, hyperparameters, environment variables and experiment files.
Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model.errors import InputError, did_you_mean, listing
from model.settings.decode import decode
from model.settings.fields import canonical
from model.settings.nested import argument_name

TRAIN_PY, INFERENCE_PY = "train.py", "inference.py"
NOT_NEEDED = "not needed"  # start of `replacement` if an alias has no effect


@dataclass(frozen=True)
class Alias:
    """A setting name of another system.

    Attributes:
        name: Its name in that system.
        job: The script that accepts it, train.py or inference.py.
        replacement: What to write instead, as Markdown for people.
        translate: Returns the settings that replace it, given its value and all settings of the same source by
            canonical name. Raises ValueError if the value has no counterpart.
    """

    name: str
    job: str
    replacement: str
    translate: Callable[[Any, Mapping[str, Any]], dict[str, Any]]

    @property
    def sentence(self) -> str:
        """The end of a sentence about the alias: `is read as ...` or `is not needed: ...`."""
        return f"is {self.replacement}" if self.replacement.startswith(NOT_NEEDED) else f"is read as {self.replacement}"

    @property
    def setting(self) -> str:
        """The setting that replaces the alias; "" if it is not needed."""
        match = re.match(r"`(\w+)", self.replacement)
        return match[1] if match else ""


# Values and arguments of other systems in lower case, with their names here
TARGETS = {"all": "heads", "class": "joint"}
LAYOUT_ALIASES = {"customdatasetsplitbyprofile": "profiles"}
LOSS_ALIASES = {
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
BACKBONES = {  # names in pretrainedmodels, torchvision and older versions of timm, with their names in timm
    "seresnet26d_32x4d": "seresnext26d_32x4d",
    "se_resnext50": "seresnext50_32x4d",
    "seresnext50": "seresnext50_32x4d",
    "se_resnext50_32x4d": "seresnext50_32x4d",
    "se_resnext101_32x4d": "seresnext101_32x4d",
    "inceptionv3": "inception_v3",
}


def _same(name: str) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
    """Renames a setting."""
    return lambda value, _: {name: value}


def _nothing(value: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    """Ignores an alias, because no setting is needed."""
    return {}


def _switch(name: str, value: Any) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
    """Replaces a switch that is on by one value of a setting."""
    return lambda on, _: {name: value} if decode(bool, on) else {}


def _arguments(value: Any) -> dict[str, Any]:
    """Arguments by name, with `_` for `-`."""
    return {argument_name(key): argument for key, argument in decode(dict, value).items()}


def _dataset(value: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    name = str(value).strip().lower()
    if name not in LAYOUT_ALIASES:
        raise ValueError(
            "there is no dataset class of this name; without this setting the layout of the data is detected; "
            "`layout` sets it"
        )
    return {"layout": LAYOUT_ALIASES[name]}


def _dataset_args(value: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    arguments = _arguments(value)
    for key in arguments:
        if key != "output":
            raise ValueError(
                f"{key} is not supported; the only supported key of dataset_args is `output`, which sets `target`"
            )
    if "output" not in arguments:
        return {}
    output = str(arguments["output"])
    return {"target": TARGETS.get(output, output)}


def _augmentation_args(value: Any, others: Mapping[str, Any]) -> dict[str, Any]:
    name = others.get("augmentation")
    if not isinstance(name, str):
        raise ValueError("`augmentation` must be a name; or write `augmentation: {NAME: {ARGUMENT: VALUE}}`")
    return {"augmentation": {name: decode(dict, value)}}


def _criterion(value: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    name = str(value).strip().lower()
    if name not in LOSS_ALIASES:
        raise ValueError(f"expected one of {listing(LOSS_ALIASES)}{did_you_mean(name, LOSS_ALIASES)}")
    return {"loss": LOSS_ALIASES[name]}


def _criterion_args(value: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for key, argument in _arguments(value).items():
        if key in LOSS_ARGUMENTS:
            settings[LOSS_ARGUMENTS[key]] = argument
        elif key == "weight":
            settings |= {"class_weights": "given", "class_weight_values": argument}
        elif key in ("classes", "num_classes"):
            settings["num_classes"] = argument
        else:
            raise ValueError(
                f"{key} is not supported; expected one of {listing([*LOSS_ARGUMENTS, 'weight', 'classes'])}"
                f"{did_you_mean(key, LOSS_ARGUMENTS)}"
            )
    return settings


def _model_args(value: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    """Turns arguments that are settings here into these; the others remain in model_args."""
    arguments = _arguments(value)
    settings = {MODEL_ARGUMENTS[key]: arguments.pop(key) for key in list(arguments) if key in MODEL_ARGUMENTS}
    return {**settings, "model_args": arguments}


def _output_name(value: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    name = str(value)
    return {"output": name if name.lower().endswith(".csv") else f"{name}.csv"}


def _split(value: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    return {"table": f"{value}.csv"}


def _ensemble(value: Any, others: Mapping[str, Any]) -> dict[str, Any]:
    if decode(bool, value) and not {"ensemble_model_dir", "models"} & set(others):
        raise ValueError("set the models, as in --models runs/a runs/b, or combine them by `python -m model ensemble`")
    return {}


ALIASES = (
    Alias("data_dir", TRAIN_PY, "`train_dir`", _same("train_dir")),
    Alias("train_profile", TRAIN_PY, "`train_groups`", _same("train_groups")),
    Alias("valid_profile", TRAIN_PY, "`validation_groups`", _same("validation_groups")),
    Alias("train_batch_size", TRAIN_PY, "`batch_size`", _same("batch_size")),
    Alias("valid_batch_size", TRAIN_PY, "not needed: validation uses `batch_size`; the batch size "
         "does not change the scores", _nothing),
    Alias("dataset", TRAIN_PY, "`layout: profiles` for CustomDatasetSplitByProfile", _dataset),
    Alias("dataset_args", TRAIN_PY, "`target`, from the argument `output`: the value `all` becomes `heads`, "
         "`class` becomes `joint`; `mask`, `gender` and `age` do not change", _dataset_args),
    Alias("augmentation_args", TRAIN_PY, "`augmentation: {NAME: {ARGUMENT: VALUE}}`", _augmentation_args),
    Alias("model_args", TRAIN_PY, "`model_args`; but these keys have separate settings: `pretrained`, `num_classes`, "
         "drop_rate (`dropout`), drop_path_rate (`drop_path`) and in_chans (`channels`)", _model_args),
    Alias("criterion", TRAIN_PY, "`loss`; BCELoss is `bce`", _criterion),
    Alias("criterion_args", TRAIN_PY, "`focal_gamma` (gamma), `label_smoothing` (smoothing), `num_classes` "
         "(classes), and `class_weights: given` with `class_weight_values` (weight)", _criterion_args),
    Alias("infer_data_dir", TRAIN_PY, "`eval_dir`, which is saved with the model for inference.py", _same("eval_dir")),
    Alias("model_name", TRAIN_PY, "`model`", _same("model")),
    Alias("cv", TRAIN_PY, "`folds: 5`; the folds are stratified and grouped", _switch("folds", 5)),
    Alias("multi", TRAIN_PY, "`target: separate`", _switch("target", "separate")),
    Alias("kfold_num", TRAIN_PY, "`folds`", _same("folds")),
    Alias("pretrain", TRAIN_PY, "`pretrained`", _same("pretrained")),
    Alias("num_epoch", TRAIN_PY, "`epochs`; 0 saves the initial model", _same("epochs")),
    Alias("epoch", TRAIN_PY, "`epochs`", _same("epochs")),
    Alias("learning_rate", TRAIN_PY, "`lr`", _same("lr")),
    Alias("infer_data_dir", INFERENCE_PY, "`eval_dir`", _same("eval_dir")),
    Alias("model_name", INFERENCE_PY, "not needed: the saved model contains the name of its backbone", _nothing),
    Alias("pth_name", INFERENCE_PY, "not needed: a saved model contains its best weights", _nothing),
    Alias("output_name", INFERENCE_PY, "`output`", _output_name),
    Alias("cv", INFERENCE_PY, "not needed: set `model_dir` to the folder that contains the folds", _nothing),
    Alias("multi", INFERENCE_PY, "not needed: set `model_dir` to the folder that contains the separate models",
         _nothing),
    Alias("ensemble", INFERENCE_PY, "`models`, or one folder that `python -m model ensemble` creates", _ensemble),
    Alias("ensemble_model_name", INFERENCE_PY, "not needed: saved models contain the names of their backbones",
         _nothing),
    Alias("ensemble_model_dir", INFERENCE_PY, "`models`", _same("models")),
    Alias("split", INFERENCE_PY, "`table: SPLIT.csv` of the eval channel", _split),
)  # fmt: skip


def aliases_of(job: str) -> dict[str, Alias]:
    """The aliases of a job, by name."""
    return {alias.name: alias for alias in ALIASES if alias.job == job}


def settings_by_alias(job: str) -> dict[str, str]:
    """The setting that replaces each alias of a job; "" if the alias is not needed."""
    return {name: alias.setting for name, alias in aliases_of(job).items()}


def translate(job: str, label: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Replaces the aliases among one source's settings.

    Args:
        job: The script that the settings are for, `train.py` or `inference.py`.
        label: How messages name a setting of this source, as Layer.label.
        values: Settings by the names that were written.

    Returns:
        The settings without aliases, and a sentence for the log about each alias.

    Raises:
        InputError: Lists every alias whose value has no counterpart, and every setting that is set twice: by an alias
            and by its own name.
    """
    aliases = aliases_of(job)
    written = {canonical(str(key)): value for key, value in values.items()}
    settings = {key: value for key, value in values.items() if canonical(str(key)) not in aliases}
    names = {canonical(str(key)) for key in settings}
    sentences, problems = [], []
    for key, value in written.items():
        alias = aliases.get(key)
        if alias is None:
            continue
        where = label.replace("{}", key)
        try:
            translated = alias.translate(value, written)
        except ValueError as error:
            problems.append(f"{where} = {value!r}: {error}")
            continue
        if key == "augmentation_args":
            # `augmentation` was only the name; the translation has the name and its arguments
            names.discard("augmentation")
            settings.pop("augmentation", None)
        duplicates = sorted(names & translated.keys())
        if duplicates:
            problems.append(f"{where}: it is an alias of {listing(duplicates)}, which is set too; set only one of them")
        names |= translated.keys()
        settings |= translated
        # model_args is an alias and a setting: log it only if an argument was moved out of it
        if key != "model_args" or len(translated) > 1:
            sentences.append(f"{where} {alias.sentence}")
    if problems:
        raise InputError("settings:\n" + "\n".join(f"  {problem}" for problem in problems))
    return settings, sentences


def aliases_table() -> str:
    """The aliases as the Markdown table of docs/coming-from.md."""
    lines = ["| option | script | Rarebird |", "| --- | --- | --- |"]
    lines += [f"| `{alias.name}` | {alias.job} | {alias.replacement} |" for alias in ALIASES]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str]) -> int:
    """Prints the table and returns the exit code."""
    if argv:
        raise InputError(f"aliases takes no arguments, not {' '.join(argv)}")
    print(aliases_table(), end="")
    return 0
