"""What serving costs beside the predictor alone, and whether the server's memory stays as it is.

    python -m benchmarks.serving --model_dir runs/exp [--pictures data/eval/images] [--clients 32] [--requests 20000]

One run measures in turn and several times over: the predictor alone (pictures in memory to answers, in this process)
in full batches and one by one, the server with many clients, and with one. What counts are the ratios within the run:
of many clients to full batches, of one client to one by one. --requests N
then sends so many more and tells the server's memory after a tenth of them and after all.
"""

from __future__ import annotations

import http.client
import io
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from container.project import PROJECT_ROOT
from model.artifacts.ensemble import load
from model.data.readers.channel_files import IMAGE_SUFFIXES
from model.errors import InputError
from model.prediction.api import make_predictor
from model.runtime.terminal import text_table
from model.settings.choices import PRECISIONS
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = __doc__ or ""
HEADERS = {"Content-Type": "application/x-image"}


@dataclass(frozen=True)
class ServingSettings:
    model_dir: str | None = setting(None, "a saved model", section="What is measured")
    pictures: str | None = setting(None, "folder of pictures to ask with; else 64 drawn ones of 384 x 512 pixels")
    clients: int = setting(32, "that ask side by side", low=1)
    seconds: float = setting(10.0, "of each measure", unit="s", low=0.1)
    rounds: int = setting(3, "times that everything is measured; medians are told", low=1)
    requests: int = setting(0, "sent behind, to see the server's memory; 0: none", low=0)
    batch_size: int = setting(32, "pictures of a forward pass", low=1)
    precision: str = setting("fp32", "arithmetic", choices=PRECISIONS)
    device: str = setting("auto", "auto, cpu, cuda or cuda:N")

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if not self.model_dir:
            yield "model_dir is needed: a saved model, as in --model_dir runs/exp"


class Asking:
    """Clients of a server at a port of this machine, each with a connection that it keeps."""

    def __init__(self, port: int, pictures: Sequence[bytes]):
        self.port, self.pictures = port, pictures

    def ask(self, connection: http.client.HTTPConnection, picture: bytes) -> float:
        """Seconds until the answer. AssertionError where it is none."""
        began = time.perf_counter()
        connection.request("POST", "/invocations", picture, HEADERS)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return time.perf_counter() - began

    def by(self, clients: int, goes_on: Callable[[int], bool]) -> list[float]:
        """Seconds of each answer; a client sends its next request while goes_on(requests of its own so far)."""

        def one(number: int) -> list[float]:
            draw, found = random.Random(number), list[float]()
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            while goes_on(len(found)):
                found.append(self.ask(connection, draw.choice(self.pictures)))
            connection.close()
            return found

        with ThreadPoolExecutor(clients) as threads:
            return [seconds for found in threads.map(one, range(clients)) for seconds in found]

    def during(self, clients: int, seconds: float) -> list[float]:
        end = time.monotonic() + seconds
        return self.by(clients, lambda _: time.monotonic() < end)

    def memory(self) -> float:
        """MiB that the server holds."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        line = next(line for line in lines if line.startswith("process_resident_memory_bytes "))
        return float(line.split()[1]) / (1 << 20)

    def memory_after(self, requests: Sequence[int], clients: int) -> list[float]:
        """MiB after so many requests in all, for each of the rising numbers."""
        sent, found = 0, []
        for number in requests:
            each = -(-(number - sent) // clients)
            self.by(clients, lambda own, each=each: own < each)  # type: ignore[misc]
            sent = number
            found.append(self.memory())
        return found


def main(argv: Sequence[str]) -> int:
    settings = from_flags(ServingSettings, argv, USAGE)
    pictures = drawn() if settings.pictures is None else read(Path(settings.pictures))
    predictor = make_predictor(
        load(Path(settings.model_dir or "")), device=settings.device, precision=settings.precision
    )
    many, one = f"server, {settings.clients} clients", "server, 1 client"
    beside = {"predictor, full batches": many, "predictor, one by one": one}
    sizes = {"predictor, full batches": settings.batch_size, "predictor, one by one": 1}
    rates: dict[str, list[float]] = {name: [] for pair in beside.items() for name in pair}
    waits: dict[str, list[float]] = {many: [], one: []}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    flags = {"port": port, "model_dir": settings.model_dir, "batch_size": settings.batch_size}
    flags |= {"precision": settings.precision, "device": settings.device, "host": "127.0.0.1"}
    command = [sys.executable, "-m", "container.serve", *(f"--{name}={value}" for name, value in flags.items())]
    env = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=env) as server:
        try:
            asking = Asking(port, pictures)
            wait_until_ready(port, server)
            for _ in range(settings.rounds):
                for name, size in sizes.items():
                    began, answered = time.perf_counter(), 0
                    while time.perf_counter() - began < settings.seconds:
                        for answers in predictor.predict_images(pictures, size):
                            answered += len(answers.rows)
                    rates[name].append(answered / (time.perf_counter() - began))
                for name, clients in ((many, settings.clients), (one, 1)):
                    began = time.perf_counter()
                    found = asking.during(clients, settings.seconds)
                    rates[name].append(len(found) / (time.perf_counter() - began))
                    waits[name] += found
            rows = []
            for alone, name in beside.items():
                ratio = statistics.median(a / b for a, b in zip(rates[name], rates[alone], strict=True))
                milliseconds = 1000 * np.quantile(waits[name], (0.5, 0.95, 0.99))
                rows.append([alone, f"{statistics.median(rates[alone]):.1f}", "", "", "", ""])
                rows.append([name, f"{statistics.median(rates[name]):.1f}", f"{ratio:.2f}"])
                rows[-1] += [f"{value:.1f}" for value in milliseconds]
            print(f"{settings.model_dir}; batch {settings.batch_size}; {predictor.hardware}; {len(pictures)} pictures")
            headers = ["", "pictures/s", "of the predictor", "p50 ms", "p95 ms", "p99 ms"]
            print(text_table(headers, rows, right=range(1, 6)))
            if settings.requests:
                numbers = (settings.requests // 10, settings.requests)
                early, late = asking.memory_after(numbers, settings.clients)
                print(
                    f"memory after {numbers[0]:,} requests {early:.1f} MiB, after {numbers[1]:,} {late:.1f} MiB", end=""
                )
                print(f" ({late / early - 1:+.1%})")
        finally:
            server.terminate()
    return 0


def wait_until_ready(port: int, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/ping")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise InputError("the server ended before it was ready")


def drawn(number: int = 64) -> list[bytes]:
    """JPEGs of 384 x 512 pixels, as the mask data's are."""
    draw, made = np.random.default_rng(0), []
    for _ in range(number):
        content = io.BytesIO()
        coarse = Image.fromarray(draw.integers(0, 256, (32, 24, 3), dtype=np.uint8))
        coarse.resize((384, 512), Image.Resampling.BICUBIC).save(content, "JPEG", quality=90)
        made.append(content.getvalue())
    return made


def read(folder: Path) -> list[bytes]:
    found = [path.read_bytes() for path in sorted(folder.rglob("*")) if path.suffix.lower() in IMAGE_SUFFIXES]
    if not found:
        raise InputError(f"pictures {folder}: there are none")
    return found


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
