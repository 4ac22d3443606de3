"""The way into the image: `python -m container.entrypoint WORD [FLAGS]`.

    train | inference | inference_TTA | evaluation  [FLAGS]   a job, supervised; with .py too
    serve [FLAGS]                                             the server, supervised
    PROGRAM [WORDS]                                           any other program, run as it stands

A job is a child of this process, or torchrun's child where several GPUs or hosts train. Signals are passed on to it;
in SageMaker's tree output/failure or output/success tells how it ended, and so does the exit code: 0 done, or stopped
by SIGTERM with the model saved; 1 a fault; 2 bad input or settings; 130 Ctrl-C; 137 killed; 143 stopped by SIGTERM with
nothing saved.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from container import settings_layers, toolkit
from container.cuda_compat import compat_variables
from container.environment import FAILURE_FILE, RANKS_DIR, Environment
from container.failure import FAILURE, Report
from container.job import LESS_MEMORY, SHARED_MEMORY, ending, on_sigterm
from container.job_types import JOB_TYPES, SERVE, JobType, find_job_type
from container.new_models import Mark, marks, newest
from container.ownership import hand_over, places
from container.project import PROJECT_ROOT
from container.rank import first_failure
from container.supervise import Ended, supervise
from container.torchrun import process_count, torchrun, torchrun_variables, wait_for_names
from model.artifacts.verify import model_problem
from model.errors import ExitCode, InputError, did_you_mean, listing
from model.settings.evaluation import EvaluationSettings
from model.settings.inference import InferenceSettings
from model.settings.train import TrainSettings

OUT_OF_MEMORY = f"out of memory: the system killed a process of this job; {LESS_MEMORY}, or give the container more"


def main(argv: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, on_sigterm)  # for which PID 1 has no default
    if not argv or argv[0] in ("-h", "--help"):
        print(__doc__)
        return ExitCode.DONE if argv else ExitCode.BAD_INPUT
    word, *flags = argv
    job_type = find_job_type(word)
    if job_type is not None:
        return run_job(job_type, flags)
    program = shutil.which(word)
    if program is not None:
        os.execve(program, [word, *flags], program_variables())
    nearest = did_you_mean(word.removesuffix(".py"), JOB_TYPES)
    fault = f"{word!r} is neither a job nor a program; jobs: {listing(JOB_TYPES)}{nearest}"
    report = Environment().report
    kept = places([report.folder] if report.folder else [])
    report.begin()
    report.failed(fault)
    hand_over(kept)
    raise InputError(fault)


def run_job(job_type: JobType[Any], flags: Sequence[str]) -> int:
    """The exit code of a supervised job."""
    if {"-h", "--help"} & set(flags):
        os.execv(sys.executable, command(job_type, flags))
    env = Environment()
    report = Report(None) if job_type is SERVE else env.report
    report.begin()
    kept = places([report.folder] if report.folder else [])
    try:
        settings = None if job_type is SERVE else settings_layers.read(job_type, flags, "")[0]
        kept += places(written_folders(settings, env))
        before = marks(runs_of(settings, env) if isinstance(settings, TrainSettings) else [])
        with tempfile.TemporaryDirectory(prefix="rarebird-") as notes:
            ended, told = start(job_type, flags, settings, env, Path(notes))
        code, reason = outcome(job_type, ended, told)
        if isinstance(settings, TrainSettings) and env.hosts.rank == 0:
            code, reason = with_model(code, reason, ended, settings, env, before)
        if code and reason != told:
            print(f"error: {reason}", file=sys.stderr)
    except BaseException as error:
        code, reason = ending(error)
        code = ExitCode.DONE if job_type is SERVE and code == ExitCode.TERMINATED else code
    if code:
        report.failed(reason)
    else:
        report.succeeded(f"{job_type.name} done")
    hand_over(kept)
    return code


def command(job_type: JobType[Any], flags: Sequence[str]) -> list[str]:
    """The command line of a job that is one process."""
    program = ["-m", "container.serve"] if job_type.script is None else [str(PROJECT_ROOT / job_type.script)]
    return [sys.executable, *program, *flags]


def variables(env: Environment) -> dict[str, str]:
    """The environment of what is started here. A variable that is set already, in .env too, wins."""
    path = os.pathsep.join(filter(None, [str(PROJECT_ROOT), os.environ.get("PYTHONPATH")]))
    made = {name: env.variables.get(name, value) for name, value in toolkit.variables(env).items()}
    return {**made, **os.environ, **compat_variables(os.environ), "PYTHONPATH": path}


def program_variables() -> dict[str, str]:
    """As variables; where the tree is damaged, so that they cannot be told, the environment as it is: somebody may
    want to look at the tree."""
    try:
        return variables(Environment())
    except Exception as error:
        print(f"warning: the SM_* variables are not set: {error}", file=sys.stderr)
        return {**os.environ, **compat_variables(os.environ)}


def start(
    job_type: JobType[Any], flags: Sequence[str], settings: Any, env: Environment, notes: Path
) -> tuple[Ended, str]:
    """Runs a job to its end: how it ended, and what it told of its failure. notes: a folder for what it tells."""
    around = variables(env)
    processes = process_count(settings, env.variables) if isinstance(settings, TrainSettings) else 1
    hosts = env.hosts
    if not isinstance(settings, TrainSettings) or processes * len(hosts.names) == 1:
        ended = supervise(command(job_type, flags), {**around, FAILURE_FILE: str(notes / FAILURE)})
        told = notes / FAILURE
        return ended, told.read_text(encoding="utf-8") if told.is_file() else ""
    if len(hosts.names) > 1:
        wait_for_names(hosts)
    around |= {**torchrun_variables(hosts, processes, around), RANKS_DIR: str(notes)}
    script = PROJECT_ROOT / str(job_type.script)
    ended = supervise(torchrun(script, flags, processes, hosts, around), around, to_children=True)
    first = first_failure(notes) if ended.code else None
    if first is not None:
        return first.ended, first.failure
    stopped = ended.code and ended.received == signal.SIGTERM  # before the script was started
    return replace(ended, code=ExitCode.TERMINATED) if stopped else ended, ""


def outcome(job_type: JobType[Any], ended: Ended, told: str) -> tuple[int, str]:
    """The exit code that the way a job ended means, and why it failed. told: what the job itself said of it."""
    job = job_type.name
    if job_type is SERVE and ended.code == ExitCode.TERMINATED and ended.received == signal.SIGTERM:
        return ExitCode.DONE, ""  # before it served anything
    other_reasons = (ExitCode.DONE, ExitCode.BAD_INPUT, ExitCode.INTERRUPTED, ExitCode.TERMINATED)
    if ended.out_of_memory and ended.code not in other_reasons:
        return ExitCode.KILLED, told if told.startswith("out of memory") else f"{OUT_OF_MEMORY}\n{told}".strip()
    if told or not ended.code:
        return ended.code, told
    if ended.code == ExitCode.KILLED:
        return ExitCode.KILLED, f"{job} was killed by SIGKILL, as the system does when memory runs out: {LESS_MEMORY}"
    if ended.code == ExitCode.TERMINATED:
        return ExitCode.TERMINATED, f"{job} was stopped by SIGTERM before anything was saved"
    if ended.code == ExitCode.INTERRUPTED or ended.killed_by is None:
        return ended.code, f"{job} ended with exit code {ended.code}; the log tells why"
    hint = f"; {SHARED_MEMORY}" if ended.killed_by == signal.SIGBUS else ""
    return ExitCode.FAULT, f"{job} was killed by {ended.killed_by.name}{hint}"


def with_model(
    code: int, reason: str, ended: Ended, settings: TrainSettings, env: Environment, before: Mapping[Path, Mark]
) -> tuple[int, str]:
    """As given, but a training without a model has failed, and one that was stopped after it saved its model has
    not. before: the marks of the models that were there before."""
    if code not in (ExitCode.DONE, ExitCode.TERMINATED):
        return code, reason
    folder = newest(runs_of(settings, env), before)
    fault = model_problem(folder) if folder else f"no model was saved in {env.models_dir(settings.model_dir)}"
    if fault is None:
        return ExitCode.DONE, ""
    if code == ExitCode.DONE and ended.received != signal.SIGTERM:
        return ExitCode.FAULT, f"training ended without a model: {fault}"
    return ExitCode.TERMINATED, reason or f"stopped by SIGTERM before a model could be saved: {fault}"


def runs_of(settings: TrainSettings, env: Environment) -> list[Path]:
    """Where a run of this name, or of that with a number behind it, puts its model."""
    models = env.models_dir(settings.model_dir)
    if env.is_packed(models) or not models.is_dir():
        return [models]
    return [folder for folder in models.iterdir() if re.fullmatch(rf"{re.escape(settings.name)}\d*", folder.name)]


def written_folders(settings: Any, env: Environment) -> Iterator[Path]:
    """The folders that a job writes into, beside the report."""
    if isinstance(settings, TrainSettings):
        models = env.models_dir(settings.model_dir)
        yield models
        yield env.checkpoints_dir(settings.checkpoint_dir, models)
        told = env.training_output_dir(settings.output_data_dir)
        yield told or models
    elif isinstance(settings, InferenceSettings):
        output = env.output_data_dir(settings.output_data_dir, settings.model_dir)
        yield output
        yield (output / (env.output_file(settings.output) or "output.csv")).parent
    elif isinstance(settings, EvaluationSettings):
        yield env.evaluation_dir(settings.output, settings.output_data_dir) or env.answers_dir(settings.output_data_dir)


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        status, _ = ending(error)
    sys.exit(status)
