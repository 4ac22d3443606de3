"""Runs a job with a backend that needs no torch, in a process that cannot import it (sitecustomize.py).

    child.py inference|serve|ensemble ARGS
    child.py predict MODEL CSV IMAGE ...

The backend's network is toy.npz: weight (channels, outputs) and bias (outputs,) of a linear classifier on the mean
colour of an image, from 0 to 1.
"""

from __future__ import annotations

import sys

import numpy as np

import inference
from container import job_script
from container.serve import __main__ as server
from model.__main__ import SUBCOMMANDS
from model.artifacts.files import NETWORK_FILES
from model.artifacts.saved_model import SavedModel
from model.images.inputs import PIXELS, Inputs
from model.prediction import predict
from model.prediction.backend import Backend
from model.prediction.backends import BACKENDS
from model.subcommands import run_subcommand

TOY = "toy.npz"


class ToyBackend(Backend):
    """A linear classifier on the mean colour."""

    def __init__(self, saved: SavedModel, device: str, precision: str):
        super().__init__(saved.heads)
        with np.load(saved.folder / TOY) as network:
            self.weight, self.bias = network["weight"], network["bias"]

    def logits(self, inputs: Inputs) -> np.ndarray:
        colour = inputs.arrays[PIXELS].mean(axis=(1, 2), dtype=np.float32) / np.float32(255)
        return colour @ self.weight + self.bias

    def __str__(self) -> str:
        return "toy"


def main(job: str, *arguments: str) -> int:
    NETWORK_FILES.append(TOY)
    BACKENDS[TOY] = ToyBackend
    if job == "inference":
        return inference.main(arguments)
    if job == "serve":
        job_script.run(lambda: server.main(arguments))
    if job == "ensemble":
        return run_subcommand("model", SUBCOMMANDS, ["ensemble", *arguments])
    folder, csv, *images = arguments
    predict(folder, images).to_csv(csv, index=False)
    return 0


if __name__ == "__main__":
    assert sys.modules["torch"] is None  # sitecustomize.py has run
    sys.exit(main(*sys.argv[1:]))
