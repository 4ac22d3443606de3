"""Searches settings on SageMaker: many trainings, of which the best by a metric is fetched.

python -m jobs tune --data data/train --ranges '{lr: [0.0001, 0.01], loss: [focal, cross_entropy]}' --trainings 20
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from container.job_types import TRAIN
from jobs.aws.job_kinds import TUNING
from jobs.commands.launch import send_source, tell_left, with_source
from jobs.requests.train_and_process import as_json, tuning_request
from jobs.requests.tuning import parameter_ranges, tuning_config
from jobs.spec.flags import SAGEMAKER, TuneFlags
from jobs.spec.from_flags import describe
from jobs.spec.inputs import with_s3_inputs
from jobs.spec.job import unique_name

NAME_LENGTH = 32  # of tuning jobs, BC HyperParameterTuningJobName


def main(argv: Sequence[str]) -> int:
    described = describe(TRAIN, ["--on", SAGEMAKER, *argv], __doc__ or "", TuneFlags)
    flags = described.flags
    tell_left(described)
    name = flags.job_name or short_name(described.settings.name)
    asked, source = with_source(replace(described.job, name=name), flags)
    if flags.spot:
        print(
            "a training that loses its spot machine begins anew: those of a search keep no checkpoints", file=sys.stderr
        )
    job = with_s3_inputs(asked)
    seed = described.settings.seed or None
    tuning = tuning_config(
        parameter_ranges(flags.ranges),
        flags.objective,
        flags.trainings,
        flags.at_once,
        flags.strategy,
        flags.stop_early,
        seed,
    )
    if flags.strategy == "Grid":  # the grid itself says how many there are
        del tuning["ResourceLimits"]["MaxNumberOfTrainingJobs"]
    request = tuning_request(job, tuning)

    from jobs.aws.clients import Clients
    from jobs.aws.follow import Follower
    from jobs.backends import sagemaker

    sagemaker.checked([("create_hyper_parameter_tuning_job", request)])
    if flags.dry_run:
        print(as_json([("create_hyper_parameter_tuning_job", request)]))
        return 0
    clients = Clients(flags.region, flags.profile)
    if source is not None:
        send_source(source, clients, flags.kms_key)
    sagemaker.send_inputs(asked, clients, flags.delete, print)
    sagemaker.send(clients, "create_hyper_parameter_tuning_job", request, print)
    record = sagemaker.remember(clients, TUNING, "tune", name, Path(flags.results), request, {})
    print(f"started tuning {name}; {sagemaker.how_to_come_back(name)}")
    if not flags.wait:
        return 0
    return sagemaker.wait_for(Follower(clients, TUNING, name, logs=False), record.folder)[0]


def short_name(stem: str) -> str:
    """A unique name of the length that tuning jobs may have."""
    made = unique_name(stem)
    tail = "-".join(made.rsplit("-", 3)[1:])
    return f"{made[: NAME_LENGTH - len(tail) - 1].strip('-')}-{tail}" if len(made) > NAME_LENGTH else made
