"""The hosts that train if a SageMaker cluster has several instance groups."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from container.environment import Environment
from container.opt_ml import Hosts
from model.errors import InputError, did_you_mean, listing

CHOSEN_GROUPS = "sagemaker_distribution_instance_groups"  # hyperparameter of SageMaker's SDK


def training_hosts(env: Environment) -> Hosts | None:
    """The hosts that train: those of the instance groups that the hyperparameter sagemaker_distribution_instance_groups
    names, or of all groups if it is missing.

    Returns:
        The hosts; None if this host is not one of them.

    Raises:
        InputError: A group is unknown, or the groups that train have different types of machines, which differ in
            speed and number of GPUs.
    """
    hosts, resources = env.hosts, env.opt_ml.read_config("resourceconfig.json")
    groups: Sequence[Mapping[str, Any]] = resources.get("instance_groups") or []
    if len(groups) < 2:
        return hosts
    # the groups that train
    by_name = {str(group["instance_group_name"]): group for group in groups}
    chosen = _chosen(env) or list(by_name)
    unknown = [name for name in chosen if name not in by_name]
    if unknown:
        raise InputError(
            f"{CHOSEN_GROUPS}: there is no instance group {unknown[0]!r}; instance groups: "
            f"{listing(by_name)}{did_you_mean(unknown[0], by_name)}"
        )
    # they must have one type of machine
    types = sorted({str(by_name[name].get("instance_type")) for name in chosen})
    if len(types) > 1:
        described = listing(f"{name} ({by_name[name].get('instance_type')})" for name in chosen)
        raise InputError(
            f"the instance groups {described} have machines of different types, but all processes of a training do "
            f"the same amount of work: use one type, or choose the groups that train by the hyperparameter "
            f"{CHOSEN_GROUPS}, for example {json.dumps([chosen[-1]])}; hosts of other groups end at once"
        )
    names = tuple(sorted(str(host) for name in chosen for host in by_name[name]["hosts"]))
    return Hosts(hosts.current, names, hosts.interface) if hosts.current in names else None


def _chosen(env: Environment) -> list[str]:
    """The groups in the hyperparameter, which is JSON or text separated by commas; [] if it is missing."""
    value = env.opt_ml.read_config("hyperparameters.json").get(CHOSEN_GROUPS) or []
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = value.split(",")
    return [str(name).strip() for name in (value if isinstance(value, list) else [value])]
