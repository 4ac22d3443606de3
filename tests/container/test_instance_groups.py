"""The hosts that train if a cluster has several instance groups."""

from __future__ import annotations

import json

import pytest

from container.environment import Environment
from container.instance_groups import training_hosts
from model.errors import InputError
from tests.container.conftest import write_config


def write_groups(tree, current: str, chosen: object = None, types: tuple[str, str] = ("ml.c5.xlarge", "ml.g5.xlarge")):
    """Two groups: data with algo-3, gpu with algo-1 and algo-2."""
    groups = [
        {"instance_group_name": "data", "instance_type": types[0], "hosts": ["algo-3"]},
        {"instance_group_name": "gpu", "instance_type": types[1], "hosts": ["algo-2", "algo-1"]},
    ]
    resources = {"current_host": current, "hosts": ["algo-1", "algo-2", "algo-3"], "instance_groups": groups}
    write_config(tree, "resourceconfig.json", {**resources, "network_interface_name": "eth0"})
    if chosen is not None:
        write_config(tree, "hyperparameters.json", {"sagemaker_distribution_instance_groups": chosen})


def test_groups_of_one_type_train_together(tree):
    write_groups(tree, "algo-2", types=("ml.g5.xlarge", "ml.g5.xlarge"))
    hosts = training_hosts(Environment())
    assert (hosts.names, hosts.rank, hosts.interface) == (("algo-1", "algo-2", "algo-3"), 1, "eth0")


def test_groups_of_different_types_are_refused(tree):
    write_groups(tree, "algo-3")
    with pytest.raises(
        InputError, match=r"data \(ml.c5.xlarge\), gpu \(ml.g5.xlarge\) have machines of different"
    ) as e:
        training_hosts(Environment())
    assert 'sagemaker_distribution_instance_groups, for example ["gpu"]' in str(e.value)


@pytest.mark.parametrize("chosen", ['["gpu"]', "gpu", '"gpu"'])
def test_only_hosts_of_the_chosen_groups_train(chosen, tree):
    write_groups(tree, "algo-2", chosen)
    hosts = training_hosts(Environment())
    assert (hosts.names, hosts.rank, hosts.master) == (("algo-1", "algo-2"), 1, "algo-1")
    write_groups(tree, "algo-3", chosen)
    assert training_hosts(Environment()) is None


def test_an_unknown_group_is_an_error_with_the_nearest_name(tree):
    write_groups(tree, "algo-1", json.dumps(["gpus"]))
    with pytest.raises(InputError, match=r"no instance group 'gpus'; instance groups: data, gpu.*nearest: gpu"):
        training_hosts(Environment())


def test_with_one_group_or_none_all_hosts_train(tree):
    assert training_hosts(Environment()).names == ("algo-1",)
    write_config(tree, "resourceconfig.json", {"current_host": "b", "hosts": ["b", "a"]})
    assert training_hosts(Environment()).names == ("a", "b")
