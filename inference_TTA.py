"""Predicts images from several views of each: inference.py with --num_tta 4.

Examples:
  python inference_TTA.py --eval_dir photos --model_dir runs/exp
  python inference_TTA.py --eval_dir photos --model_dir runs/exp --num_tta 8
  SM_CHANNEL_EVAL=photos SM_CHANNEL_MODEL=runs/exp python inference_TTA.py

It reads and writes the same files as inference.py (python inference.py --help-all), and predicts single images too.

--num_tta N uses the first N of 16 views of each image, which is decoded once: the image, its mirror image, then crops
of 92 %, 85 % and 80 % of its sides (middle, upper left, upper right, lower left, lower right), each followed by a
mirrored one. Their probabilities are averaged. With --tta_mode vote the first view is the whole image, the other views
are random crops, and each view votes for one class. Whether this improves the scores depends on the model: compare with
evaluation.py --compare.
"""

from __future__ import annotations

from container import job_script
from container.job_types import INFERENCE_TTA

if __name__ == "__main__":
    job_script.check_command_line(INFERENCE_TTA, __doc__ or "")  # --help and errors need no pandas and torch

# isort: split
from collections.abc import Sequence

import inference


def main(argv: Sequence[str] | None = None) -> int:
    return inference.main(argv, __doc__ or "", INFERENCE_TTA)


if __name__ == "__main__":
    job_script.run(main)
