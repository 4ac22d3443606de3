"""The environment of a job: environment variables (which override .env), hyperparameters.json and the hosts.

All names of SM_*, SERVE_* and SAGEMAKER_* variables are here, except those of paths (container.locations) and those
that AWS's training toolkit sets (container.sm_variables). SageMaker itself sets no SM_* variable.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from container.failure import Report
from container.opt_ml import BASE_DIR, IN_CONTAINER, Hosts, OptMl
from model.settings.fields import Layer, canonical

log = logging.getLogger("rarebird")
HYPERPARAMETER_PREFIX = "SM_HP_"  # AWS's toolkit sets one such variable per hyperparameter
CLIENT_PREFIXES = ("sagemaker_", "_tuning_objective_metric")  # of hyperparameters that SageMaker's clients add
IN_IMAGE = "RAREBIRD_IMAGE"  # set by the Dockerfile
FAILURE_FILE = "RAREBIRD_FAILURE_FILE"  # the file into which a supervised job writes why it failed
RANKS_DIR = "RAREBIRD_RANKS_DIR"  # the folder into which each container.torchrun_child writes how it ended
SERVE_PREFIX = "SERVE_"  # of the server's settings; SageMaker can configure an endpoint only by variables
KUBERNETES = re.compile(  # not settings: Kubernetes sets these if a service is called serve or serve-...
    r"SERVE_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)=.*|PORT=(tcp|udp|sctp)://.*|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?=.*)"
)
SERVER_SETTINGS = {  # aliases of SageMaker (MULTI_MODEL, BATCH, MAX_PAYLOAD) and of AWS's inference toolkits
    "SAGEMAKER_MULTI_MODEL": "multi_model",
    "SAGEMAKER_BATCH": "batch",
    "SAGEMAKER_BIND_TO_PORT": "port",
    "SAGEMAKER_MAX_PAYLOAD_IN_MB": "max_payload_mb",
    "SAGEMAKER_MODEL_SERVER_TIMEOUT": "timeout",
    "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "timeout",
    "SAGEMAKER_MODEL_SERVER_WORKERS": "processes",
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "accept",
    "SAGEMAKER_TS_BATCH_SIZE": "batch_size",
    "SAGEMAKER_TS_MAX_BATCH_DELAY": "max_wait_ms",
}


@dataclass(frozen=True)
class Environment:
    """The environment of this process.

    Attributes:
        variables: The environment variables, and those of the file .env in the working folder that they lack.
    """

    variables: Mapping[str, str] = field(default_factory=lambda: {**_dotenv(), **os.environ})

    @cached_property
    def opt_ml(self) -> OptMl:
        """SageMaker's folder: /opt/ml, or SAGEMAKER_BASE_DIR as in AWS's toolkit. It need not exist."""
        return OptMl(Path(self.variables.get(BASE_DIR) or IN_CONTAINER))

    @property
    def uses_opt_ml(self) -> bool:
        """Whether paths default to those in /opt/ml: True in the image, and if that folder exists."""
        return IN_IMAGE in self.variables or self.opt_ml.exists

    @property
    def is_container(self) -> bool:
        """Whether this process runs in the image, or in another container in which SageMaker created /opt/ml."""
        return IN_IMAGE in self.variables or (self.opt_ml.base == IN_CONTAINER and self.opt_ml.exists)

    @property
    def hosts(self) -> Hosts:
        """The machines that work on this job."""
        return self.opt_ml.hosts

    @property
    def report(self) -> Report:
        """The files from which SageMaker reads how the job ended."""
        return Report(self.opt_ml.output if self.uses_opt_ml else None, self.opt_ml.is_processing)

    @property
    def rank(self) -> int:
        """Rank of this process among all that train together (torchrun's RANK)."""
        return int(self.variables.get("RANK", 0))

    @property
    def local_rank(self) -> int:
        """Rank of this process among those of this host."""
        return int(self.variables.get("LOCAL_RANK", 0))

    @property
    def world(self) -> int:
        """Number of processes that train together."""
        return int(self.variables.get("WORLD_SIZE", 1))

    @property
    def ranks_dir(self) -> Path | None:
        """The folder in which torchrun's processes write how they ended; None without torchrun."""
        return self.path(RANKS_DIR)

    def path(self, name: str) -> Path | None:
        """The value of a variable as a path, None if it is unset or empty."""
        value = self.variables.get(name, "").strip()
        return Path(value) if value else None

    def hyperparameters(self) -> dict[str, Any]:
        """hyperparameters.json without the entries that SageMaker's clients add for themselves."""
        values = self.opt_ml.read_config("hyperparameters.json")
        return {name: value for name, value in values.items() if not name.startswith(CLIENT_PREFIXES)}

    def hyperparameter_variables(self) -> dict[str, str]:
        """Values of the SM_HP_NAME variables by NAME, without those that repeat hyperparameters.json."""
        in_file = {canonical(name) for name in self.hyperparameters()}
        values = {
            key[len(HYPERPARAMETER_PREFIX) :]: value
            for key, value in self.variables.items()
            if key.startswith(HYPERPARAMETER_PREFIX)
        }
        return {
            name: value
            for name, value in values.items()
            if not name.lower().startswith(CLIENT_PREFIXES) and canonical(name) not in in_file
        }

    def serving_variables(self) -> list[Layer]:
        """The server's settings from variables, in increasing priority: SageMaker's names, then SERVE_NAME."""
        values = {name: self.variables.get(name, "").strip() for name in SERVER_SETTINGS}
        layers = [Layer(f"variable {name}", {SERVER_SETTINGS[name]: value}) for name, value in values.items() if value]
        own = {
            key[len(SERVE_PREFIX) :]: value
            for key, value in self.variables.items()
            if key.startswith(SERVE_PREFIX) and not KUBERNETES.fullmatch(f"{key}={value}")
        }
        named = {name: value for name, value in own.items() if value.strip()}
        return [*layers, Layer(f"variable {SERVE_PREFIX}{{}}", named)]

    def wandb_account(self, project: str | None, entity: str | None) -> dict[str, str | None] | None:
        """The Weights & Biases account to track a run with.

        Args:
            project: The project from the settings.
            entity: The user or team from the settings.

        Returns:
            project, entity, mode (online or offline) and api_key; None if nothing is tracked there: if the mode is
            disabled, or there is no API key and the mode is not offline.
        """
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


def _dotenv() -> dict[str, str]:
    return {key: value for key, value in dotenv_values(".env").items() if value is not None}
