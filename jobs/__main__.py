"""`python -m jobs VERB ...`: the jobs started, followed and fetched, on this machine, in the image and on SageMaker."""

from __future__ import annotations

import sys

from model.verbs import run_verb

VERBS = {
    "train": ("jobs.train", "trains a model"),
    "inference": ("jobs.inference", "answers pictures with a saved model"),
    "inference_TTA": ("jobs.inference_TTA", "the same from several views of each picture"),
    "evaluation": ("jobs.evaluation", "scores answers against the truth"),
}

if __name__ == "__main__":
    sys.exit(run_verb("jobs", VERBS, sys.argv[1:]))
