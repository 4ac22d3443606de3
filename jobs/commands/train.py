"""Train a model on this machine, in a Docker container or on SageMaker.

    python -m jobs train --config configs/mask-resnet18.yaml --data data/train
    python -m jobs train --config configs/mask-resnet18.yaml --data data/train --on docker --instances 2
    python -m jobs train --config configs/mask-resnet18.yaml --data data/train --on sagemaker --spot --wait

The results are written to RESULTS/JOB: model/, the same packed as model.tar.gz, and output/.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.commands.launch import launch


def main(argv: Sequence[str]) -> int:
    return launch("train", argv, __doc__ or "")
