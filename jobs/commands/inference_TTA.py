"""Predict images from several views of each (test-time augmentation): --num_tta, 4 by default.

    python -m jobs inference_TTA --data data/eval --model_dir JOB --num_tta 8

Otherwise the same as `python -m jobs inference`.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.commands.launch import launch


def main(argv: Sequence[str]) -> int:
    return launch("inference_TTA", argv, __doc__ or "")
