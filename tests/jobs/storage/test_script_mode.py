"""Script mode: the packed source, and the hyperparameters with which AWS's toolkit finds it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable

import pytest

from jobs.storage.script_mode import IN_AWS_CONTAINER, pack_source, requirements
from model.errors import InputError
from tests.jobs.conftest import ROOT


def test_script_mode_does_not_install_torch(tmp_path):
    archive = tmp_path / "sourcedir.tar.gz"
    required = pack_source(archive)
    assert required == requirements(ROOT) and any(line.startswith("timm") for line in required)
    assert not any(line.split(">")[0] in IN_AWS_CONTAINER for line in required)
    with tarfile.open(archive) as tar:
        names = tar.getnames()
        file = tar.extractfile("requirements.txt")
        assert file is not None and file.read().decode().split("\n")[:-1] == required
    assert {"train.py", "container/entrypoint.py", "model/settings/train.py"} <= set(names)
    assert not any("__pycache__" in name or name.startswith(("tests", ".git")) for name in names)


def test_hyperparameters_of_script_mode(dry_run: Callable[..., tuple[int, str, str]]):
    flags = ("--data", "s3://b/t", "--script_mode", "--job_name", "s-1", "--region", "eu-west-1", "--epochs", "2")
    code, out, err = dry_run("train", *flags)
    assert code == 0, err
    sent = json.loads(out)["HyperParameters"]
    assert sent["epochs"] == "2" and sent["sagemaker_program"] == '"train.py"'
    assert sent["sagemaker_submit_directory"] == '"s3://rarebird-test/rarebird/s-1/source/sourcedir.tar.gz"'


def test_a_folder_without_pyproject_is_an_error(tmp_path):
    with pytest.raises(
        InputError, match=r"contains no pyproject\.toml; script mode requires a checkout of the project"
    ):
        pack_source(tmp_path / "sourcedir.tar.gz", tmp_path)
