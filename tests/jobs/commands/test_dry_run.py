"""Requests checked, and printed in a dry run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobs.commands.dry_run import check_or_print
from jobs.spec.model_flags import DeployFlags
from model.errors import InputError

GROUP = ("create_model_package_group", {"ModelPackageGroupName": "faces"})
WRONG: tuple[str, dict[str, Any]] = ("create_model_package_group", {"ModelPackageGroupName": "a_b"})


@pytest.mark.parametrize("dry_run", [True, False])
def test_requests_are_printed_in_a_dry_run_alone(dry_run, capsys):
    assert check_or_print(DeployFlags(dry_run=dry_run), [GROUP], name="e-1") is dry_run
    out = capsys.readouterr().out
    assert json.loads(out) == GROUP[1] if dry_run else out == ""


@pytest.mark.parametrize(("requests", "also_checked"), [([WRONG], []), ([GROUP], [WRONG])])
def test_wrong_requests_are_refused_and_nothing_is_printed(requests, also_checked, capsys):
    with pytest.raises(InputError, match="ModelPackageGroupName"):
        check_or_print(DeployFlags(dry_run=True), requests, also_checked, name="e-1")
    assert capsys.readouterr().out == ""


def test_the_errors_of_all_requests_are_in_one_message():
    with pytest.raises(InputError) as raised:
        check_or_print(DeployFlags(), [WRONG, GROUP, WRONG], name="e-1")
    assert str(raised.value).count("request create_model_package_group:") == 2
