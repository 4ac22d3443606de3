"""What a job on this machine has in common, in a process or in the image: its children, and what they leave."""

from __future__ import annotations

import datetime
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from container.layout import Layout
from jobs.archive import pack
from jobs.aws import Clients
from jobs.description import Job
from jobs.follow import MetricTable, Tell
from jobs.records import Record
from jobs.requests import output_place, processing_request, training_request
from jobs.results import ARCHIVE, model_from_archive, tell_evaluation
from jobs.s3 import get_folder, parse
from model.settings import Failure

STOPPED = (130, 143)
LOG = "log.txt"
GRACE = 30.0  # seconds that the other hosts have when one has failed


def begin(job: Job, results: Path, on: str) -> Record:
    """The folder of a job and its record, written."""
    folder = results / job.name
    folder.mkdir(parents=True)
    request = training_request(job) if job.is_training else processing_request(job)
    kind = "training" if job.is_training else "processing"
    record = Record(job.name, job.what, kind, on, now(), folder, request=request)
    record.save()
    return record


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def bring_inputs(job: Job, folder: Path, clients: Clients) -> dict[str, Path]:
    """Local folders of the inputs; those in S3 are fetched below folder."""
    found = {}
    for given in job.inputs:
        found[given.name] = Path(given.source)
        if given.is_remote:
            found[given.name] = folder / given.name
            get_folder(clients.s3, parse(given.source), folder / given.name)
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
    SageMaker stops them. Returns exit codes by host."""
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
            _wait(list(processes.values()))
        for listener in listeners:
            listener.join()
    return {host: _shell_code(process.returncode) for host, process in processes.items()}


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


def _wait(processes: Sequence[subprocess.Popen[str]]) -> None:
    """Ctrl-C is the children's to answer: they write a checkpoint first."""
    end = math.inf
    while running := [process for process in processes if process.poll() is None]:
        if any(process.returncode for process in processes) and end == math.inf:
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


def collect(job: Job, record: Record, layouts: Sequence[Layout], codes: Mapping[str, int], tell: Tell) -> int:
    """What the hosts left, in the layout that every place has: model.tar.gz and model/, output/, evaluation/. Returns
    the exit code of the job. Failure where the model that came back is none."""
    code = next((code for code in codes.values() if code), 0)
    failures = [layout.output / "failure" for layout in layouts]
    reason = next((path.read_text(encoding="utf-8", errors="replace") for path in failures if path.is_file()), "")
    folder = record.folder
    if job.is_training:
        models = [layout.model for layout in layouts if any(layout.model.iterdir())]
        if code == 0 and not models:
            raise Failure(f"{job.name} left no model in {', '.join(str(layout.model) for layout in layouts)}")
        if models:
            pack(merged(models, folder / "ml" / "merged"), folder / ARCHIVE)
        outputs = [layout.output_data for layout in layouts]
        move(merged(outputs, folder / "ml" / "data"), folder / "output")
        if code == 0 or (models and code in STOPPED):
            tell(str(model_from_archive(folder)))
    else:
        name = output_place(job.what, layouts[0])[0]
        made = [output_place(job.what, layout)[1] for layout in layouts]
        move(merged(made, folder / "ml" / name), folder / name)
        if code == 0:
            tell_evaluation(folder, tell)
    if code == 0:
        shutil.rmtree(folder / "ml", ignore_errors=True)
    else:
        tell(f"error: {job.what} {job.name} ended with {code}; its log: {folder / LOG}")
        if reason and code not in STOPPED:
            tell(reason)
    return code


def keep_checkpoints(job: Job, code: int, checkpoints: Path, tell: Tell) -> None:
    """Those of a training that is not done, to go on from; and those in a folder that the command named."""
    if job.is_training and code == 0 and not job.checkpoints:
        shutil.rmtree(checkpoints, ignore_errors=True)
    elif job.is_training and code:
        tell(f"to go on with it: the same command with --checkpoints {checkpoints}")


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


def script_folder() -> Path:
    """Where the jobs' scripts lie."""
    return Path(os.path.realpath(__file__)).parents[1]
