"""Inputs that name an earlier job: resolves the name to the path or S3 URI of its model, predictions or evaluation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from container.job_types import INFERENCE, JOB_TYPES, TRAIN
from jobs.spec.flag_groups import SAGEMAKER
from jobs.spec.inputs import is_remote
from jobs.spec.job import PARTS
from jobs.spec.record import find_record, read_records, refuse_ambiguous
from jobs.spec.results_folder import ResultsFolder
from model.errors import InputError

TUNE, TRANSFORM = "tune", "transform"  # subcommands whose results can be used only after they are fetched
FETCHED_RESULTS = {TUNE: "its best model", TRANSFORM: "its predictions as output.csv"}


# (job name, name of the input, the launcher's flags) -> S3 URI of the job's result, None without a job of that name
Lookup = Callable[[str, str, Any], str | None]


def resolve_source(source: str, input_name: str, flags: Any, lookup: Lookup | None = None) -> str:
    """Resolves a job name to the path or S3 URI of its output; a path or S3 URI is returned unchanged.

    Results on this machine are preferred to those in S3, if the backend can use them. For a tuning job, the best
    training's model; for a transform, its predictions as output.csv. Both must be fetched first.

    Args:
        source: A path, an S3 URI, a job's name or the start of it, or `latest`.
        input_name: The input that the source is for: model, predictions, evaluation, ...
        flags: The launcher's flags, with `results` and `on`.
        lookup: Looks up a job on SageMaker; not used with --dry_run.

    Raises:
        InputError: The job failed or has not ended, or the names of several jobs start with `source`.
    """
    if is_remote(source) or not source or Path(source).exists() or "/" in source:
        return source
    results, commands = Path(flags.results), producers(input_name)
    record = find_record(results, source, commands)
    if not commands or flags.dry_run:
        lookup = None
    if record is None:
        if commands:
            refuse_ambiguous(results, source, read_records(results, commands))
        return (lookup(source, input_name, flags) if lookup else None) or source
    if record.failed and input_name != PARTS:
        raise InputError(f"{input_name}: {record.command} {record.name} {record.state}, so its results cannot be used")
    folder = next(
        (job_type.feeds[input_name] for job_type in JOB_TYPES.values() if input_name in job_type.feeds), "output"
    )
    # results on this machine, if the backend can use them
    local = record.folder / folder
    if local.is_dir() and (flags.on != SAGEMAKER or record.on != SAGEMAKER):
        return str(local)
    hosts = ResultsFolder(record.folder).hosts
    if input_name == PARTS and hosts.is_dir() and flags.on != SAGEMAKER:
        return str(hosts)  # the job was killed together with its launcher, which had no time to collect its parts
    # results that fetch prepares
    if record.command in FETCHED_RESULTS:
        if local.is_dir():
            return str(local)
        uri = lookup(record.name, input_name, flags) if lookup else None
        if uri is None:
            result = FETCHED_RESULTS[record.command]
            raise InputError(f"{input_name}: first download {result} with: python -m jobs fetch {record.name}")
        return uri
    if record.on == SAGEMAKER and lookup and input_name != PARTS:  # ask whether the job has ended, and how
        return lookup(record.name, input_name, flags) or record.outputs.get(folder, str(local))
    return record.outputs.get(folder, str(local))


def producers(input_name: str) -> tuple[str, ...] | None:
    """Returns the subcommands whose jobs an input may name; None for any."""
    names = [job_type.name for job_type in JOB_TYPES.values() if input_name in job_type.feeds]
    if TRAIN.name in names:
        return (*names, TUNE)
    return (*names, TRANSFORM) if INFERENCE.name in names else tuple(names) or None
