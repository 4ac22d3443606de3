"""Inputs given by the name of an earlier job: where that job's model, answers or evaluation lie."""

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

TUNE, TRANSFORM = "tune", "transform"  # subcommands whose results can be used once they are fetched
WHAT_FETCH_BRINGS = {TUNE: "the best model of the search", TRANSFORM: "the answers of the transform as output.csv"}


# (a job's name, the input that it is for, the launcher's flags) -> S3 URI of what it left; None without such a job
Lookup = Callable[[str, str, Any], str | None]


def resolve_source(source: str, input_name: str, flags: Any, lookup: Lookup | None = None) -> str:
    """Resolves a job name to the path or S3 URI of its output; a path or S3 URI stays as it is.

    The results on this machine are taken where they are there and can be used, else those in S3. For a tuning job, the
    best training's model, and for a transform its answers as output.csv, once they are fetched.

    Args:
        source: A path, an S3 URI, a job's name, the beginning of it, or `latest`.
        input_name: The input that the source is for: model, predictions, evaluation, ...
        flags: The launcher's, with `results` and `on`.
        lookup: Asks SageMaker for a job that ran there; not with --dry_run.

    Raises:
        InputError: The job failed or has not ended, or several jobs begin with the name.
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
        raise InputError(f"{input_name}: {record.command} {record.name} {record.state}; nothing is taken from it")
    folder = next(
        (job_type.feeds[input_name] for job_type in JOB_TYPES.values() if input_name in job_type.feeds), "output"
    )
    local = record.folder / folder
    if local.is_dir() and (flags.on != SAGEMAKER or record.on != SAGEMAKER):
        return str(local)
    hosts = ResultsFolder(record.folder).hosts
    if input_name == PARTS and hosts.is_dir() and flags.on != SAGEMAKER:
        return str(hosts)  # the launcher of the job was killed, too
    if record.command in WHAT_FETCH_BRINGS:
        if local.is_dir():
            return str(local)
        found = lookup(record.name, input_name, flags) if lookup else None
        if found is None:
            what = WHAT_FETCH_BRINGS[record.command]
            raise InputError(f"{input_name}: python -m jobs fetch {record.name} brings {what} first")
        return found
    if record.on == SAGEMAKER and lookup and input_name != PARTS:  # only SageMaker knows whether it has ended, and how
        return lookup(record.name, input_name, flags) or record.outputs.get(folder, str(local))
    return record.outputs.get(folder, str(local))


def producers(input_name: str) -> tuple[str, ...] | None:
    """The subcommands whose jobs an input can be, by name or `latest`; None for any."""
    names = [job_type.name for job_type in JOB_TYPES.values() if input_name in job_type.feeds]
    if TRAIN.name in names:
        return (*names, TUNE)
    return (*names, TRANSFORM) if INFERENCE.name in names else tuple(names) or None
