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
from tests.jobs.conftest import ACCOUNT, BUCKET, MANIFEST, ROOT, run_jobs, saved_model, write_training_results
from tests.readme import blocks

HEAVY = {"torch", "numpy", "pandas", "PIL", "boto3", "botocore", "regex", "tqdm"}


HELP_PROGRAM = """
import contextlib, io, json, sys
from jobs.__main__ import main
texts = []
for argv in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.suppress(SystemExit):
        main(argv)
    texts.append((output.getvalue(), list(sys.modules)))
print(json.dumps(texts))
"""
CLOSED_PIPE_PROGRAM = """
import importlib, json, os, sys
from jobs.__main__ import main
for module in ("jobs.commands.train", "jobs.commands.stop", "jobs.requests.validation"):
    importlib.import_module(module)  # once for all command lines
codes = []
for argv in json.loads(sys.argv[1]):
    pid = os.fork()
    if not pid:
        sys.exit(main(argv))
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
sys.exit(any(codes))
"""


def help_texts(*command_lines: list[str]) -> list[tuple[str, set[str]]]:
    """Returns the output of `python -m jobs ARGV` for each ARGV, and the modules imported so far, in one process."""
    arguments = [sys.executable, "-c", HELP_PROGRAM, json.dumps(command_lines)]
    completed = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, check=True)
    return [(output, set(modules)) for output, modules in json.loads(completed.stdout)]


def test_help_lists_the_subcommands_and_imports_none_of_them():
    ((output, modules),) = help_texts(["--help"])
    assert all(re.search(rf"^  {name}\b", output, re.M) for name in SUBCOMMANDS)
    assert output.startswith("usage: python -m jobs SUBCOMMAND") and "\n    python -m jobs train --data" in output
    assert not {name for name in modules if name.startswith(("jobs.", "container", "model.settings"))} - {
        "jobs.__main__"
    }


def test_help_of_a_subcommand_needs_neither_torch_nor_boto3():
    texts = help_texts(*([name, "--help"] for name in SUBCOMMANDS))
    for name, (output, modules) in zip(SUBCOMMANDS, texts, strict=True):
        assert not HEAVY & modules, name
        assert output.startswith(f"usage: python -m jobs {name} ") and "--" in output
        assert f"\n    python -m jobs {name}" in output  # an example
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
def test_a_closed_pipe_is_not_an_error(unbuffered):
    command_lines = [
        ["--help"],
        ["train", "--help"],
        ["stop", "--help"],
        ["train", *ACCOUNT, "--dry_run", "--data", "s3://b/t"],
    ]
    reader, writer = os.pipe()
    os.close(reader)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    arguments = [sys.executable, "-c", CLOSED_PIPE_PROGRAM, json.dumps(command_lines)]
    completed = subprocess.run(arguments, stdout=writer, stderr=subprocess.PIPE, env=env)
    os.close(writer)
    assert (completed.returncode, completed.stderr) == (0, b"")


def test_the_readmes_commands_run(aws: Callable[[str], Any], tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    """The commands of the section SageMaker run unchanged on a moto server."""
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
    write_training_results("people", tmp_path, model=saved_model(tmp_path / "model"))
    aws("s3").put_object(Bucket=BUCKET, Key="rarebird/people-test/output/output.csv", Body=b"ImageID,ans\n")

    commands = re.findall(r"^python -m jobs (.+)$", "".join(blocks("SageMaker", "sh")), re.M)
    assert commands[:2] == ["doctor", "image"] and len(commands) == 7
    for command in commands:
        if command != "image":
            assert run_jobs(*shlex.split(command)) == 0, (command, capsys.readouterr().err)
    assert Path("results/people-test/output/output.csv").is_file()
