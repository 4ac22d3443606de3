"""Predicts images from several views of each: inference.py with --num_tta 4.

Examples:
  python inference_TTA.py --eval_dir photos --model_dir runs/exp
  python inference_TTA.py --eval_dir photos --model_dir runs/exp --num_tta 8
  SM_CHANNEL_EVAL=photos SM_CHANNEL_MODEL=runs/exp python inference_TTA.py

It reads and writes the same files as inference.py (see python inference.py --help-all); it also predicts single images.

--num_tta N averages the probabilities for the first N of 16 views of each image. The views are the whole image and its
mirror image, then crops of 92 %, 85 % and 80 % of its height and width (centre and corners); every second view is
mirrored. Each image is decoded only once. With --tta_mode vote, the first view is the whole image, the other views are
random crops, and each view votes for one class. Whether test-time augmentation improves the scores depends on the
model: compare the predictions with evaluation.py --compare.
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
