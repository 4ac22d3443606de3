"""The folders and files of a job: where each input is read from and each output is written to.

Each path is resolved on its own. In decreasing priority: its flag, its SM_* variable, its path in /opt/ml (module
`opt_ml`), and a default in the working folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from container.environment import Environment, log
from container.opt_ml import OptMl
from model.answers.files import OUTPUT, PARTS, beside_answers
from model.errors import InputError, did_you_mean, listing
from model.settings.evaluation import EvaluationSettings
from model.settings.inference import InferenceSettings
from model.settings.train import TrainSettings

TRAIN, TRAINING = "train", "training"  # both are names of the training channel
CHANNEL_PREFIX = "SM_CHANNEL_"  # prefix of the variables that name channels
NAME_A_MODEL = (  # the end of the message if no model is given and there is no default
    "set SM_CHANNEL_MODEL or --model_dir to the folder of a saved model, for example "
    "SM_CHANNEL_MODEL=runs/exp python inference.py"
)


@dataclass(frozen=True)
class Locations:
    """The paths of a job in its environment. In every method, `flag` is the value of the job's flag for that path."""

    env: Environment

    @property
    def _opt_ml(self) -> OptMl:
        return self.env.opt_ml

    # Inputs

    def channels(self) -> list[str]:
        """Names of the channels in SM_CHANNEL_* variables and /opt/ml."""
        names = {key[len(CHANNEL_PREFIX) :].lower() for key in self.env.variables if key.startswith(CHANNEL_PREFIX)}
        return sorted(names | set(self._opt_ml.input_names()))

    def channel(self, name: str, flag: str | None) -> Path | None:
        """The folder of a channel, None if there is no such channel. InputError if it is in Pipe mode."""
        if flag:
            return Path(flag)
        folder = self._opt_ml.input_folder(name) if self.env.uses_opt_ml else None
        return self.env.path(f"{CHANNEL_PREFIX}{name.upper()}") or folder

    def required_channel(self, name: str, flag: str | None, script: str, default: str | None = None) -> Path:
        """The folder of a channel that the job requires.

        Args:
            name: The channel.
            flag: The value of the flag --NAME_dir.
            script: The job's script, for the example in the message.
            default: The folder to use if neither flag nor environment names one.

        Raises:
            InputError: There is no such channel. The message gives the variable, the flag and an example.
        """
        folder = self.channel(name, flag) or (Path(default) if default else None)
        if folder is None:
            names = self.channels()
            have = f"; channels here: {listing(names)}{did_you_mean(name, names)}" if names else ""
            raise InputError(
                f"the channel `{name}` is missing: set --{name}_dir to its folder, as in python {script} --{name}_dir "
                f"data/{name}, or set {CHANNEL_PREFIX}{name.upper()}{have}"
            )
        return folder

    def train_dir(self, flag: str | None) -> Path:
        """The folder of the channel `train`, or of `training`, which SageMaker's clients call it if the user gives no
        name. flag: the value of --train_dir.

        Raises:
            InputError: There is neither channel, or there are both.
        """
        other = None if flag else self.channel(TRAINING, None)
        if other is None:
            return self.required_channel(TRAIN, flag, "train.py")
        if self.channel(TRAIN, None) is not None:
            raise InputError(f"there are a channel `{TRAIN}` and a channel `{TRAINING}`: remove one of them")
        log.info("the channel `%s` is read as `%s`", TRAINING, TRAIN)
        return other

    @property
    def has_several_hosts(self) -> bool:
        """Whether this is one of several hosts."""
        return self.env.uses_opt_ml and len(self.env.hosts.names) > 1

    def host_part(self, folder: Path) -> tuple[int, int]:
        """This host's part of an input folder, from 0, and the number of parts. (0, 1) if the host reads all files of
        the folder, because there is one host or SageMaker has already split the input between the hosts."""
        if not self.env.uses_opt_ml or self._opt_ml.is_sharded(folder):
            return 0, 1
        return self.env.hosts.rank, len(self.env.hosts.names)

    def is_split(self, folder: Path) -> bool:
        """Whether SageMaker has split an input folder between several hosts."""
        return self.has_several_hosts and self._opt_ml.is_sharded(folder)

    def refuse_parts(self, folder: Path, why: str) -> None:
        """InputError if SageMaker has split an input folder between several hosts. why: what needs the whole folder."""
        if self.is_split(folder):
            split = f"{folder} is split between {len(self.env.hosts.names)} hosts (ShardedByS3Key)"
            raise InputError(f"{split}, but {why}: use FullyReplicated")

    def refuse_links(self, follow_links: bool) -> None:
        """InputError if follow_links is set in a container, where links may lead to files that are not the user's."""
        if follow_links and self.env.is_container:
            raise InputError(
                "follow_links is not allowed in a container, where links lead to files of the container: copy the "
                "files into the channel (cp -rL), or run the job outside of a container"
            )

    def ground_truth_dir(self, flag: str | None) -> Path:
        """The folder of gt.csv."""
        folder = Path(flag) if flag else self.env.path("SM_GROUND_TRUTH_DIR")
        if folder is None and self.env.uses_opt_ml:
            processing_input = self._opt_ml.processing_input("ground_truth")
            folder = processing_input if processing_input.is_dir() else None
        if folder is None:
            raise InputError(
                "the ground truth is missing: set --ground_truth_dir to the folder of gt.csv, as in python "
                "evaluation.py --ground_truth_dir data/gt, or set SM_GROUND_TRUTH_DIR"
            )
        return folder

    def answers_dir(self, flag: str | None) -> Path:
        """The folder of the predictions that evaluation scores."""
        predictions = self._opt_ml.processing_input("predictions")
        if not flag and self._output_variable is None and self.env.uses_opt_ml and predictions.is_dir():
            return predictions
        return self.output_dir(flag) or Path("output")

    # Models and checkpoints

    def models_dir(self, flag: str | None) -> Path:
        """The folder in which training creates the folder of its run."""
        if flag:
            return Path(flag)
        return self.env.path("SM_MODEL_DIR") or (self._opt_ml.model if self.env.uses_opt_ml else Path("runs"))

    def is_packed(self, models: Path) -> bool:
        """Whether a folder is /opt/ml/model, which SageMaker packs into model.tar.gz."""
        return models.resolve() == self._opt_ml.model.resolve()

    def checkpoints_dir(self, flag: str | None, models: Path) -> Path:
        """The folder of unfinished runs, which contains a subfolder per name.

        Args:
            flag: The value of the flag --checkpoint_dir.
            models: The folder in which training creates the folder of its run.
        """
        if flag:
            return Path(flag)
        local = self._opt_ml.read_config("checkpointconfig.json").get("LocalPath")
        if local:
            return Path(local)
        return self._opt_ml.checkpoints if self.is_packed(models) else models / ".checkpoints"

    def earlier_model(self, models: Path) -> Path | None:
        """The channel `model` of incremental training, None if there is none.

        A channel that overlaps with `models`, the folder that training writes into, is ignored: there SM_CHANNEL_MODEL
        is set for the other jobs, which read the model that training wrote.
        """
        channel = self.channel("model", None)
        if channel is None or _overlap(channel.resolve(), models.resolve()):
            return None
        return channel

    def saved_model_dir(self, flag: str | None) -> Path | None:
        """The folder of the model that inference uses, or a parent of it; None if neither flag nor environment names
        one."""
        if flag:
            return Path(flag)
        return self.channel("model", None) or (self._opt_ml.model if self.env.uses_opt_ml else None)

    def served_model_dir(self, flag: str | None) -> Path | None:
        """The folder of the model that the server uses, or a parent of it; None if neither flag nor environment names
        one."""
        if flag:
            return Path(flag)
        folder = self.env.path("SM_CHANNEL_MODEL") or self.env.path("SM_MODEL_DIR")
        model = self._opt_ml.model
        return folder or (model if self.env.uses_opt_ml or model.is_dir() else None)

    # Outputs

    def output_dir(self, flag: str | None) -> Path | None:
        """The output folder for everything except the model; None if neither flag nor environment names one."""
        if flag:
            return Path(flag)
        return self._output_variable or (self._opt_ml_output if self.env.uses_opt_ml else None)

    def training_output_dir(self, flag: str | None) -> Path | None:
        """The output folder of training, for its split and tracking. None, for next to the model, if neither flag nor
        environment names one, or if it is the default in /opt/ml and not writable."""
        folder = self.output_dir(flag)
        if folder is None or flag or self._output_variable or _is_writable(folder):
            return folder
        return None

    def live_curves_dir(self) -> Path | None:
        """The folder that SageMaker uploads while training runs (TensorBoardOutputConfig), None if there is none."""
        local = self._opt_ml.read_config("tensorboardoutputconfig.json").get("LocalPath")
        return Path(local) if local else None

    def output_data_dir(self, flag: str | None, model_dir: str | None = None) -> Path:
        """The folder of this host's predictions. model_dir: the model that a flag names; its folder is the default."""
        return self._host_folder(self.output_dir(flag) or Path(model_dir or "output"))

    def output_file(self, flag: str | None) -> str | None:
        """The path of this host's output.csv from a flag; a bare file name is relative to output_data_dir."""
        path = Path(flag or "")
        return flag if path.name == (flag or "") else str(self._host_folder(path.parent) / path.name)

    def evaluation_dir(self, flag: str | None, output_data_dir: str | None) -> Path | None:
        """The output folder of evaluation, None if neither flags nor environment name one.

        Args:
            flag: The value of the flag --output.
            output_data_dir: The value of the flag --output_data_dir, the folder of the predictions.
        """
        if flag:
            return Path(flag)
        folder = Path(output_data_dir) if output_data_dir else self._output_variable
        if folder is None and self.env.uses_opt_ml and self._opt_ml.is_processing:
            return self._opt_ml.evaluation
        return folder or self.output_dir(None)

    def parts_dir(self, answers: Path) -> Path:
        """The folder of this host's finished parts, which let a stopped inference resume. In a processing job it is one
        that SageMaker uploads while the job runs, otherwise it is next to `answers`, the file of the predictions."""
        is_processing = self.env.uses_opt_ml and self._opt_ml.is_processing
        if is_processing and answers.parent == self._host_folder(self._opt_ml.processing_output):
            return self._opt_ml.processing_parts / self.env.hosts.current
        return beside_answers(answers, PARTS)

    def earlier_parts(self, flag: str | None) -> Path | None:
        """The folder with the finished parts of an earlier run; None if neither flag nor environment names one.
        InputError if the folder that the flag names does not exist."""
        folder = Path(flag) if flag else None
        if folder is not None and not folder.is_dir():
            raise InputError(f"resume_from: {folder}: there is no such folder")
        if folder is None and self.env.uses_opt_ml:
            uploaded = self._opt_ml.processing_input(PARTS)
            folder = uploaded if uploaded.is_dir() else None
        return folder

    @property
    def _output_variable(self) -> Path | None:
        """SM_OUTPUT_DATA_DIR; None if it has the default value that the entry point sets, as AWS's toolkit does."""
        folder = self.env.path("SM_OUTPUT_DATA_DIR")
        is_default = self.env.uses_opt_ml and not self._opt_ml.is_processing and folder == self._opt_ml_output
        return None if is_default else folder

    @property
    def _opt_ml_output(self) -> Path:
        return self._opt_ml.processing_output if self._opt_ml.is_processing else self._opt_ml.output_data

    def _host_folder(self, folder: Path) -> Path:
        """This host's subfolder of a folder if there are several hosts: SageMaker uploads all to one prefix."""
        return folder / self.env.hosts.current if self.has_several_hosts else folder

    # The folders that each job writes into, in addition to the files that report how it ended

    def written_by_training(self, settings: TrainSettings) -> Iterator[Path]:
        models = self.models_dir(settings.model_dir)
        yield models
        yield self.checkpoints_dir(settings.checkpoint_dir, models)
        yield self.training_output_dir(settings.output_data_dir) or models

    def written_by_inference(self, settings: InferenceSettings) -> Iterator[Path]:
        output = self.output_data_dir(settings.output_data_dir, settings.model_dir)
        yield output
        answers = output / (self.output_file(settings.output) or OUTPUT)
        yield answers.parent
        yield self.parts_dir(answers).parent

    def written_by_evaluation(self, settings: EvaluationSettings) -> Iterator[Path]:
        folder = self.evaluation_dir(settings.output, settings.output_data_dir)
        yield folder or self.answers_dir(settings.output_data_dir)


def _overlap(one: Path, other: Path) -> bool:
    """Whether two paths are equal, or one contains the other."""
    return one == other or one in other.parents or other in one.parents


def _is_writable(folder: Path) -> bool:
    """Whether the folder is writable, or can be created."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
