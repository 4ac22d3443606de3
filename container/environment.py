"""Where a job's things lie and what it was told: flags, SM_* variables, .env and SageMaker's tree below /opt/ml.

The only place that knows these names, with container.tree, which knows the tree, and container.toolkit, which knows
what AWS's training toolkit makes of it. SageMaker itself sets no SM_* variable, so each directory is looked for by
itself: flag, then variable, then the tree, then folders beside the job.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from container.failure import Report
from container.layout import BASE_DIR, IN_CONTAINER
from container.tree import Hosts, Tree
from model.errors import InputError, did_you_mean, listing
from model.settings.fields import Layer, canonical

log = logging.getLogger("rarebird")
HYPERPARAMETER = "SM_HP_"
IGNORED = ("sagemaker_", "_tuning_objective_metric")  # the clients' own, not the job's
IN_IMAGE = "RAREBIRD_IMAGE"  # set by the Dockerfile
FAILURE_FILE = "RAREBIRD_FAILURE_FILE"  # where a job that is supervised tells why it failed
RANKS_DIR = "RAREBIRD_RANKS_DIR"  # where each of torchrun's children notes how it ended
SERVE = "SERVE_"  # a model's environment is the only way to give an endpoint a setting
OF_KUBERNETES = re.compile(  # what each container is told of a service named serve, or serve-...; no setting
    r"SERVE_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)=.*|PORT=(tcp|udp|sctp)://.*|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?=.*)"
)
SERVING = {  # what SageMaker (MULTI_MODEL, BATCH, MAX_PAYLOAD) and AWS's inference toolkits call settings of serve
    "SAGEMAKER_MULTI_MODEL": "multi_model",
    "SAGEMAKER_BATCH": "batch",
    "SAGEMAKER_BIND_TO_PORT": "port",
    "SAGEMAKER_MAX_PAYLOAD_IN_MB": "max_payload_mb",
    "SAGEMAKER_MODEL_SERVER_TIMEOUT": "timeout",
    "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "timeout",
    "SAGEMAKER_MODEL_SERVER_WORKERS": "num_workers",
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "accept",
    "SAGEMAKER_TS_BATCH_SIZE": "batch_size",
    "SAGEMAKER_TS_MAX_BATCH_DELAY": "max_wait_ms",
}


@dataclass(frozen=True)
class Environment:
    """What surrounds a job. variables: the process's environment over .env."""

    variables: Mapping[str, str] = field(default_factory=lambda: {**_dotenv(), **os.environ})

    @property
    def base(self) -> Path:
        """SageMaker's tree; SAGEMAKER_BASE_DIR moves it, as it does in AWS's toolkit."""
        return Path(self.variables.get(BASE_DIR) or IN_CONTAINER)

    @property
    def tree(self) -> Tree:
        """SageMaker's tree, whether or not it is there."""
        return Tree(self.base)

    @property
    def in_tree(self) -> bool:
        """Whether SageMaker's tree stands for what no flag and no variable names."""
        return IN_IMAGE in self.variables or self.tree.is_there

    @property
    def hosts(self) -> Hosts:
        """The machines that work on this job."""
        return self.tree.hosts

    @property
    def job_name(self) -> str | None:
        """The name that SageMaker has given the job."""
        told = self.tree.told("processingjobconfig.json").get("ProcessingJobName")
        return self.variables.get("TRAINING_JOB_NAME") or told or None

    @property
    def report(self) -> Report:
        """Where SageMaker looks for how the job ended."""
        return Report(self.tree.output if self.in_tree else None, self.tree.is_processing)

    @property
    def rank(self) -> int:
        """This process among all (torchrun's RANK)."""
        return int(self.variables.get("RANK", 0))

    @property
    def local_rank(self) -> int:
        """This process among those of this host."""
        return int(self.variables.get("LOCAL_RANK", 0))

    @property
    def world(self) -> int:
        """Processes that train together."""
        return int(self.variables.get("WORLD_SIZE", 1))

    def hyperparameters(self) -> dict[str, Any]:
        """hyperparameters.json without what SageMaker's clients put there for themselves."""
        return {k: v for k, v in self.tree.told("hyperparameters.json").items() if not k.startswith(IGNORED)}

    def hyperparameter_variables(self) -> dict[str, str]:
        """The SM_HP_NAME variables by setting, without those that the toolkit makes of hyperparameters.json."""
        made = {canonical(name) for name in self.hyperparameters()}
        named = {
            key[len(HYPERPARAMETER) :]: value for key, value in self.variables.items() if key.startswith(HYPERPARAMETER)
        }
        return {
            key: value
            for key, value in named.items()
            if not key.lower().startswith(IGNORED) and canonical(key) not in made
        }

    def serving_variables(self) -> list[Layer]:
        """The settings of serve that variables tell, SERVE_NAME over SageMaker's own."""
        told = {name: self.variables.get(name, "").strip() for name in SERVING}
        layers = [Layer(f"variable {name}", {SERVING[name]: value}) for name, value in told.items() if value]
        ours = {
            key[len(SERVE) :]: value
            for key, value in self.variables.items()
            if key.startswith(SERVE) and not OF_KUBERNETES.fullmatch(f"{key}={value}")
        }
        return [*layers, Layer(f"variable {SERVE}{{}}", {key: value for key, value in ours.items() if value.strip()})]

    def variable(self, name: str) -> Path | None:
        """The directory that a variable names, None where it is unset or empty."""
        value = self.variables.get(name, "").strip()
        return Path(value) if value else None

    def channels(self) -> list[str]:
        """Names of the channels that SM_CHANNEL_* and the tree offer."""
        named = {key[len("SM_CHANNEL_") :].lower() for key in self.variables if key.startswith("SM_CHANNEL_")}
        return sorted(named | set(self.tree.channel_names()))

    def channel(self, name: str, given: str | None) -> Path | None:
        """A channel's directory, None where there is none. given: what its flag --NAME_dir says. InputError where it
        comes in Pipe mode."""
        if given:
            return Path(given)
        offered = self.tree.offered(name) if self.in_tree else None
        return self.variable(f"SM_CHANNEL_{name.upper()}") or offered

    def required_channel(self, name: str, given: str | None, script: str, last: str | None = None) -> Path:
        """As channel; InputError names the variable, the flag and an example where there is none. last: what it is
        where nothing else names one."""
        found = self.channel(name, given) or (Path(last) if last else None)
        if found is None:
            there = self.channels()
            have = f"; channels here: {listing(there)}{did_you_mean(name, there)}" if there else ""
            raise InputError(
                f"the channel `{name}` is missing: set SM_CHANNEL_{name.upper()} or --{name}_dir to its folder, "
                f"as in SM_CHANNEL_{name.upper()}=data/{name} python {script}{have}"
            )
        return found

    def models_dir(self, given: str | None) -> Path:
        """Where training puts its run."""
        if given:
            return Path(given)
        return self.variable("SM_MODEL_DIR") or (self.tree.model if self.in_tree else Path("runs"))

    def run_dir(self, models: Path, name: str) -> Path:
        """The folder of a run: models/NAME, or models itself where that is what SageMaker packs."""
        return models if self.is_packed(models) else models / name

    def is_packed(self, models: Path) -> bool:
        """Whether this is BASE/model, which SageMaker packs as it stands."""
        return models.resolve() == (self.tree.model).resolve()

    def checkpoints_dir(self, given: str | None, models: Path) -> Path:
        """Where unfinished runs are kept, a folder a name."""
        if given:
            return Path(given)
        local = self.tree.told("checkpointconfig.json").get("LocalPath")
        if local:
            return Path(local)
        return self.tree.checkpoints if self.is_packed(models) else models / ".checkpoints"

    def output_data_dir(self, given: str | None, model_dir: str | None = None) -> Path:
        """Where this host's answers are written. model_dir: the model that a flag names, whose folder it is where
        nothing else names one."""
        return self._of_host(self.told_output_data_dir(given) or Path(model_dir or "output"))

    def output_file(self, given: str | None) -> str | None:
        """The file that a flag names for this host's answers; a bare name lies in output_data_dir."""
        path = Path(given or "")
        return given if path.name == (given or "") else str(self._of_host(path.parent) / path.name)

    def told_output_data_dir(self, given: str | None) -> Path | None:
        """The folder of all that a job tells beside its model, None where nothing names one."""
        if given:
            return Path(given)
        return self._named_output or (self._tree_output if self.in_tree else None)

    def training_output_dir(self, given: str | None) -> Path | None:
        """Where training tells its split and its course: as told_output_data_dir, None where only the tree names a
        folder and it cannot be written."""
        told = self.told_output_data_dir(given)
        if told is None or given or self._named_output or _writable(told):
            return told
        return None

    @property
    def _named_output(self) -> Path | None:
        """What SM_OUTPUT_DATA_DIR names, None where that is what the entry point makes of the tree, as AWS's does."""
        named = self.variable("SM_OUTPUT_DATA_DIR")
        is_made = self.in_tree and not self.tree.is_processing and named == self._tree_output
        return None if is_made else named

    @property
    def _tree_output(self) -> Path:
        if not self.tree.is_processing:
            return self.tree.output_data
        return self.tree.processing_output

    def _of_host(self, folder: Path) -> Path:
        """Several hosts' folders end in one place."""
        return folder / self.hosts.current if self.in_tree and len(self.hosts.names) > 1 else folder

    def answers_dir(self, given: str | None) -> Path:
        """Where evaluation finds the answers of inference."""
        predictions = self.tree.processing_input("predictions")
        if not given and self._named_output is None and self.in_tree and predictions.is_dir():
            return predictions
        return self.told_output_data_dir(given) or Path("output")

    def evaluation_dir(self, given: str | None, output_data_dir: str | None) -> Path | None:
        """Where evaluation writes, None where nothing names a folder. given: its flag --output; output_data_dir: that
        of the answers."""
        if given:
            return Path(given)
        told = Path(output_data_dir) if output_data_dir else self._named_output
        if told is None and self.in_tree and self.tree.is_processing:
            return self.tree.evaluation
        return told or self.told_output_data_dir(None)

    def part(self, folder: Path) -> tuple[int, int]:
        """This host's part of what lies in an input folder, and the number of parts: (0, 1) where it is all this
        host's, as where SageMaker itself has dealt it out."""
        if not self.in_tree or self.tree.is_sharded(folder):
            return 0, 1
        return self.hosts.rank, len(self.hosts.names)

    def refuse_parts(self, folder: Path, why: str) -> None:
        """InputError where SageMaker has dealt an input folder out to hosts. why: what needs the whole of it."""
        if self.in_tree and len(self.hosts.names) > 1 and self.tree.is_sharded(folder):
            parts = f"{folder} comes in parts to {len(self.hosts.names)} hosts (ShardedByS3Key)"
            raise InputError(f"{parts}, but {why}: use FullyReplicated")

    def wandb_account(self, project: str | None, entity: str | None) -> dict[str, str | None] | None:
        """project, entity, mode (online or offline) and api_key at Weights & Biases; None where it has neither a key
        nor is to write offline. project, entity: what the settings say."""
        mode = self.variables.get("WANDB_MODE", "").strip().lower()
        key = self.variables.get("WANDB_API_KEY", "").strip() or None
        offline = mode in ("offline", "dryrun")
        if mode == "disabled" or not (offline or key):
            return None
        return {
            "project": project or self.variables.get("WANDB_PROJECT") or "rarebird",
            "entity": entity or self.variables.get("WANDB_ENTITY") or None,
            "mode": "offline" if offline else "online",
            "api_key": key,
        }

    def earlier_model(self, models: Path) -> Path | None:
        """The channel `model` of incremental training, None where there is none, or where it names the place that
        training itself writes into, which other jobs read. models: that place."""
        found = self.channel("model", None)
        if found is None or self._overlap(found.resolve(), models.resolve()):
            return None
        return found

    @staticmethod
    def _overlap(one: Path, other: Path) -> bool:
        return one == other or one in other.parents or other in one.parents

    def saved_model_dir(self, given: str | None) -> Path | None:
        """The model that inference takes, or a folder above it; None where nothing names one."""
        if given:
            return Path(given)
        return self.channel("model", None) or (self.tree.model if self.in_tree else None)

    def served_model_dir(self, given: str | None) -> Path | None:
        """The model that serve answers with, or a folder above it; None where nothing names one."""
        if given:
            return Path(given)
        named = self.variable("SM_CHANNEL_MODEL") or self.variable("SM_MODEL_DIR")
        return named or (self.tree.model if self.in_tree or (self.tree.model).is_dir() else None)

    def ground_truth_dir(self, given: str | None) -> Path:
        """Where gt.csv lies."""
        found = Path(given) if given else self.variable("SM_GROUND_TRUTH_DIR")
        if found is None and self.in_tree:
            folder = self.tree.processing_input("ground_truth")
            found = folder if folder.is_dir() else None
        if found is None:
            raise InputError(
                "the ground truth is missing: set SM_GROUND_TRUTH_DIR or --ground_truth_dir to the folder of gt.csv, "
                "as in SM_GROUND_TRUTH_DIR=data/gt python evaluation.py"
            )
        return found


def _writable(folder: Path) -> bool:
    """Whether it is, or can be made."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _dotenv() -> dict[str, str]:
    return {key: value for key, value in dotenv_values(".env").items() if value is not None}
