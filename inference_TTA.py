"""Answers for a folder of pictures with test-time augmentation: inference.py with 4 views of each picture.

    SM_CHANNEL_EVAL=data/eval SM_CHANNEL_MODEL=runs/exp SM_OUTPUT_DATA_DIR=output python inference_TTA.py
    python inference_TTA.py --eval_dir photos --model_dir runs/exp --num_tta 8

`python inference.py --help` says the rest; only the default of --num_tta differs.
"""

from __future__ import annotations

from collections.abc import Sequence

import inference
from container import job

VIEWS = 4


def main(argv: Sequence[str] | None = None) -> int:
    return inference.main(argv, num_tta=VIEWS)


if __name__ == "__main__":
    job.run(main)
