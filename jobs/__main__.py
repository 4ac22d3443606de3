"""`python -m jobs SUBCOMMAND ...`: starts, follows and fetches jobs on this machine, in the image and on SageMaker."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model.subcommands import run_subcommand

SUBCOMMANDS = {
    "train": ("jobs.commands.train", "Train a model."),
    "inference": ("jobs.commands.inference", "Predict images with a saved model."),
    "inference_TTA": ("jobs.commands.inference_TTA", "Predict images from several views of each."),
    "evaluation": ("jobs.commands.evaluation", "Score predictions against the ground truth."),
    "transform": ("jobs.commands.transform", "Predict images with SageMaker batch transform."),
    "tune": ("jobs.commands.tune", "Search settings with a SageMaker tuning job."),
    "deploy": ("jobs.commands.deploy", "Deploy a model to a SageMaker endpoint."),
    "invoke": ("jobs.commands.invoke", "Ask an endpoint about images."),
    "register": ("jobs.commands.register", "Register a model and its scores in the SageMaker model registry."),
    "pipeline": ("jobs.commands.pipeline", "Train, predict, evaluate and register in one chain with a gate."),
    "status": ("jobs.commands.status", "Print the status of a job."),
    "logs": ("jobs.commands.logs", "Follow a job on SageMaker."),
    "stop": ("jobs.commands.stop", "Stop a job on SageMaker, or delete an endpoint."),
    "fetch": ("jobs.commands.fetch", "Download the results of a job on SageMaker."),
    "list": ("jobs.commands.list", "List jobs."),
    "upload": ("jobs.commands.upload", "Upload a folder to S3, only what changed."),
    "shards": ("jobs.commands.shards", "Pack the images of a folder into a few large files."),
    "image": ("jobs.commands.image", "Build the image and push it to ECR."),
    "doctor": ("jobs.commands.doctor", "Check what the backends need."),
}


def main(argv: Sequence[str]) -> int:
    """The exit code of a subcommand."""
    return run_subcommand("jobs", SUBCOMMANDS, argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
