"""The SM_* variables that AWS's training toolkit (PyPI: sagemaker-training 5.1.4) creates from /opt/ml.

SageMaker itself sets none of them, but scripts that were written for the toolkit's images read them. docs/containers.md
lists the intended differences.
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

TOOLKIT_PARAMETERS = (  # hyperparameters that the toolkit does not pass on; other sagemaker_* are framework parameters
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
DISTRIBUTIONS = (  # hyperparameters that enable distributed training in the toolkit
    "sagemaker_mpi_enabled",
    "sagemaker_parameter_server_enabled",
    "sagemaker_distributed_dataparallel_enabled",
    "sagemaker_pytorch_ddp_enabled",
    "sagemaker_pytorch_xla_multi_worker_enabled",
    "sagemaker_multi_worker_mirrored_strategy_enabled",
    "sagemaker_torch_distributed_enabled",
)
SHORT_NAMES = {"hyperparameters": "hps", "additional_framework_parameters": "framework_params"}
ONLY_IN_TRAINING_ENV = {  # keys of SM_TRAINING_ENV without a variable of their own
    "channel_input_dirs",
    "distribution_hosts",
    "is_master",
    "is_modelparallel_enabled",
    "is_smddpmprun_installed",
    "is_smddprun_installed",
    "job_name",
    "master_hostname",
}


def sm_variables(env: Environment) -> dict[str, str]:
    """All variables that the toolkit sets for a training job; {} if /opt/ml is not used and for a processing job, which
    the toolkit does not support. InputError if a config file is damaged."""
    if not env.uses_opt_ml or env.opt_ml.is_processing:
        return {}
    content = training_env(env)
    values = {SHORT_NAMES.get(name, name): value for name, value in content.items() if name not in ONLY_IN_TRAINING_ENV}
    values |= {
        "channels": sorted(content["channel_input_dirs"]),
        "training_env": content,
        "user_args": _arguments(content["hyperparameters"]),
    }
    if not content["topology"]:
        del values["topology"]
    values |= {f"channel_{name}": path for name, path in content["channel_input_dirs"].items()}
    values |= {f"hp_{name}": value for name, value in content["hyperparameters"].items()}
    hyperparameters = _hyperparameters(env)
    region = (
        hyperparameters.get("sagemaker_region")
        or env.variables.get("AWS_DEFAULT_REGION")
        or env.variables.get("AWS_REGION")
    )
    return {
        "CURRENT_HOST": content["current_host"],
        "SAGEMAKER_JOB_NAME": str(hyperparameters.get("sagemaker_job_name") or ""),
        "SAGEMAKER_REGION": str(region or ""),
        **{f"SM_{name.upper()}": _text(value) for name, value in values.items()},
    }


def training_env(env: Environment) -> dict[str, Any]:
    """The content of SM_TRAINING_ENV."""
    hyperparameters = _hyperparameters(env)
    framework = {
        name: value
        for name, value in hyperparameters.items()
        if name.startswith("sagemaker_") and name not in TOOLKIT_PARAMETERS
    }
    other = (*TOOLKIT_PARAMETERS, *framework)
    program = env.variables.get("SAGEMAKER_PROGRAM") or hyperparameters.get("sagemaker_program")
    model_parallel = env.variables.get("SM_HP_MP_PARAMETERS")
    return {
        **_instances(env, framework),
        **_folders(env),
        "additional_framework_parameters": framework,
        "framework_module": env.variables.get("SAGEMAKER_TRAINING_MODULE"),
        "hyperparameters": {name: value for name, value in hyperparameters.items() if name not in other},
        "is_modelparallel_enabled": model_parallel and model_parallel != "{}",
        "is_smddpmprun_installed": shutil.which("smddpmprun") is not None,
        "is_smddprun_installed": shutil.which("smddprun") is not None,
        "job_name": env.variables.get("TRAINING_JOB_NAME"),
        "log_level": hyperparameters.get("sagemaker_container_log_level", logging.INFO),
        "module_dir": str(hyperparameters.get("sagemaker_submit_directory", env.opt_ml.base / "code")),
        "module_name": str(program).removesuffix(".py") if program else None,
        "num_cpus": os.cpu_count(),
        "num_gpus": gpu_count(),
        "user_entry_point": program,
    }


def _folders(env: Environment) -> dict[str, Any]:
    """The keys of SM_TRAINING_ENV about channels and folders."""
    opt_ml = env.opt_ml
    channels = opt_ml.read_config("inputdataconfig.json")
    return {
        "channel_input_dirs": {name: str(opt_ml.channel(name)) for name in channels},
        "input_config_dir": str(opt_ml.config),
        "input_data_config": channels,
        "input_dir": str(opt_ml.input),
        "model_dir": str(opt_ml.model),
        "output_data_dir": str(opt_ml.output_data),
        "output_dir": str(opt_ml.output),
        "output_intermediate_dir": str(opt_ml.output / "intermediate"),
    }


def _instances(env: Environment, framework: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of SM_TRAINING_ENV about hosts and instance groups. framework: the framework parameters."""
    hosts, resources = env.hosts, env.opt_ml.read_config("resourceconfig.json")
    groups = resources.get("instance_groups") or []
    current_group = resources.get("current_group_name", "homogeneousCluster")
    instance = resources.get("current_instance_type", "local")
    distributed = framework.get(
        "sagemaker_distribution_instance_groups",
        [current_group] if any(framework.get(name) for name in DISTRIBUTIONS) else [],
    )
    members = [host for group in groups if group["instance_group_name"] in distributed for host in group["hosts"]]
    distribution_hosts = members if groups else list(hosts.names)
    master = (distribution_hosts or hosts.names)[0]
    return {
        "current_host": hosts.current,
        "current_instance_group": current_group,
        "current_instance_group_hosts": next(
            (group["hosts"] for group in groups if group["instance_group_name"] == current_group), []
        ),
        "current_instance_type": instance,
        "distribution_hosts": distribution_hosts,
        "distribution_instance_groups": distributed,
        "hosts": list(hosts.names),
        "instance_groups": [group["instance_group_name"] for group in groups],
        "instance_groups_dict": {group["instance_group_name"]: group for group in groups},
        "is_hetero": len(groups) > 1,
        "is_master": hosts.current == master,
        "master_hostname": master,
        "network_interface_name": resources.get("network_interface_name", "eth0"),
        "num_neurons": neuron_count(instance),
        "resource_config": resources,
        "topology": resources.get("topology") or [],
    }


def neuron_count(instance_type: str) -> int:
    """Number of cores of AWS's Neuron accelerators, 0 without them."""
    if "trn2.48xlarge" in instance_type:
        return 64
    try:
        output = subprocess.run(["neuron-ls", "-j"], capture_output=True, check=True).stdout
        return sum(item.get("nc_count", 0) for item in json.loads(output))
    except (OSError, subprocess.CalledProcessError, ValueError):
        return 0


def _hyperparameters(env: Environment) -> dict[str, Any]:
    """hyperparameters.json, each value decoded if it is JSON."""
    values = {}
    for name, value in env.opt_ml.read_config("hyperparameters.json").items():
        try:
            values[name] = json.loads(value)
        except (ValueError, TypeError):
            values[name] = value
    return values


def _arguments(hyperparameters: Mapping[str, Any]) -> list[str]:
    """The command line arguments that the toolkit passes to a script: --name value; a mapping is a=1,b=2."""
    arguments = []
    for name, value in sorted(hyperparameters.items()):
        if isinstance(value, dict):
            value = ",".join(f"{key}={item}" for key, item in sorted(value.items()))
        arguments += [f"--{name}" if len(name) > 1 else f"-{name}", "" if value is None else str(value)]
    return arguments


def _text(value: Any) -> str:
    """The value of a variable: text itself, anything else as JSON, None as an empty text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
