"""What a job on this machine has in common, in a process or in the image: its children, and what they leave."""

from __future__ import annotations

import math
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from container.opt_ml import OptMl
from jobs.aws.clients import Clients, Tell
from jobs.requests.train_and_process import processing_request, training_request
from jobs.results.fetch import MODEL, model_from_archive, tell_evaluation
from jobs.spec.job import Job
from jobs.spec.metrics import MetricTable
from jobs.spec.record import STOPPED, Record, now
from jobs.storage.s3 import get_folder, parse
from model.artifacts.archive import MODEL_ARCHIVE, pack
from model.artifacts.verify import verify
from model.errors import ExitCode, Failure, InputError

LOG = "log.txt"
GRACE = 30.0  # seconds that the other hosts have when one has failed


def begin(job: Job, results: Path, on: str) -> Record:
    """The folder of a job and its record, written. InputError where there is a job of that name, or where its
    checkpoints are to lie in S3."""
    if job.checkpoints and job.checkpoints.startswith("s3://"):
        raise InputError(
            f"--checkpoints {job.checkpoints}: here and on docker it is a folder of this machine; those in S3 are for "
            f"--on sagemaker, or copy them into a folder first"
        )
    folder = results / job.name
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise InputError(f"{folder} is there already; another --job_name") from None
    request = training_request(job) if job.is_training else processing_request(job)
    kind = "training" if job.is_training else "processing"
    record = Record(job.name, job.type.name, kind, on, now(), folder, request=request)
    record.save()
    return record


def bring_inputs(job: Job, record: Record, clients: Clients) -> dict[str, Path]:
    """Local folders of the inputs; those in S3 are fetched into the job's folder. Where one cannot be had the folder is
    removed: the job has not begun. InputError where nothing lies in its place."""
    found = {}
    try:
        for given in job.inputs:
            found[given.name] = Path(given.source)
            if given.is_remote:
                folder = found[given.name] = record.folder.resolve() / "ml" / "inputs" / given.name
                if not get_folder(clients.s3, parse(given.source), folder):
                    raise InputError(f"{given.name}: {given.source}: nothing lies there")
    except BaseException:
        shutil.rmtree(record.folder)
        raise
    return found


@dataclass(frozen=True)
class Child:
    """What is started for a host."""

    command: Sequence[str]
    variables: Mapping[str, str]
    folder: Path


def run_children(children: Mapping[str, Child], log: Path, tell: Tell) -> dict[str, int]:
    """Starts each host's child and waits for all; their lines are told (with the host's name where there are several)
    and kept in log. SIGTERM is passed on; Ctrl-C reaches them by itself. Where one fails the others are stopped, as
    SageMaker stops them. Returns exit codes by host, in the order in which the hosts ended."""
    table = MetricTable()
    lock = threading.Lock()
    with log.open("a", encoding="utf-8") as kept:

        def listen(host: str, process: subprocess.Popen[str]) -> None:
            assert process.stdout is not None
            lead = f"{host}: " if len(children) > 1 else ""
            for line in process.stdout:
                text = lead + line.rstrip("\n")
                with lock:
                    print(text, file=kept, flush=True)
                    for row in table.row(text) or [text]:
                        tell(row)

        processes = {host: _start(child) for host, child in children.items()}
        listeners = [threading.Thread(target=listen, args=pair, daemon=True) for pair in processes.items()]
        for listener in listeners:
            listener.start()
        with _passing_on(list(processes.values())):
            codes = _wait(processes)
        for listener in listeners:
            listener.join()
    return codes


def _start(child: Child) -> subprocess.Popen[str]:
    return subprocess.Popen(
        child.command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="backslashreplace",
        env=dict(child.variables),
        cwd=child.folder,
    )


def _wait(processes: Mapping[str, subprocess.Popen[str]]) -> dict[str, int]:
    """Ctrl-C is the children's to answer: they write a checkpoint first."""
    codes: dict[str, int] = {}
    end = math.inf
    while True:
        for host, process in processes.items():
            if host not in codes and process.poll() is not None:
                codes[host] = _shell_code(process.returncode)
        running = [process for host, process in processes.items() if host not in codes]
        if not running:
            return codes
        if any(codes.values()) and end == math.inf:
            end = time.monotonic() + GRACE
        if time.monotonic() > end:
            for process in running:
                process.terminate()
            end = time.monotonic() + GRACE
        try:
            time.sleep(0.1)
        except KeyboardInterrupt:
            continue


def _shell_code(code: int) -> int:
    """128 and the signal's number where one killed the child."""
    return 128 - code if code < 0 else code


@contextmanager
def _passing_on(children: Sequence[subprocess.Popen[str]]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def pass_on(number: int, _: FrameType | None) -> None:
        for child in children:
            child.send_signal(number)

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def collect(job: Job, record: Record, trees: Mapping[str, OptMl], codes: Mapping[str, int], tell: Tell) -> int:
    """What the hosts left, in the layout that every place has: model.tar.gz and model/, output/, evaluation/; and the
    job's exit code in its record. trees: by host; codes: by host, in the order in which the hosts ended. Returns the
    exit code: of the host that failed first, for the others were stopped for it. Failure where the model that came back
    is none."""
    code = next((code for code in codes.values() if code), 0)
    try:
        _collect(job, record.folder, list(trees.values()), code, tell)
    except (Failure, InputError):
        code = code or ExitCode.FAULT
        raise
    finally:
        replace(record, code=code, stopped=code == 0 and not is_finished(job, record.folder)).save()
    if code == 0:
        shutil.rmtree(record.folder / "ml", ignore_errors=True)
        if (record.folder / "ml").exists():  # made by a container's root
            tell(f"warning: {record.folder / 'ml'} cannot be removed; the job needs it no longer")
        return code
    tell(f"error: {job.type.name} {job.name} ended with {code}; its log: {record.folder / LOG}")
    failures = [trees[host].output / "failure" for host in codes]
    reason = next((path.read_text(encoding="utf-8", errors="replace") for path in failures if path.is_file()), "")
    if reason and code not in STOPPED:
        tell(reason)
    return code


def _collect(job: Job, folder: Path, layouts: Sequence[OptMl], code: int, tell: Tell) -> None:
    if job.is_training:
        models = [layout.model for layout in layouts if any(layout.model.iterdir())]
        if code == 0 and not models:
            raise Failure(f"{job.name} left no model in {', '.join(str(layout.model) for layout in layouts)}")
        if models:
            pack(merged(models, folder / "ml" / "merged"), folder / MODEL_ARCHIVE)
        outputs = [layout.output_data for layout in layouts]
        move(merged(outputs, folder / "ml" / "data"), folder / "output")
        if code == 0 or (models and code in STOPPED):
            tell(str(model_from_archive(folder)))
    else:
        name = job.type.output
        made = [layout.processing / name for layout in layouts]
        move(merged(made, folder / "ml" / name), folder / name)
        if code == 0:
            tell_evaluation(folder, tell)


def is_finished(job: Job, folder: Path) -> bool:
    """Whether a job that ended with 0 did all it had to: a training stopped with its model saved ends so, too."""
    return not job.is_training or verify(folder / MODEL).finished


def keep_checkpoints(job: Job, record: Record, code: int, checkpoints: Path, tell: Tell) -> None:
    """Those of a training that is not done, to go on from; and those in a folder that the command named."""
    if not job.is_training:
        return
    if code or not is_finished(job, record.folder):
        tell(f"to go on with it: the same command with --checkpoints {checkpoints} (and another --job_name)")
    elif not job.checkpoints:
        shutil.rmtree(checkpoints, ignore_errors=True)


def merged(folders: Sequence[Path], to: Path) -> Path:
    """One folder with the files of several, as SageMaker joins what its hosts leave; the first host's win."""
    if len(folders) == 1:
        return folders[0]
    to.mkdir(parents=True, exist_ok=True)
    for folder in reversed(folders):
        shutil.copytree(folder, to, dirs_exist_ok=True)
    return to


def move(source: Path, to: Path) -> None:
    if to.exists():
        raise Failure(f"{to} is there already")
    shutil.move(source, to)


def tell_line(line: str) -> None:
    print(line, file=sys.stdout, flush=True)
