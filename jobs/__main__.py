"""`python -m jobs SUBCOMMAND ...`: starts, follows and fetches jobs on this machine, in the image and on SageMaker."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model.errors import ExitCode
from model.subcommands import run_subcommand

SUBCOMMANDS = {
    "train": ("jobs.commands.train", "trains a model"),
    "inference": ("jobs.commands.inference", "answers pictures with a saved model"),
    "inference_TTA": ("jobs.commands.inference_TTA", "the same from several views of each picture"),
    "evaluation": ("jobs.commands.evaluation", "scores answers against the truth"),
    "transform": ("jobs.commands.transform", "answers pictures by SageMaker's batch transform"),
    "tune": ("jobs.commands.tune", "searches settings on SageMaker"),
    "deploy": ("jobs.commands.deploy", "puts a model behind an endpoint"),
    "register": ("jobs.commands.register", "puts a model into the registry, with its scores"),
    "pipeline": ("jobs.commands.pipeline", "train, answer, evaluate and register in one chain with a gate"),
    "status": ("jobs.commands.status", "tells how a job stands"),
    "logs": ("jobs.commands.logs", "follows a job on SageMaker"),
    "stop": ("jobs.commands.stop", "stops a job on SageMaker, deletes an endpoint"),
    "fetch": ("jobs.commands.fetch", "brings down what a job on SageMaker made"),
    "list": ("jobs.commands.list", "lists jobs"),
    "upload": ("jobs.commands.upload", "sends a folder to S3, only what changed"),
    "shards": ("jobs.commands.shards", "packs a folder's pictures into a few large files"),
    "image": ("jobs.commands.image", "builds the image and pushes it to ECR"),
    "doctor": ("jobs.commands.doctor", "checks what the places need"),
}


def main(argv: Sequence[str]) -> int:
    """Runs a subcommand; returns the exit code. A reader of stdout that has gone, as `| head`, ends it quietly."""
    try:
        try:
            return run_subcommand("jobs", SUBCOMMANDS, argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        from jobs.spec.console import discard_stdout

        discard_stdout()
        return ExitCode.FAULT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
