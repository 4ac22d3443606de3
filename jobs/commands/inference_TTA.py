"""Predict images with test-time augmentation: the predictions for --num_tta views of each image are averaged.

    python -m jobs inference_TTA --data data/eval --model_dir JOB --num_tta 8

All other flags are those of `python -m jobs inference`.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.commands.launch import launch


def main(argv: Sequence[str]) -> int:
    return launch("inference_TTA", argv, __doc__ or "")
