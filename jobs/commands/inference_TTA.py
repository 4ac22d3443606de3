"""Answers pictures from several views of each (--num_tta, 4), here, in the image or as a processing job of SageMaker.

    python -m jobs inference_TTA --data data/eval --model_dir JOB --num_tta 8

As `python -m jobs inference` otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.commands.launch import launch


def main(argv: Sequence[str]) -> int:
    return launch("inference_TTA", argv, __doc__ or "")
