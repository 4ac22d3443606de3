"""The launcher's flags."""

from __future__ import annotations

import dataclasses

from container.job_types import EVALUATION, INFERENCE, TRAIN
from jobs.spec.flags import (
    DeployFlags,
    EvaluationFlags,
    ProcessFlags,
    RegisterFlags,
    TrainFlags,
    TransformFlags,
    TuneFlags,
)
from model.settings.fields import build


def test_the_launchers_flags_are_none_of_the_jobs():
    pairs = [(TRAIN, TrainFlags), (TRAIN, TuneFlags), (INFERENCE, ProcessFlags), (EVALUATION, EvaluationFlags)]
    for job_type, flags in pairs:
        ours = {field.name for field in dataclasses.fields(flags)}
        assert ours.isdisjoint(field.name for field in dataclasses.fields(job_type.settings))
    for flags in (TransformFlags, DeployFlags, RegisterFlags):
        assert build(flags, []) == flags()
