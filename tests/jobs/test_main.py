"""`python -m jobs`: its help, its imports, its output in a pipe, and the README's commands."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.__main__ import SUBCOMMANDS
from jobs.commands.doctor import CHECKS
from jobs.commands.image import repository_uri
from model import __version__
from tests.jobs.conftest import ACCOUNT, BUCKET, MANIFEST, ROOT, leave, run_jobs, saved_model

ELSEWHERE = ("image", "--on docker", "--job_name trial")  # README's commands that the tests of the image run
HEAVY = {"torch", "numpy", "pandas", "PIL", "boto3", "botocore", "regex", "tqdm"}


def imported(*argv: str) -> tuple[set[str], str]:
    """The modules that are imported by `python -m jobs ARGV`, and what it prints."""
    code = (
        f"import sys; from jobs.__main__ import main\n"
        f"try: main({list(argv)!r})\n"
        f"except SystemExit: pass\n"
        f"print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    output, _, modules = done.stdout.rstrip("\n").rpartition("\n")
    return set(modules.split()), output


def test_help_lists_the_subcommands_and_imports_none_of_them():
    modules, output = imported("--help")
    assert all(re.search(rf"^  {name}\b", output, re.M) for name in SUBCOMMANDS)
    assert not {name for name in modules if name.startswith(("jobs.", "container", "model.settings"))} - {
        "jobs.__main__"
    }


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_help_of_a_subcommand_needs_neither_torch_nor_boto3(name):
    modules, output = imported(name, "--help")
    assert not HEAVY & modules
    assert "--" in output
    if name == "train":
        assert "--instance TEXT" in output and "--epochs N" in output


def test_help_of_train_has_the_common_settings_and_help_all_every_one(capsys):
    texts = []
    for flag in ("--help", "--help-all", "--version"):
        with pytest.raises(SystemExit):
            run_jobs("train", flag)
        texts.append(capsys.readouterr().out)
    short, all_settings, version = texts
    assert "settings: python -m jobs train --help-all\n" in short and "--effective_beta" not in short
    assert "--effective_beta" in all_settings and "--instance TEXT" in all_settings
    assert version == f"rarebird {__version__}\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "argv",
    [["--help"], ["train", "--help"], ["stop", "--help"], ["train", *ACCOUNT, "--dry_run", "--data", "s3://b/t"]],
)
def test_a_reader_that_has_gone_changes_nothing(argv, unbuffered):
    reader, writer = os.pipe()
    os.close(reader)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run([sys.executable, "-m", "jobs", *argv], stdout=writer, stderr=subprocess.PIPE, env=env)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def readme_commands() -> list[str]:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## SageMaker\n")[1].split("\n## ")[0]
    return re.findall(r"^python -m jobs (.+)$", section, re.M)


def test_the_readmes_commands_run(aws: Callable[[str], Any], tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    """Those of the section SageMaker, as they are there, against a moto server."""
    monkeypatch.delitem(CHECKS, "engine")
    trust = {"Statement": [{"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    role = aws("iam").create_role(RoleName="Jobs", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    repository = repository_uri(aws("ecr"), "rarebird")
    aws("ecr").put_image(repositoryName="rarebird", imageManifest=MANIFEST, imageTag="1")
    Path(".env").write_text(f"SAGEMAKER_ROLE={role}\nSAGEMAKER_BUCKET={BUCKET}\nSAGEMAKER_IMAGE={repository}:1\n")
    Path("configs").symlink_to(ROOT / "configs")
    for name, file in (("train/a", "1.jpg"), ("eval", "1.jpg"), ("gt", "gt.csv")):
        Path("data", name).mkdir(parents=True)
        Path("data", name, file).write_bytes(b"x")
    leave("faces", tmp_path, model=saved_model(tmp_path / "model"))
    scores = {name: {"value": 0.5, "low": 0.4, "high": 0.6} for name in ("accuracy", "macro_f1")}
    evaluation = {"rarebird": scores, "multiclass_classification_metrics": {}}
    outputs = {"faces-answers/output/output.csv": b"ImageID,ans\n"}
    outputs["faces-scores/evaluation/evaluation.json"] = json.dumps(evaluation).encode()
    for key, content in outputs.items():
        aws("s3").put_object(Bucket=BUCKET, Key=f"rarebird/{key}", Body=content)

    commands = [command for command in readme_commands() if not any(part in command for part in ELSEWHERE)]
    assert len(commands) == 8 and len(readme_commands()) == 11
    for command in commands:
        assert run_jobs(*shlex.split(command)) == 0, (command, capsys.readouterr().err)
    assert "model-package/rarebird/1" in capsys.readouterr().out
