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
from tests.jobs.conftest import ACCOUNT, BUCKET, MANIFEST, ROOT, leave, run_jobs, saved_model
from tests.readme import blocks

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


def test_the_readmes_commands_run(aws: Callable[[str], Any], tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    """Those of the section SageMaker, as they are, against a moto server; tests of the image build it."""
    monkeypatch.delitem(CHECKS, "engine")
    trust = {"Statement": [{"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    role = aws("iam").create_role(RoleName="Jobs", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    repository = repository_uri(aws("ecr"), "rarebird")
    aws("ecr").put_image(repositoryName="rarebird", imageManifest=MANIFEST, imageTag="1")
    Path(".env").write_text(f"SAGEMAKER_ROLE={role}\nSAGEMAKER_BUCKET={BUCKET}\nSAGEMAKER_IMAGE={repository}:1\n")
    Path("configs").symlink_to(ROOT / "configs")
    for name in ("train", "test"):
        Path("data/people", name).mkdir(parents=True)
        Path("data/people", name, "labels.csv").write_text("file,person,mask,gender,age\n")
    leave("people", tmp_path, model=saved_model(tmp_path / "model"))
    aws("s3").put_object(Bucket=BUCKET, Key="rarebird/people-test/output/output.csv", Body=b"ImageID,ans\n")

    commands = re.findall(r"^python -m jobs (.+)$", "".join(blocks("SageMaker", "sh")), re.M)
    assert commands[:2] == ["doctor", "image"] and len(commands) == 7
    for command in commands:
        if command != "image":
            assert run_jobs(*shlex.split(command)) == 0, (command, capsys.readouterr().err)
    assert Path("results/people-test/output/output.csv").is_file()
