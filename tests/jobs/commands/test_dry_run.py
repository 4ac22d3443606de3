"""Checking requests, and printing them in a dry run: the first step of every subcommand that creates resources."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.commands.dry_run import check_or_print
from jobs.spec.flag_groups import RequestFlags
from jobs.spec.flags import FLAGS
from jobs.spec.model_flags import DeployFlags
from model.errors import InputError
from tests.jobs.recorded_calls import Recorder, install, run_recorded, write_inputs
from tests.jobs.spec.test_flag_groups import command_line

GROUP = ("create_model_package_group", {"ModelPackageGroupName": "faces"})
CREATING = [name for name, cls in FLAGS.items() if issubclass(cls, RequestFlags)]
WRITE_NO_RECORD = ("register",)  # and starts nothing that AWS charges for
WRONG: tuple[str, dict[str, Any]] = ("create_model_package_group", {"ModelPackageGroupName": "a_b"})


@pytest.mark.parametrize("dry_run", [True, False])
def test_requests_are_printed_only_in_a_dry_run(dry_run, capsys):
    assert check_or_print(DeployFlags(dry_run=dry_run), [GROUP], name="e-1") is dry_run
    out = capsys.readouterr().out
    assert json.loads(out) == GROUP[1] if dry_run else out == ""


@pytest.mark.parametrize(("requests", "also_checked"), [([WRONG], []), ([GROUP], [WRONG])])
def test_invalid_requests_are_errors_and_are_not_printed(requests, also_checked, capsys):
    with pytest.raises(InputError, match="ModelPackageGroupName"):
        check_or_print(DeployFlags(dry_run=True), requests, also_checked, name="e-1")
    assert capsys.readouterr().out == ""


def test_the_errors_of_all_requests_are_in_one_message():
    with pytest.raises(InputError) as raised:
        check_or_print(DeployFlags(), [WRONG, GROUP, WRONG], name="e-1")
    assert str(raised.value).count("request create_model_package_group:") == 2


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    (folder / "earlier" / "exp-3").mkdir()
    return folder


@pytest.fixture
def run(inputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Callable[[str, str], tuple[int, list[Any]]]:
    """Runs a subcommand in the folder of the inputs, and records its actions."""
    recorder = Recorder()
    monkeypatch.chdir(inputs)
    install(recorder, monkeypatch)
    return lambda command, arguments: run_recorded(recorder, capsys, command, shlex.split(arguments))


@pytest.mark.parametrize("folder", ["exp-1", "exp-3"])  # a training; results without a record
@pytest.mark.parametrize("command", CREATING)
def test_the_record_and_results_of_another_job_are_never_replaced(command, folder, run):
    """Every subcommand that creates resources checks this before it uploads or creates anything."""
    before = Path("earlier/exp-1/job.json").read_bytes()
    arguments = command_line(command).replace("exp-9", folder)
    code, (calls, _, err, files) = run(command, f"{arguments} --results earlier")
    if command in WRITE_NO_RECORD:
        assert code == 0 and not files
    else:
        assert (code, calls, files) == (2, [], [])
        assert f"earlier/{folder} already exists" in err and "use another --job_name" in err
    assert Path("earlier/exp-1/job.json").read_bytes() == before


@pytest.mark.parametrize("command", CREATING)
def test_costs_are_printed_first(command, run):
    _, (calls, out, _, _) = run(command, command_line(command))
    assert calls and out.startswith("AWS charges for: ") is (command not in WRITE_NO_RECORD)
    assert "AWS charges for: " not in run(command, f"{command_line(command)} --dry_run")[1][1]
