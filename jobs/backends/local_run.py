"""What the two backends on this machine share: a job's record, its inputs, and the results once it has ended."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from container.opt_ml import OptMl
from jobs.aws.clients import Clients
from jobs.requests.processing import processing_request
from jobs.requests.training import training_request
from jobs.results.fetch import model_line, print_scores
from jobs.spec.console import PrintLine
from jobs.spec.job import PARTS, Job
from jobs.spec.record import STOPPED, JobRecord, utc_now
from jobs.spec.results_folder import ResultsFolder
from jobs.storage.mirror import mirror_folder, mirror_path
from jobs.storage.s3 import S3Uri
from model.artifacts.archive import pack
from model.artifacts.verify import Verified, verify
from model.errors import ExitCode, Failure, InputError

INPUTS = ".inputs"  # folder in RESULTS for inputs downloaded from S3


def start_record(job: Job, results: Path, on: str) -> JobRecord:
    """Creates the job's folder and writes its record.

    Args:
        job: The job.
        results: Folder with the results of all jobs.
        on: here or docker.

    Raises:
        InputError: There is a job of that name, or its checkpoints are in S3.
    """
    if job.checkpoints and job.checkpoints.startswith("s3://"):
        raise InputError(
            f"--checkpoints {job.checkpoints}: expected a folder of this machine; copy the checkpoints to one, or use "
            f"--on sagemaker"
        )
    folder = results / job.name
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise InputError(f"{folder} already exists; use another --job_name") from None
    request = training_request(job) if job.is_training else processing_request(job)
    kind = "training" if job.is_training else "processing"
    record = JobRecord(job.name, job.type.name, kind, on, utc_now(), folder, request=request)
    record.save()
    return record


def fetch_inputs(job: Job, record: JobRecord, clients: Clients) -> dict[str, Path]:
    """Returns the local path of each input by name. Inputs in S3 are downloaded to a folder that all jobs share, where
    unchanged files are reused. Files that the launcher generates have no path.

    After an error the job's folder is removed, since the job has not started.

    Args:
        job: The job.
        record: Its record.
        clients: Clients of the AWS account, for inputs in S3.

    Raises:
        InputError: An input does not exist in S3.
    """
    paths = {}
    try:
        for each in job.inputs:
            if each.content is not None:
                continue
            paths[each.name] = Path(each.source)
            if each.is_remote:
                uri = S3Uri.parse(each.source)
                folder = paths[each.name] = mirror_path(record.folder.resolve().parent / INPUTS, uri)
                if not any(mirror_folder(clients.s3, uri, folder)):
                    raise InputError(f"{each.name}: {each.source}: no such file or folder in S3")
    except BaseException:
        shutil.rmtree(record.folder)
        raise
    return paths


def also_logged(print_line: PrintLine, log: Path) -> PrintLine:
    """Returns a print_line that also appends each line to a job's log."""

    def print_and_log(line: str) -> None:
        with log.open("a", encoding="utf-8") as file:
            print(line, file=file)
        print_line(line)

    return print_and_log


def collect(
    job: Job, record: JobRecord, hosts: Mapping[str, OptMl], codes: Mapping[str, int], print_line: PrintLine
) -> JobRecord:
    """Moves the hosts' outputs to RESULTS/JOB, and saves the job's exit code in its record.

    The hosts' folders are kept if the job failed or was stopped.

    Args:
        job: The job.
        record: Its record.
        hosts: The folder of each host.
        codes: The exit code of each host, in the order in which they ended. The job's exit code is that of the first
            host that failed, because of which the others were stopped.
        print_line: Prints the model, the scores, or why the job failed.

    Returns:
        The record with the exit code.

    Raises:
        Failure: A training ended with 0 but wrote no valid model.
    """
    # move the outputs, and save the exit code even after an error
    results = ResultsFolder(record.folder)
    code = next((code for code in codes.values() if code), ExitCode.DONE)
    finished = True
    try:
        if job.is_training:
            model = _collect_training(job, results, list(hosts.values()), code, print_line)
            finished = model is not None and model.finished
        else:
            _collect_processing(job, results, list(hosts.values()), code, print_line)
    except BaseException:
        code = code or ExitCode.FAULT
        raise
    finally:
        record = replace(record, code=code, stopped=code == 0 and not finished)
        record.save()
    if code == 0:
        shutil.rmtree(results.hosts, ignore_errors=True)
        if results.hosts.exists():  # the container's root owns files in it
            print_line(f"warning: {results.hosts} cannot be removed; it is no longer needed")
        return record
    print_line(f"error: {job.type.name} {job.name} ended with exit code {code}; log: {results.log}")
    # print the failure file of the first host that wrote one
    failures = [hosts[host].output / "failure" for host in codes]
    reason = next((path.read_text(encoding="utf-8", errors="replace") for path in failures if path.is_file()), "")
    if reason and code not in STOPPED:
        print_line(reason)
    return record


def _collect_training(
    job: Job, results: ResultsFolder, hosts: Sequence[OptMl], code: int, print_line: PrintLine
) -> Verified | None:
    """Packs the model as SageMaker does, moves it and the output to the results, and verifies it.

    Returns:
        The model of a job that ended with 0 or was stopped; None if the job failed or wrote no model.
    """
    models = [opt_ml.model for opt_ml in hosts if any(opt_ml.model.iterdir())]
    if code == 0 and not models:
        raise Failure(f"{job.name} wrote no model to {', '.join(str(opt_ml.model) for opt_ml in hosts)}")
    model = merge_folders(models, results.hosts / "merged") if models else None
    if model is not None:
        pack(model, results.model_archive)
    outputs = [opt_ml.output_data for opt_ml in hosts]
    move_folder(merge_folders(outputs, results.hosts / "data"), results.output)
    if model is None or (code != 0 and code not in STOPPED):
        return None
    if code == 0:
        move_folder(model, results.model)
    else:  # the hosts' folders of a stopped job are kept
        shutil.copytree(model, results.model)
    verified = verify(results.model)
    print_line(model_line(verified))
    return verified


def _collect_processing(
    job: Job, results: ResultsFolder, hosts: Sequence[OptMl], code: int, print_line: PrintLine
) -> None:
    name = job.type.output
    outputs = [opt_ml.processing / name for opt_ml in hosts]
    move_folder(merge_folders(outputs, results.hosts / name), results.path / name)
    if code == 0:
        print_scores(results, print_line)
    elif keep_parts(results):
        print_line(f"to resume, add --resume_from {results.path.name} to the same command (with another --job_name)")


def keep_parts(results: ResultsFolder) -> bool:
    """Moves the finished parts of a stopped inference from its hosts to RESULTS/JOB/parts.

    Returns:
        Whether there are any.
    """
    folders = [folder for folder in results.hosts.glob(f"*/processing/{PARTS}/*") if folder.is_dir()]
    for folder in folders:
        results.parts.mkdir(exist_ok=True)
        move_folder(folder, results.parts / folder.name)
    return bool(folders)


def keep_checkpoints(job: Job, record: JobRecord, checkpoints: Path, print_line: PrintLine) -> None:
    """Prints how to resume a training that is not finished. Removes the checkpoints of a finished one, unless
    --checkpoints named their folder.

    Args:
        job: The job; nothing is done if it is not a training.
        record: Its record after the end.
        checkpoints: Folder of its checkpoints.
        print_line: Prints a line of output.
    """
    if not job.is_training:
        return
    if record.code or record.stopped:
        print_line(f"to resume, add --checkpoints {checkpoints} to the same command (with another --job_name)")
    elif not job.checkpoints:
        shutil.rmtree(checkpoints, ignore_errors=True)


def merge_folders(folders: Sequence[Path], target: Path) -> Path:
    """Merges the folders of several hosts as SageMaker does; of files with the same name the first host's is kept.

    Args:
        folders: The folder of each host.
        target: Folder to create if there are several.

    Returns:
        The only folder, or target.
    """
    if len(folders) == 1:
        return folders[0]
    target.mkdir(parents=True, exist_ok=True)
    for folder in reversed(folders):
        shutil.copytree(folder, target, dirs_exist_ok=True)
    return target


def move_folder(source: Path, target: Path) -> None:
    """Moves a folder. Raises Failure if the target exists."""
    if target.exists():
        raise Failure(f"{target} already exists")
    shutil.move(source, target)
