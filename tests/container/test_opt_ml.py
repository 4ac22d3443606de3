"""The content of the config files in /opt/ml."""

from __future__ import annotations

import pytest

from container.environment import Environment
from container.opt_ml import OptMl
from model.errors import InputError
from tests.container.conftest import write_config


def test_the_hosts_are_configured_or_this_machine(tree):
    assert (Environment().hosts.names, Environment().hosts.rank) == (("algo-1",), 0)
    write_config(tree, "resourceconfig.json", {"current_host": "algo-2", "hosts": ["algo-2", "algo-1", "algo-3"]})
    hosts = Environment().hosts
    assert (hosts.names, hosts.rank, hosts.master) == (("algo-1", "algo-2", "algo-3"), 1, "algo-1")
    write_config(tree, "resourceconfig.json", {"current_host": "algo-9", "hosts": ["algo-1"]})
    with pytest.raises(InputError, match="current_host 'algo-9' is not in hosts: algo-1"):
        Environment().hosts  # noqa: B018


def test_the_hosts_are_read_once_by_an_environment(tree, monkeypatch):
    read: list[str] = []
    real = OptMl.read_config
    monkeypatch.setattr(OptMl, "read_config", lambda self, name: read.append(name) or real(self, name))
    env = Environment()
    assert [env.hosts.rank for _ in range(3)] == [0, 0, 0]
    assert read == ["resourceconfig.json"]


def test_config_files_of_training_and_processing_jobs_are_read(tree):
    opt_ml = OptMl(tree)
    assert opt_ml.read_config("resourceconfig.json") == {}
    opt_ml.processing_config.mkdir()
    (opt_ml.processing_config / "resourceconfig.json").write_text('{"current_host": "b"}')
    assert opt_ml.read_config("resourceconfig.json") == {"current_host": "b"}
    write_config(tree, "resourceconfig.json", {"current_host": "a"})
    assert opt_ml.read_config("resourceconfig.json") == {"current_host": "a"}


def test_a_processing_job_is_recognised_by_its_config_or_its_folders(tmp_path):
    opt_ml = OptMl(tmp_path)
    assert not opt_ml.exists and not opt_ml.is_processing
    opt_ml.processing.mkdir()
    assert opt_ml.exists and opt_ml.is_processing
    opt_ml.input.mkdir()
    assert not opt_ml.is_processing
    opt_ml.processing_config.mkdir()
    (opt_ml.processing_config / "processingjobconfig.json").write_text("{}")
    assert opt_ml.is_processing


def test_inputs_are_listed_by_config_and_by_folder(tree):
    write_config(tree, "inputdataconfig.json", {"weights": {"TrainingInputMode": "File"}})
    opt_ml = OptMl(tree)
    opt_ml.processing_input("eval").mkdir(parents=True)
    assert opt_ml.input_names() == ["eval", "train", "weights"]
    folders = [opt_ml.input_folder(name) for name in ("eval", "train", "weights", "other")]
    assert folders == [opt_ml.processing_input("eval"), opt_ml.channel("train"), opt_ml.channel("weights"), None]


@pytest.mark.parametrize(("kind", "expected"), [("ShardedByS3Key", True), ("FullyReplicated", False)])
def test_a_channel_is_sharded_if_its_config_says_so(tree, kind, expected):
    write_config(tree, "inputdataconfig.json", {"train": {"S3DistributionType": kind}})
    opt_ml = OptMl(tree)
    assert opt_ml.is_sharded(opt_ml.channel("train")) is expected
    assert not opt_ml.is_sharded(tree / "elsewhere" / "train")
