"""Score predictions against the ground truth on this machine, in a Docker container or in a SageMaker processing job.

    python -m jobs evaluation --ground_truth_dir data/gt --output_data_dir JOB
    python -m jobs evaluation --ground_truth_dir data/gt --output_data_dir s3://BUCKET/output --on sagemaker --wait

--output_data_dir is a folder of predictions, an s3:// prefix or the name of an inference job. evaluation.json and
report.html are written to RESULTS/JOB/evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.commands.launch import launch


def main(argv: Sequence[str]) -> int:
    return launch("evaluation", argv, __doc__ or "")
