"""The image's entry point: `python -m container.entrypoint JOB [FLAGS]`.

    train | inference | inference_TTA | evaluation  [FLAGS]   a job as a supervised process; train.py means train
    serve [FLAGS]                                             the server as a supervised process
    PROGRAM [ARGUMENTS]                                       any other program, run in place of this process

A job runs as a child of this process; with several GPUs or hosts, torchrun starts its processes. Signals are passed on
to the job. On SageMaker, output/failure or output/success reports how it ended.

Exit codes: 0 done, or stopped by SIGTERM with the model saved; 1 error; 2 bad input or settings; 130 Ctrl-C; 137
killed; 143 stopped by SIGTERM with nothing saved except the finished parts of an inference.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from container import settings_layers
from container.cuda_compat import compat_variables
from container.environment import FAILURE_FILE, RANKS_DIR, Environment
from container.failure import FAILURE, Report
from container.instance_groups import training_hosts
from container.job_script import LESS_MEMORY, SHARED_MEMORY, on_sigterm, report_exception
from container.job_types import JOB_TYPES, SERVE, TRAIN, JobType, find_job_type
from container.locations import Locations
from container.model_check import fingerprints, require_model, run_folders
from container.opt_ml import Hosts
from container.ownership import OwnedFolder, hand_over, owned_folders
from container.project_root import PROJECT_ROOT
from container.sm_variables import sm_variables
from container.supervise import ExitStatus, supervise
from container.torchrun import process_count, torchrun, torchrun_variables, wait_for_names
from container.torchrun_child import first_failure
from model.errors import ExitCode, InputError, did_you_mean, listing
from model.settings.cli import requested_text, version_text
from model.settings.inference import InferenceSettings

OUT_OF_MEMORY = (
    f"out of memory: the system killed a process of this job; {LESS_MEMORY}, or give the container more memory"
)


def main(argv: Sequence[str]) -> int:
    """Runs the job or program that the arguments name. Returns the exit code."""
    signal.signal(signal.SIGTERM, on_sigterm)  # PID 1 has no default handler
    if argv and argv[0] == "--version":
        print(version_text())
        return ExitCode.DONE
    if not argv or argv[0] in ("-h", "--help"):
        print(__doc__)
        return ExitCode.DONE if argv else ExitCode.BAD_INPUT
    name, *flags = argv
    job_type = find_job_type(name)
    if job_type is not None:
        return run_job(job_type, flags)
    program = shutil.which(name)
    if program is not None:
        os.execve(program, [name, *flags], program_variables())
    nearest = did_you_mean(name.removesuffix(".py"), JOB_TYPES)
    problem = f"{name!r} is neither a job nor a program; jobs: {listing(JOB_TYPES)}{nearest}"
    report = Environment().report
    written = owned_folders([report.folder] if report.folder else [])
    report.begin()
    report.failed(problem)
    hand_over(written)
    raise InputError(problem)


def run_job(job_type: JobType[Any], flags: Sequence[str]) -> int:
    """Runs a job as a supervised process and reports to SageMaker how it ended. Returns its exit code."""
    if requested_text(flags) is not None:
        os.execv(sys.executable, command(job_type, flags))
    env = Environment()
    report = Report(None) if job_type is SERVE else env.report
    report.begin()
    written = owned_folders([report.folder] if report.folder else [])
    try:
        # check the settings before anything is started; the server reads its own
        settings: Any = None if job_type is SERVE else settings_layers.read(job_type, flags, "")[0]
        locations = Locations(env)
        written += owned_folders(job_type.written(locations, settings))
        # hosts of instance groups that do not train end here
        hosts = training_hosts(env) if job_type is TRAIN else env.hosts
        if hosts is None:
            return end_idle(report, written)
        # run the job
        before = fingerprints(run_folders(settings, locations) if job_type is TRAIN else [])
        with tempfile.TemporaryDirectory(prefix="rarebird-") as notes:
            status, failure = start(job_type, flags, settings, env, hosts, Path(notes))
        # exit code and reason, from its exit status and from whether it saved a model
        code, reason = outcome(job_type, status, failure)
        if job_type is TRAIN and hosts.rank == 0:
            code, reason = require_model(code, reason, status, settings, locations, before)
        if code and reason != failure:  # the job itself has printed its own failure
            print(f"error: {reason}", file=sys.stderr)
    except BaseException as error:
        code, reason = report_exception(error)
        code = ExitCode.DONE if job_type is SERVE and code == ExitCode.TERMINATED else code
    if code:
        report.failed(reason)
    else:
        report.succeeded(f"{job_type.name} done")
    hand_over(written)
    return code


def end_idle(report: Report, written: Sequence[OwnedFolder]) -> int:
    """Ends a host whose instance group does not train. Returns the exit code."""
    message = "this host's instance group does not train; nothing to do"
    print(message)
    report.succeeded(message)
    hand_over(written)
    return ExitCode.DONE


def command(job_type: JobType[Any], flags: Sequence[str]) -> list[str]:
    """The command line of a job that runs as one process."""
    program = ["-m", "container.serve"] if job_type.script is None else [str(PROJECT_ROOT / job_type.script)]
    return [sys.executable, *program, *flags]


def child_variables(env: Environment) -> dict[str, str]:
    """The environment variables of child processes. Variables that are already set, in .env too, are kept."""
    path = os.pathsep.join(filter(None, [str(PROJECT_ROOT), os.environ.get("PYTHONPATH")]))
    defaults = {name: env.variables.get(name, value) for name, value in sm_variables(env).items()}
    return {**defaults, **os.environ, **compat_variables(os.environ), "PYTHONPATH": path}


def program_variables() -> dict[str, str]:
    """child_variables, but without the SM_* variables if /opt/ml is damaged, so that a program can inspect it."""
    try:
        return child_variables(Environment())
    except Exception as error:
        print(f"warning: the SM_* variables are not set: {error}", file=sys.stderr)
        return {**os.environ, **compat_variables(os.environ)}


def start(
    job_type: JobType[Any], flags: Sequence[str], settings: Any, env: Environment, hosts: Hosts, notes: Path
) -> tuple[ExitStatus, str]:
    """Runs a job to its end, as one process or with torchrun.

    Args:
        job_type: The job.
        flags: Its flags.
        settings: Its settings from the flags and all other layers; None for the server.
        env: The environment of the job.
        hosts: The machines that work on it.
        notes: An empty folder, where each process writes how it ended.

    Returns:
        The exit status, and the error message that the job wrote, "" if it wrote none.
    """
    variables = child_variables(env)
    if job_type is not TRAIN:
        hosts = replace(hosts, names=(hosts.current,))  # in other jobs each host works on its own
    processes = processes_of(job_type, settings, env.variables)
    # one process
    if processes * len(hosts.names) == 1:
        failure = notes / FAILURE
        status = supervise(command(job_type, flags), {**variables, FAILURE_FILE: str(failure)})
        return status, failure.read_text(encoding="utf-8") if failure.is_file() else ""
    # several: torchrun
    if len(hosts.names) > 1:
        wait_for_names(hosts)
    variables |= {**torchrun_variables(hosts, processes, variables), RANKS_DIR: str(notes)}
    script = PROJECT_ROOT / str(job_type.script)
    status = supervise(torchrun(script, flags, processes, hosts, variables), variables, to_children=True)
    first = first_failure(notes) if status.code else None
    if first is not None:
        return first.status, first.failure
    stopped = status.code and status.received == signal.SIGTERM  # before torchrun started the script
    return replace(status, code=ExitCode.TERMINATED) if stopped else status, ""


def processes_of(job_type: JobType[Any], settings: Any, variables: Mapping[str, str]) -> int:
    """Number of processes that this host starts for a job.

    Args:
        job_type: The job.
        settings: Its settings; None for the server.
        variables: Environment variables.
    """
    if job_type is TRAIN:
        return process_count(settings.processes_per_host, settings.device, variables)
    if job_type.settings is InferenceSettings and not settings.pictures:
        return process_count(settings.processes, settings.device, variables)
    return 1


def outcome(job_type: JobType[Any], status: ExitStatus, failure: str) -> tuple[int, str]:
    """The exit code of a job and the reason why it failed.

    Args:
        job_type: The job.
        status: The exit status of its process.
        failure: The error message that the job wrote, "" if it wrote none.

    Returns:
        The exit code, and the reason, "" if the job succeeded.
    """
    name = job_type.name
    if job_type is SERVE and status.code == ExitCode.TERMINATED and status.received == signal.SIGTERM:
        return ExitCode.DONE, ""  # stopped before it served anything
    other_reasons = (ExitCode.DONE, ExitCode.BAD_INPUT, ExitCode.INTERRUPTED, ExitCode.TERMINATED)
    if status.out_of_memory and status.code not in other_reasons:
        is_named = failure.startswith("out of memory")
        return ExitCode.KILLED, failure if is_named else f"{OUT_OF_MEMORY}\n{failure}".strip()
    if failure or not status.code:
        return status.code, failure
    if status.code == ExitCode.KILLED:
        return ExitCode.KILLED, f"{name} was killed by SIGKILL, probably because memory ran out: {LESS_MEMORY}"
    if status.code == ExitCode.TERMINATED:
        return ExitCode.TERMINATED, f"{name} was stopped by SIGTERM before anything was saved"
    if status.code == ExitCode.INTERRUPTED or status.killed_by is None:
        return status.code, f"{name} ended with exit code {status.code}; see the log"
    hint = f"; {SHARED_MEMORY}" if status.killed_by == signal.SIGBUS else ""
    return ExitCode.FAULT, f"{name} was killed by {status.killed_by.name}{hint}"


if __name__ == "__main__":
    try:
        exit_code = main(sys.argv[1:])
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        exit_code, _ = report_exception(error)
    sys.exit(exit_code)
