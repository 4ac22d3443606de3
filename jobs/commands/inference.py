"""Answers pictures with a saved model, here, in the image or as a processing job of SageMaker.

    python -m jobs inference --data data/eval --model_dir results/JOB/model
    python -m jobs inference --data data/eval --model_dir JOB --on sagemaker --wait

--model_dir takes a saved model's folder, s3://.../model.tar.gz or the name of a training. The answers come to
RESULTS/JOB/output.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.commands.launch import launch


def main(argv: Sequence[str]) -> int:
    return launch("inference", argv, __doc__ or "")
