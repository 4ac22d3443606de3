"""Benchmarks the server: its throughput, compared with the predictor alone, and whether its memory grows.

    python -m benchmarks.serving --model_dir runs/exp [--pictures data/eval/images] [--clients 32] [--requests 20000]

A run measures several rounds of: the predictor alone (from images in memory to predictions, in this process) in full
batches and one image at a time, the server with many clients, and the server with one client. Compare only the ratios
within a run: many clients with full batches, one client with one image at a time. --requests N then sends N more
requests, and prints the server's memory after a tenth of them and after all.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.command_line import run
from container.project_root import PROJECT_ROOT
from model.artifacts.ensemble import load
from model.data.readers.image_names import IMAGE_SUFFIXES
from model.errors import InputError
from model.prediction.api import make_predictor
from model.prediction.predictor import EnsemblePredictor
from model.runtime.terminal import text_table
from model.settings.choices import PRECISIONS
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = __doc__ or ""
HEADERS = {"Content-Type": "application/x-image"}


@dataclass(frozen=True)
class ServingSettings:
    model_dir: str | None = setting(None, "a saved model", section="What is measured")
    pictures: str | None = setting(None, "folder of images to send; default: 64 random ones of 384 x 512 pixels")
    clients: int = setting(32, "number of clients that send requests at the same time", low=1)
    seconds: float = setting(10.0, "duration of each measurement", unit="s", low=0.1)
    rounds: int = setting(3, "number of rounds; the result is the median", low=1)
    requests: int = setting(0, "number of requests sent afterwards to measure the server's memory", low=0)
    batch_size: int = setting(32, "images per forward pass", low=1)
    precision: str = setting("fp32", "arithmetic", choices=PRECISIONS)
    device: str = setting("auto", "auto, cpu, cuda or cuda:N")
    processes: int = setting(0, "model processes of the server; 0: its default", low=0)

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if not self.model_dir:
            yield "model_dir is required: a saved model, for example --model_dir runs/exp"


class Clients:
    """Clients of a server on a port of this machine, each with a persistent connection."""

    def __init__(self, port: int, pictures: Sequence[bytes]):
        self.port, self.pictures = port, pictures

    def request(self, connection: http.client.HTTPConnection, picture: bytes) -> float:
        """Sends an image and returns the seconds until the response. AssertionError if the status is not 200."""
        started = time.perf_counter()
        connection.request("POST", "/invocations", picture, HEADERS)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return time.perf_counter() - started

    def run(self, clients: int, sends_another: Callable[[int], bool]) -> list[float]:
        """Runs clients at the same time. Returns the seconds of every request.

        Args:
            clients: Number of clients.
            sends_another: Whether a client sends another request, from the number of its own requests so far.
        """

        def client(seed: int) -> list[float]:
            draw, seconds = random.Random(seed), list[float]()
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            while sends_another(len(seconds)):
                seconds.append(self.request(connection, draw.choice(self.pictures)))
            connection.close()
            return seconds

        with ThreadPoolExecutor(clients) as threads:
            return [seconds for each in threads.map(client, range(clients)) for seconds in each]

    def run_for(self, clients: int, seconds: float) -> list[float]:
        """Like run, for a number of seconds."""
        end = time.monotonic() + seconds
        return self.run(clients, lambda _: time.monotonic() < end)

    def memory(self) -> float:
        """Resident memory of the server and its model processes in MiB."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        names = ("process_resident_memory_bytes ", "rarebird_process_memory_bytes{")
        return sum(float(line.split()[1]) for line in lines if line.startswith(names)) / (1 << 20)

    def memory_after(self, totals: Sequence[int], clients: int) -> list[float]:
        """Memory of the server after each of these total numbers of requests, in MiB."""
        sent, memory = 0, []
        for total in totals:
            each = -(-(total - sent) // clients)
            self.run(clients, lambda own, each=each: own < each)  # type: ignore[misc]
            sent = total
            memory.append(self.memory())
        return memory


def main(argv: Sequence[str]) -> int:
    settings = from_flags(ServingSettings, argv, USAGE)
    pictures = drawn_pictures() if settings.pictures is None else read_pictures(Path(settings.pictures))
    predictor = make_predictor(
        load(Path(settings.model_dir or "")), device=settings.device, precision=settings.precision
    )
    many, one = f"server, {settings.clients} clients", "server, 1 client"
    server_of = {"predictor, full batches": many, "predictor, one by one": one}
    rates: dict[str, list[float]] = {name: [] for pair in server_of.items() for name in pair}
    seconds: dict[str, list[float]] = {many: [], one: []}  # of each request
    with serve(settings) as port:
        clients = Clients(port, pictures)
        for _ in range(settings.rounds):
            for name, batch_size in zip(server_of, (settings.batch_size, 1)):
                rates[name].append(predictor_rate(predictor, pictures, batch_size, settings.seconds))
            for name, count in ((many, settings.clients), (one, 1)):
                started = time.perf_counter()
                answered = clients.run_for(count, settings.seconds)
                rates[name].append(len(answered) / (time.perf_counter() - started))
                seconds[name] += answered
        print(f"{settings.model_dir}; batch {settings.batch_size}; {predictor.backends[0]}; {len(pictures)} images")
        print(rates_table(server_of, rates, seconds))
        if settings.requests:
            totals = (settings.requests // 10, settings.requests)
            early, late = clients.memory_after(totals, settings.clients)
            print(f"memory after {totals[0]:,} requests {early:.1f} MiB, after {totals[1]:,} {late:.1f} MiB", end="")
            print(f" ({late / early - 1:+.1%})")
    return 0


@contextmanager
def serve(settings: ServingSettings) -> Iterator[int]:
    """Runs the server on a free port, as a context. Yields the port when the server is ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    flags = {"port": port, "model_dir": settings.model_dir, "batch_size": settings.batch_size}
    flags |= {"precision": settings.precision, "device": settings.device, "host": "127.0.0.1"}
    flags |= {"processes": settings.processes}
    command = [sys.executable, "-m", "container.serve", *(f"--{name}={value}" for name, value in flags.items())]
    env = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=env) as server:
        try:
            wait_until_ready(port, server)
            yield port
        finally:
            server.terminate()


def wait_until_ready(port: int, server: subprocess.Popen[bytes]) -> None:
    """Waits until /ping returns status 200. Raises InputError if the server exits before."""
    while server.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/ping")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise InputError("the server exited before it was ready")


def predictor_rate(predictor: EnsemblePredictor, pictures: Sequence[bytes], batch_size: int, seconds: float) -> float:
    """Images per second of the predictor in this process.

    Args:
        predictor: The predictor.
        pictures: Image files, predicted repeatedly.
        batch_size: Images per forward pass.
        seconds: Duration.
    """
    started, answered = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        for answers in predictor.predict_images(pictures, batch_size):
            answered += len(answers.rows)
    return answered / (time.perf_counter() - started)


def rates_table(
    server_of: Mapping[str, str], rates: Mapping[str, Sequence[float]], seconds: Mapping[str, Sequence[float]]
) -> str:
    """A table of medians over the rounds, and quantiles of the requests' times.

    Args:
        server_of: For each measurement of the predictor alone, that of the server to compare with it.
        rates: Images per second of each measurement, one per round.
        seconds: For each measurement of the server, the time of each request.
    """
    rows = []
    for alone, server in server_of.items():
        ratio = statistics.median(a / b for a, b in zip(rates[server], rates[alone], strict=True))
        milliseconds = 1000 * np.quantile(seconds[server], (0.5, 0.95, 0.99))
        rows.append([alone, f"{statistics.median(rates[alone]):.1f}", "", "", "", ""])
        rows.append([server, f"{statistics.median(rates[server]):.1f}", f"{ratio:.2f}"])
        rows[-1] += [f"{value:.1f}" for value in milliseconds]
    headers = ["", "images/s", "of the predictor", "p50 ms", "p95 ms", "p99 ms"]
    return text_table(headers, rows, right=range(1, 6))


def drawn_pictures(count: int = 64) -> list[bytes]:
    """JPEGs of random noise, 384 x 512 pixels like the images of the mask data."""
    generator, pictures = np.random.default_rng(0), []
    for _ in range(count):
        jpeg = io.BytesIO()
        coarse = Image.fromarray(generator.integers(0, 256, (32, 24, 3), dtype=np.uint8))
        coarse.resize((384, 512), Image.Resampling.BICUBIC).save(jpeg, "JPEG", quality=90)
        pictures.append(jpeg.getvalue())
    return pictures


def read_pictures(folder: Path) -> list[bytes]:
    """Reads the files with an image extension in a folder and its subfolders."""
    pictures = [path.read_bytes() for path in sorted(folder.rglob("*")) if path.suffix.lower() in IMAGE_SUFFIXES]
    if not pictures:
        raise InputError(f"pictures {folder}: the folder contains no images")
    return pictures


if __name__ == "__main__":
    sys.exit(run(main))
