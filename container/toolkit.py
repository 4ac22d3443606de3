"""The SM_* variables as AWS's training toolkit (PyPI: sagemaker-training 5.1.4) makes them of SageMaker's tree.

The platform sets none of them, and scripts that were written for the toolkit's images read them. docs/containers.md
lists where ours differ on purpose.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from container.environment import Environment
from container.torchrun import gpu_count

OWN = (  # hyperparameters that the toolkit keeps to itself; others that begin with sagemaker_ are framework parameters
    "sagemaker_program",
    "sagemaker_submit_directory",
    "sagemaker_enable_cloudwatch_metrics",
    "sagemaker_region",
    "sagemaker_container_log_level",
    "sagemaker_job_name",
    "default_user_module_name",
    "_tuning_objective_metric",
    "sagemaker_s3_output",
)
DISTRIBUTIONS = (  # hyperparameters that turn one of the toolkit's ways to distribute on
    "sagemaker_mpi_enabled",
    "sagemaker_parameter_server_enabled",
    "sagemaker_distributed_dataparallel_enabled",
    "sagemaker_pytorch_ddp_enabled",
    "sagemaker_pytorch_xla_multi_worker_enabled",
    "sagemaker_multi_worker_mirrored_strategy_enabled",
    "sagemaker_torch_distributed_enabled",
)


def variables(env: Environment) -> dict[str, str]:
    """Every variable that the toolkit sets for this tree; none where there is no tree, or a processing job's, for
    which the toolkit is not made. InputError where a config file is damaged."""
    if not env.in_tree or env.tree.is_processing:
        return {}
    described = describe(env)
    told = {_SHORT.get(name, name): value for name, value in described.items() if name not in _UNTOLD}
    told |= {
        "channels": sorted(described["channel_input_dirs"]),
        "training_env": described,
        "user_args": _arguments(described["hyperparameters"]),
    }
    if not described["topology"]:
        del told["topology"]
    told |= {f"channel_{name}": path for name, path in described["channel_input_dirs"].items()}
    told |= {f"hp_{name}": value for name, value in described["hyperparameters"].items()}
    own = _hyperparameters(env)
    region = own.get("sagemaker_region") or env.variables.get("AWS_DEFAULT_REGION") or env.variables.get("AWS_REGION")
    return {
        "CURRENT_HOST": described["current_host"],
        "SAGEMAKER_JOB_NAME": str(own.get("sagemaker_job_name") or ""),
        "SAGEMAKER_REGION": str(region or ""),
        **{f"SM_{name.upper()}": _text(value) for name, value in told.items()},
    }


_SHORT = {"hyperparameters": "hps", "additional_framework_parameters": "framework_params"}
_UNTOLD = {  # they stand in SM_TRAINING_ENV alone
    "channel_input_dirs",
    "distribution_hosts",
    "is_master",
    "is_modelparallel_enabled",
    "is_smddpmprun_installed",
    "is_smddprun_installed",
    "job_name",
    "master_hostname",
}


def describe(env: Environment) -> dict[str, Any]:
    """The job as SM_TRAINING_ENV tells it."""
    tree, hosts = env.tree, env.hosts
    resources, channels = tree.told("resourceconfig.json"), tree.told("inputdataconfig.json")
    given = _hyperparameters(env)
    framework = {name: value for name, value in given.items() if name.startswith("sagemaker_") and name not in OWN}
    program = env.variables.get("SAGEMAKER_PROGRAM") or given.get("sagemaker_program")
    groups = resources.get("instance_groups") or []
    group = resources.get("current_group_name", "homogeneousCluster")
    instance = resources.get("current_instance_type", "local")
    distributed = framework.get(
        "sagemaker_distribution_instance_groups",
        [group] if any(framework.get(name) for name in DISTRIBUTIONS) else [],
    )
    taking_part = [host for each in groups if each["instance_group_name"] in distributed for host in each["hosts"]]
    distribution_hosts = taking_part if groups else list(hosts.names)
    master = (distribution_hosts or hosts.names)[0]
    parallel = env.variables.get("SM_HP_MP_PARAMETERS")
    return {
        "additional_framework_parameters": framework,
        "channel_input_dirs": {name: str(tree.channel(name)) for name in channels},
        "current_host": hosts.current,
        "current_instance_group": group,
        "current_instance_group_hosts": next((g["hosts"] for g in groups if g["instance_group_name"] == group), []),
        "current_instance_type": instance,
        "distribution_hosts": distribution_hosts,
        "distribution_instance_groups": distributed,
        "framework_module": env.variables.get("SAGEMAKER_TRAINING_MODULE"),
        "hosts": list(hosts.names),
        "hyperparameters": {name: value for name, value in given.items() if name not in OWN and name not in framework},
        "input_config_dir": str(tree.config),
        "input_data_config": channels,
        "input_dir": str(tree.input),
        "instance_groups": [each["instance_group_name"] for each in groups],
        "instance_groups_dict": {each["instance_group_name"]: each for each in groups},
        "is_hetero": len(groups) > 1,
        "is_master": hosts.current == master,
        "is_modelparallel_enabled": parallel and parallel != "{}",
        "is_smddpmprun_installed": shutil.which("smddpmprun") is not None,
        "is_smddprun_installed": shutil.which("smddprun") is not None,
        "job_name": env.variables.get("TRAINING_JOB_NAME"),
        "log_level": given.get("sagemaker_container_log_level", logging.INFO),
        "master_hostname": master,
        "model_dir": str(tree.model),
        "module_dir": str(given.get("sagemaker_submit_directory", tree.base / "code")),
        "module_name": str(program).removesuffix(".py") if program else None,
        "network_interface_name": resources.get("network_interface_name", "eth0"),
        "num_cpus": os.cpu_count(),
        "num_gpus": gpu_count(),
        "num_neurons": neuron_count(instance),
        "output_data_dir": str(tree.output_data),
        "output_dir": str(tree.output),
        "output_intermediate_dir": str(tree.output / "intermediate"),
        "resource_config": resources,
        "topology": resources.get("topology") or [],
        "user_entry_point": program,
    }


def neuron_count(instance_type: str) -> int:
    """Cores of AWS's Neuron accelerators, 0 where there are none."""
    if "trn2.48xlarge" in instance_type:
        return 64
    try:
        told = subprocess.run(["neuron-ls", "-j"], capture_output=True, check=True).stdout
        return sum(item.get("nc_count", 0) for item in json.loads(told))
    except (OSError, subprocess.CalledProcessError, ValueError):
        return 0


def _hyperparameters(env: Environment) -> dict[str, Any]:
    """hyperparameters.json, each value as JSON where it is that."""
    found = {}
    for name, value in env.tree.told("hyperparameters.json").items():
        try:
            found[name] = json.loads(value)
        except (ValueError, TypeError):
            found[name] = value
    return found


def _arguments(hyperparameters: Mapping[str, Any]) -> list[str]:
    """As the toolkit gives them to a script: --name value, a mapping as a=1,b=2."""
    words = []
    for name, value in sorted(hyperparameters.items()):
        if isinstance(value, dict):
            value = ",".join(f"{key}={each}" for key, each in sorted(value.items()))
        words += [f"--{name}" if len(name) > 1 else f"-{name}", "" if value is None else str(value)]
    return words


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
