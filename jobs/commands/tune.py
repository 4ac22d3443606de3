"""Search for the best settings with a SageMaker tuning job: it runs many trainings and keeps the best by a metric.

    python -m jobs tune --data data/train --ranges '{lr: [0.0001, 0.01], loss: [focal, cross_entropy]}' --trainings 20

--max_hours limits the time of the whole search; --stop_after and --target_score end it earlier. --wait prints the
progress of the trainings, then the best ones, and downloads the best model. The exit code is 1 if most trainings
failed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jobs.aws.clients import Clients
from jobs.aws.earlier_outputs import find_output
from jobs.aws.job_kinds import TUNING
from jobs.backends.sagemaker import create, follow_and_fetch, follow_command, plan_inputs, save_record, upload_inputs
from jobs.commands.dry_run import check_or_print
from jobs.commands.launch import upload_source, warn_not_sent, with_source
from jobs.requests.tuning import Search, check_objective, parameter_ranges, tuning_config, tuning_request
from jobs.results.tuning_run import TuningFollower
from jobs.spec.job import unique_name
from jobs.spec.job_from_flags import read_job
from jobs.spec.results_folder import ResultsFolder
from model.errors import ExitCode

TUNING_NAME_LENGTH = 32  # most characters of a tuning job's name (boto3, HyperParameterTuningJobName)


def main(argv: Sequence[str]) -> int:
    # read the training and the search
    command = read_job("tune", argv, __doc__ or "", find_output)
    warn_not_sent(command)
    flags = command.flags
    name = flags.job_name or short_unique_name(command.settings.name)
    job, source = with_source(replace(command.job, name=name), flags)
    if flags.spot:
        print(
            "trainings of a search keep no checkpoints: one that loses its spot machine restarts from scratch",
            file=sys.stderr,
        )
    search = Search(
        objective=flags.objective,
        trainings=None if flags.strategy == "Grid" else flags.trainings,
        at_once=flags.at_once,
        strategy=flags.strategy,
        stop_early=flags.stop_early,
        seed=command.settings.seed or None,
        max_hours=flags.max_hours,
        stop_after=flags.stop_after,
        target_score=flags.target_score,
    )
    check_objective(flags.objective, flags.ranges.get("best_criterion", [command.settings.best_criterion]))
    config = tuning_config(parameter_ranges(flags.ranges, command.settings, flags.isolated), search)
    # check or print the request
    clients = Clients(flags.region, flags.profile)
    job_in_s3, uploads = plan_inputs(job, None if flags.dry_run else clients)
    request = tuning_request(job_in_s3, config)
    if check_or_print(flags, [("create_hyper_parameter_tuning_job", request)], name=name):
        return ExitCode.DONE
    # upload and start
    if source is not None:
        upload_source(source, clients, flags.kms_key)
    upload_inputs(job, uploads, clients, flags.delete, print)
    create(clients, "create_hyper_parameter_tuning_job", request, print)
    record = save_record(clients, TUNING, "tune", Path(flags.results) / name, request, {})
    print(f"started tuning {name}; {follow_command(name)}")
    if not flags.wait:
        return ExitCode.DONE
    return follow_and_fetch(TuningFollower(clients, TUNING, name), ResultsFolder(record.folder))[0]


def short_unique_name(stem: str) -> str:
    """Returns a unique name that is short enough for a tuning job."""
    name = unique_name(stem)
    if len(name) <= TUNING_NAME_LENGTH:
        return name
    tail = "-".join(name.rsplit("-", 3)[1:])
    return f"{name[: TUNING_NAME_LENGTH - len(tail) - 1].strip('-')}-{tail}"
