"""Our SM_* variables against those of AWS's training toolkit itself, on the same trees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
TOOLKIT = "sagemaker-training==5.1.4"
THEIRS = """
import json, os
from sagemaker_training import environment
found = environment.Environment().to_env_vars()
found |= {name: os.environ[name] for name in ("CURRENT_HOST", "SAGEMAKER_JOB_NAME", "SAGEMAKER_REGION")}
print(json.dumps(found))
"""
OURS = """
import json
from container.environment import Environment
from container.sm_variables import sm_variables
print(json.dumps(sm_variables(Environment())))
"""
ONE = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
GROUPS = [
    {"instance_group_name": "cpu", "instance_type": "ml.c5.xlarge", "hosts": ["algo-1"]},
    {"instance_group_name": "gpu", "instance_type": "ml.g5.xlarge", "hosts": ["algo-2", "algo-3"]},
]
SEVERAL = {
    "current_host": "algo-2",
    "hosts": ["algo-1", "algo-2", "algo-3"],
    "current_instance_type": "ml.g5.xlarge",
    "current_group_name": "gpu",
    "instance_groups": GROUPS,
    "network_interface_name": "ethwe",
}
FILE = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
ENCODED = {
    "lr": "0.001",
    "model": '"resnet18"',
    "pretrained": "True",
    "channels_last": "true",
    "augmentation": '{"flip": {"p": 0.5}, "erasing": {}}',
    "heads": "{'age': 1}",
    "input_size": "[128, 96]",
    "learning-rate": "1e-3",
    "note": '착용 "a"',
    "nothing": "null",
    "x": "7",
    "big": "12345678901234567890",
}
SCRIPT = {
    "sagemaker_program": '"train.py"',
    "sagemaker_submit_directory": '"s3://bucket/code.tar.gz"',
    "sagemaker_container_log_level": "10",
    "sagemaker_job_name": '"masks-1"',
    "sagemaker_region": '"eu-west-1"',
    "sagemaker_torch_distributed_enabled": "true",
    "_tuning_objective_metric": "val_f1",
}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, str]]] = {
    "local mode": ({}, {"train": {"TrainingInputMode": "File"}}, {**ONE, "current_instance_type": "local"}, {}),
    "encodings": (ENCODED, {"train": FILE, "my-val": FILE}, ONE, {"TRAINING_JOB_NAME": "masks-2"}),
    "script mode": (SCRIPT | {"epochs": "3"}, {"train": FILE, "code": FILE}, ONE, {}),
    "several hosts": (SCRIPT, {"train": FILE}, SEVERAL, {"AWS_DEFAULT_REGION": "us-east-1"}),
    "undistributed groups": ({"epochs": "3"}, {"train": FILE}, SEVERAL, {}),
    "named groups": (
        {"sagemaker_distribution_instance_groups": '["cpu"]', "sagemaker_mpi_enabled": "true"},
        {"train": FILE},
        SEVERAL,
        {"SAGEMAKER_PROGRAM": "other.py", "SAGEMAKER_TRAINING_MODULE": "a:b", "SM_HP_MP_PARAMETERS": '{"a": 1}'},
    ),
    "topology": ({}, {}, {**ONE, "topology": [{"hostName": "algo-1", "capacityUnitId": "u"}]}, {}),
}


@pytest.fixture(scope="module")
def toolkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toolkit's sources. Of what it needs, what it imports here (boto3, six) comes with Rarebird's packages."""
    folder = tmp_path_factory.mktemp("toolkit")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), TOOLKIT]
    fetched = subprocess.run(command, capture_output=True, text=True)
    if fetched.returncode:
        (pytest.fail if "RAREBIRD_CI" in os.environ else pytest.skip)(f"{TOOLKIT} cannot be had: {fetched.stderr}")
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, [m for m in archive.getmembers() if "/src/sagemaker_training/" in m.name])
    return next(folder.glob("*/src"))


def told(script: str, path: Path, variables: dict[str, str]) -> dict[str, str]:
    env = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "PYTHONPATH": str(path), **variables}
    ended = subprocess.run([sys.executable, "-c", script], env=env, cwd="/", capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, str] = json.loads(ended.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_variables_are_those_of_the_toolkit(case: str, toolkit: Path, tmp_path: Path):
    hyperparameters, channels, resources, variables = CASES[case]
    config = tmp_path / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    (config / "inputdataconfig.json").write_text(json.dumps(channels))
    (config / "resourceconfig.json").write_text(json.dumps(resources))
    variables = {"SAGEMAKER_BASE_DIR": str(tmp_path), **variables}
    theirs, ours = told(THEIRS, toolkit, variables), told(OURS, ROOT, variables)
    if theirs["SM_MODULE_NAME"] == "None":  # docs/containers.md, "Differences from AWS's toolkit"
        theirs["SM_MODULE_NAME"] = ""
    whole = [json.loads(each.pop("SM_TRAINING_ENV")) for each in (theirs, ours)]
    if whole[0]["module_name"] == "None":
        whole[0]["module_name"] = None
    assert ours == theirs
    assert whole[1] == whole[0]
