"""The hosts that train where a SageMaker cluster has several instance groups."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from container.environment import Environment
from container.opt_ml import Hosts
from model.errors import InputError, did_you_mean, listing

CHOSEN_GROUPS = "sagemaker_distribution_instance_groups"  # hyperparameter of SageMaker's SDK


def training_hosts(env: Environment) -> Hosts | None:
    """The hosts of the instance groups that the hyperparameter sagemaker_distribution_instance_groups names, else of
    all groups; None if this host is none of them.

    Raises:
        InputError: A group is unknown, or the groups that train have machines of different types, which have different
            numbers of GPUs and speeds.
    """
    hosts, resources = env.hosts, env.opt_ml.read_config("resourceconfig.json")
    groups: Sequence[Mapping[str, Any]] = resources.get("instance_groups") or []
    if len(groups) < 2:
        return hosts
    by_name = {str(group["instance_group_name"]): group for group in groups}
    chosen = _chosen(env) or list(by_name)
    unknown = [name for name in chosen if name not in by_name]
    if unknown:
        raise InputError(
            f"{CHOSEN_GROUPS}: there is no instance group {unknown[0]!r}, expected some of "
            f"{listing(by_name)}{did_you_mean(unknown[0], by_name)}"
        )
    types = sorted({str(by_name[name].get("instance_type")) for name in chosen})
    if len(types) > 1:
        described = listing(f"{name} ({by_name[name].get('instance_type')})" for name in chosen)
        raise InputError(
            f"the instance groups {described} have machines of different types, and all processes of a training do "
            f"the same work: use one type, or name the groups that train by the hyperparameter {CHOSEN_GROUPS}, as in "
            f"{json.dumps([chosen[-1]])}; the hosts of the others end at once"
        )
    names = tuple(sorted(str(host) for name in chosen for host in by_name[name]["hosts"]))
    return Hosts(hosts.current, names, hosts.interface) if hosts.current in names else None


def _chosen(env: Environment) -> list[str]:
    """The groups that the hyperparameter names, as JSON or separated by commas; [] if there is none."""
    value = env.opt_ml.read_config("hyperparameters.json").get(CHOSEN_GROUPS) or []
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = value.split(",")
    return [str(name).strip() for name in (value if isinstance(value, list) else [value])]
