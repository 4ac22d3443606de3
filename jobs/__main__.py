"""`python -m jobs SUBCOMMAND ...`: start, follow and fetch jobs on this machine, in Docker and on SageMaker."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model.subcommands import run_subcommand

SUBCOMMANDS = {
    "train": ("jobs.commands.train", "Train a model."),
    "inference": ("jobs.commands.inference", "Predict images with a saved model."),
    "inference_TTA": ("jobs.commands.inference_TTA", "Predict images with test-time augmentation."),
    "evaluation": ("jobs.commands.evaluation", "Score predictions against the ground truth."),
    "transform": ("jobs.commands.transform", "Predict images with SageMaker batch transform."),
    "tune": ("jobs.commands.tune", "Search for the best settings with a SageMaker tuning job."),
    "deploy": ("jobs.commands.deploy", "Deploy a model to a SageMaker endpoint, or update an endpoint."),
    "invoke": ("jobs.commands.invoke", "Predict images with an endpoint."),
    "register": ("jobs.commands.register", "Register a model and its scores in the SageMaker model registry."),
    "pipeline": ("jobs.commands.pipeline", "Train, predict, evaluate, and register the model if it is good enough."),
    "status": ("jobs.commands.status", "Print the status of a job."),
    "logs": ("jobs.commands.logs", "Follow the status, log and metrics of a job."),
    "stop": ("jobs.commands.stop", "Stop a job on SageMaker, or delete an endpoint."),
    "fetch": ("jobs.commands.fetch", "Download the results of a job on SageMaker."),
    "list": ("jobs.commands.list", "List jobs."),
    "upload": ("jobs.commands.upload", "Upload new and changed files of a folder to S3."),
    "shards": ("jobs.commands.shards", "Pack the images of a folder into a few large tar files."),
    "image": ("jobs.commands.image", "Build the container image and push it to ECR."),
    "doctor": ("jobs.commands.doctor", "Check Docker, credentials, role, bucket and image."),
}


EXAMPLES = (
    "train --data data/train --epochs 3",
    "train --data data/train --on sagemaker --instance ml.g5.xlarge --spot --wait",
    "inference --data data/eval --model_dir JOB",
    "logs JOB",
)


def main(argv: Sequence[str]) -> int:
    """Runs a subcommand and returns its exit code."""
    return run_subcommand("jobs", SUBCOMMANDS, argv, EXAMPLES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
