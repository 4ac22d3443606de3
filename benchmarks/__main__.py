"""Benchmarks training and inference: compares their speed with that of the network alone on this machine.

    python -m benchmarks --train_dir data/train [--model resnet18] [--input_size 128 96] [--batch_size 64]

A run measures several rounds of: the network alone (training steps and inference on images in memory), the input alone
(reading, decoding and augmenting images), a training epoch, and inference from files to predictions. Compare only the
ratios within a run, since the speed of a machine changes over time.
"""

from __future__ import annotations

import logging
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.command_line import run
from model.data.channel import read_channel
from model.data.datasets import Datasets
from model.data.image_dataset import Batch, in_order
from model.data.loader import batches
from model.decisions import Decision
from model.errors import Problems
from model.images.inputs import Inputs
from model.images.tta import Views
from model.network.tensors import network_tensors
from model.prediction.predictor import EnsemblePredictor, Predictor
from model.prediction.torch_backend import TorchBackend
from model.runtime.hardware import find_hardware
from model.runtime.terminal import text_table
from model.runtime.workers import worker_count
from model.settings.choices import PRECISIONS
from model.settings.cli import from_flags
from model.settings.fields import Layer, build, setting
from model.settings.train import TrainSettings
from model.training.fit import fit, make_trainer
from model.training.trainer import Trainer
from model.weights.initial_weights import make_network

USAGE = __doc__ or ""
COMPARED = {  # rates that are also shown as a share of another rate
    "training epoch": "network alone, training steps",
    "inference from files to predictions": "network alone, inference",
}


@dataclass(frozen=True)
class BenchmarkSettings:
    train_dir: str | None = setting(None, "channel of images with labels", section="What is measured")
    pictures: int = setting(1920, "number of images per epoch, the first ones of the channel; at most all", low=128)
    rounds: int = setting(3, "number of rounds; the result is the median", low=1)
    model: str = setting("resnet18", "backbone, by timm's name")
    input_size: list[int] = setting([128, 96], "height and width of the network's input", unit="pixels", low=8)
    batch_size: int = setting(64, "images per forward pass", low=1)
    precision: str = setting("auto", "arithmetic", choices=PRECISIONS)
    device: str = setting("auto", "auto, cpu, cuda or cuda:N")
    num_workers: int = setting(-1, "processes that read images; -1: depends on the number of cores", low=-1)

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if not self.train_dir:
            yield "train_dir is required: a channel of images with labels, for example --train_dir data/train"


def main(argv: Sequence[str]) -> int:
    settings = from_flags(BenchmarkSettings, argv, USAGE)
    logging.getLogger("rarebird").setLevel(logging.ERROR)
    bench = Bench(settings)
    measures: dict[str, Callable[[], float]] = {
        "network alone, training steps": bench.training_steps,
        "input alone, training": bench.training_input,
        "training epoch": bench.training_epoch,
        "network alone, inference": bench.inference_steps,
        "input alone, inference": bench.inference_input,
        "inference from files to predictions": bench.inference,
    }
    rates: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(settings.rounds):
        for name, measure in measures.items():
            rates[name].append(measure())
    ratios = {name: pairwise_ratios(rates[name], rates[other]) for name, other in COMPARED.items()}
    rows = [
        [
            name,
            *(f"{rate:.1f}" for rate in (statistics.median(values), min(values), max(values))),
            f"{statistics.median(ratios[name]):.2f}" if name in ratios else "",
        ]
        for name, values in rates.items()
    ]
    preprocessing = bench.pipeline.preprocessing
    height, width = preprocessing.height, preprocessing.width
    print(
        f"{settings.model} at {height}x{width}, batch {settings.batch_size}, {len(bench.datasets.train):,} images, "
        f"{bench.workers} workers; {bench.hardware}; torch {torch.__version__}; median of {settings.rounds} rounds"
    )
    headers = ["images/s", "median", "min", "max", "of the network alone"]
    print(text_table(headers, rows, right=range(1, 5)))
    return 0


def pairwise_ratios(rates: list[float], others: list[float]) -> list[float]:
    """The ratio of two rates, per round."""
    return [rate / other for rate, other in zip(rates, others)]


class Bench:
    """The measurements. All use the same data and settings."""

    def __init__(self, settings: BenchmarkSettings):
        train_settings = build(
            TrainSettings,
            [
                Layer("{}", {"model": settings.model, "pretrained": False, "input_size": settings.input_size}),
                Layer("{}", {"batch_size": settings.batch_size, "epochs": 1, "validation": 0, "sampler": "none"}),
                Layer("{}", {"num_workers": settings.num_workers, "checkpoint_seconds": 1e9}),
            ],
        )
        problems = Problems(f"channel train ({settings.train_dir})")
        table = read_channel(Path(settings.train_dir or ""), problems)
        problems.raise_if_any()
        assert table is not None
        self.settings = train_settings
        self.datasets = Datasets(table.take(range(min(settings.pictures, len(table)))), None)
        self.hardware = find_hardware(settings.device, settings.precision)
        trainer = self.make_trainer()
        self.heads, self.pipeline = trainer.heads, trainer.pipeline
        self.workers = worker_count(settings.num_workers)
        self.pinned = self.hardware.device.type == "cuda"

    def make_trainer(self) -> Trainer:
        """A new trainer for a network with random weights."""
        return make_trainer(self.settings, self.datasets, hardware=self.hardware)

    def make_predictor(self) -> Predictor:
        """A predictor whose network has random weights."""
        network = make_network(self.settings, self.heads, self.pipeline.preprocessing)
        backend = TorchBackend(network, self.heads, self.pipeline.preprocessing, self.hardware)
        return Predictor(backend, Views(self.pipeline), Decision())

    def make_inputs(self) -> Inputs:
        """A batch of random pixels, like one from a loader."""
        size = (self.settings.batch_size, self.pipeline.preprocessing.height, self.pipeline.preprocessing.width, 3)
        images = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
        return Inputs.stack([self.pipeline.inputs([pixels]) for pixels in images])

    def training_steps(self) -> float:
        """Images per second of forward pass, backward pass and update on one batch in memory."""
        trainer = self.make_trainer()
        trainer.network.train()
        inputs = self.make_inputs()
        targets = trainer.targets.take(torch.arange(self.settings.batch_size)).to(self.hardware.device)

        def step() -> None:
            tensors = network_tensors(inputs.by_view(), self.pipeline.preprocessing, self.hardware)
            with self.hardware.autocast():
                logits = trainer.network(**tensors)
            trainer.criterion(logits, targets).backward()
            trainer.optimiser.step()
            trainer.optimiser.zero_grad(set_to_none=True)

        return self.rate(step, steps=max(8, len(self.datasets.train) // self.settings.batch_size // 2))

    def training_epoch(self) -> float:
        """Images per second of an epoch as train.py runs it, from files."""
        outcome = fit(self.settings, self.datasets, hardware=self.hardware)
        return float(outcome.progress.history[0]["pictures_per_second"])

    def training_input(self) -> float:
        """Images per second of reading, decoding and augmentation in a training epoch."""
        trainer = self.make_trainer()
        return self.input_rate(batches(trainer.images, trainer.sampler.batches(0), self.workers, self.pinned))

    def inference_steps(self) -> float:
        """Images per second of inference on one batch in memory."""
        predictor, inputs = self.make_predictor(), self.make_inputs()
        return self.rate(lambda: predictor(inputs), steps=max(8, len(self.datasets.train) // self.settings.batch_size))

    def inference_input(self) -> float:
        """Images per second of reading and decoding for inference."""
        predictor = self.make_predictor()
        pictures = predictor.dataset(self.datasets.train.root, self.datasets.train.locations)
        items = in_order(len(pictures), self.settings.batch_size)
        return self.input_rate(batches(pictures, items, self.workers, self.pinned))

    def inference(self) -> float:
        """Images per second from files to predictions, including the start of the loader."""
        predictor = EnsemblePredictor([self.make_predictor()], self.heads.scheme)
        table = self.datasets.train
        started = time.perf_counter()
        predicted = 0
        for answers in predictor.predict_channel(table.root, table.locations, self.settings.batch_size, self.workers):
            predicted += len(answers.rows)
        return predicted / (time.perf_counter() - started)

    def rate(self, step: Callable[[], object], steps: int) -> float:
        """Images per second of a step on one batch.

        Args:
            step: Processes one batch.
            steps: Number of steps to measure.
        """
        # warm up, then measure
        for _ in range(2):
            step()
        self.synchronize()
        started = time.perf_counter()
        for _ in range(steps):
            step()
        self.synchronize()
        return steps * self.settings.batch_size / (time.perf_counter() - started)

    def input_rate(self, loaded: Iterator[Batch]) -> float:
        """Images per second of a loader, including its start."""
        started, count = time.perf_counter(), 0
        for batch in loaded:
            count += len(batch.rows)
        return count / (time.perf_counter() - started)

    def synchronize(self) -> None:
        """Waits until the GPU, if there is one, has finished its work."""
        if self.pinned:
            torch.cuda.synchronize()


if __name__ == "__main__":
    sys.exit(run(main))
