"""The launcher's flags by subcommand."""

from __future__ import annotations

import dataclasses

import pytest

from container.job_types import JOB_TYPES, SERVE
from jobs.__main__ import SUBCOMMANDS
from jobs.spec.flags import FLAGS, JOB_SETTINGS, flag_names, subcommands_with
from model.settings.fields import build


def test_every_subcommand_has_its_flags():
    assert list(FLAGS) == list(SUBCOMMANDS)


def test_every_launched_job_type_has_a_subcommand_that_takes_its_settings():
    launched = {name: job_type for name, job_type in JOB_TYPES.items() if job_type is not SERVE}
    assert launched.items() <= JOB_SETTINGS.items()


@pytest.mark.parametrize("command", JOB_SETTINGS)
def test_the_launchers_flags_and_the_jobs_settings_are_disjoint(command):
    settings = {field.name for field in dataclasses.fields(JOB_SETTINGS[command].settings)}
    assert settings.isdisjoint(flag_names(command))


@pytest.mark.parametrize("command", FLAGS)
def test_the_defaults_are_valid(command):
    flags = build(FLAGS[command], [])
    assert flags == FLAGS[command]()


def test_subcommands_with_a_flag_or_setting():
    assert subcommands_with("script_mode") == ["train", "tune"]
    assert subcommands_with("epochs") == ["train", "tune", "pipeline"]
    assert subcommands_with("model_dir") == [  # of training, inference and hosted models
        *("train", "inference", "inference_TTA", "transform", "tune", "deploy", "register", "pipeline")
    ]
    assert subcommands_with("epoks") == []
