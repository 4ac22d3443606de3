"""Answers for a folder of images with test-time augmentation: inference.py with 4 views of each image.

    SM_CHANNEL_EVAL=data/eval SM_CHANNEL_MODEL=runs/exp SM_OUTPUT_DATA_DIR=output python inference_TTA.py
    python inference_TTA.py --eval_dir photos --model_dir runs/exp --num_tta 8

Reads and writes what inference.py does, single images too. --num_tta takes the first N of these views, each image
decoded once:
{views}
Their probabilities are averaged. With --tta_mode vote the first view is the image as it is, the others are drawn at
random, and each votes for one class. Whether that gains is a matter of the model: compare by evaluation.py --compare.
"""

from __future__ import annotations

from collections.abc import Sequence

import inference
from container import job_script
from container.job_types import INFERENCE_TTA


def main(argv: Sequence[str] | None = None) -> int:
    return inference.main(argv, __doc__ or "", INFERENCE_TTA)


if __name__ == "__main__":
    job_script.run(main)
