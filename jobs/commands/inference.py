"""Predict images with a saved model on this machine, in a Docker container or in a SageMaker processing job.

    python -m jobs inference --data data/eval --model_dir results/JOB/model
    python -m jobs inference --data data/eval --model_dir JOB --on sagemaker --wait

--model_dir is the folder of a saved model, s3://.../model.tar.gz or the name of a training job. The predictions are
written to RESULTS/JOB/output.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.commands.launch import launch


def main(argv: Sequence[str]) -> int:
    return launch("inference", argv, __doc__ or "")
