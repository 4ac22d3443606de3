"""`python -m jobs VERB ...`: the jobs started, followed and fetched, on this machine, in the image and on SageMaker."""

from __future__ import annotations

import sys

from model.verbs import run_verb

VERBS = {
    "train": ("jobs.train", "trains a model"),
    "inference": ("jobs.inference", "answers pictures with a saved model"),
    "inference_TTA": ("jobs.inference_TTA", "the same from several views of each picture"),
    "evaluation": ("jobs.evaluation", "scores answers against the truth"),
    "transform": ("jobs.transform", "answers pictures by SageMaker's batch transform"),
    "tune": ("jobs.tune", "searches settings on SageMaker"),
    "deploy": ("jobs.deploy", "puts a model behind an endpoint"),
    "register": ("jobs.register", "puts a model into the registry, with its scores"),
    "pipeline": ("jobs.pipeline", "train, answer, evaluate and register in one chain with a gate"),
    "status": ("jobs.status", "tells how a job stands"),
    "logs": ("jobs.logs", "follows a job on SageMaker"),
    "stop": ("jobs.stop", "stops a job on SageMaker, deletes an endpoint"),
    "fetch": ("jobs.fetch", "brings down what a job on SageMaker made"),
    "list": ("jobs.list", "lists jobs"),
    "upload": ("jobs.upload_folder", "sends a folder to S3, only what changed"),
    "shards": ("jobs.shards", "packs a folder's pictures into a few large files"),
    "image": ("jobs.image", "builds the image and pushes it to ECR"),
    "doctor": ("jobs.doctor", "checks what the places need"),
}

if __name__ == "__main__":
    sys.exit(run_verb("jobs", VERBS, sys.argv[1:]))
