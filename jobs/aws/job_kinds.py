"""The kinds of SageMaker's jobs: by which calls each is described and stopped, and where its log is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """describe, stop, listing: boto3's methods; name: the field of the name; status: that of the status; group: of its
    log streams, which begin with the job's name and /."""

    word: str
    describe: str
    stop: str
    name: str
    status: str
    group: str
    listing: str
    summaries: str

    def state(self, description: Mapping[str, Any]) -> str:
        return str(description.get(self.status, ""))


def _job(word: str, camel: str, snake: str, summaries: str) -> Kind:
    group = f"/aws/sagemaker/{camel}s"
    return Kind(
        word, f"describe_{snake}", f"stop_{snake}", f"{camel}Name", f"{camel}Status", group, f"list_{snake}s", summaries
    )


TRAINING = _job("training", "TrainingJob", "training_job", "TrainingJobSummaries")
PROCESSING = _job("processing", "ProcessingJob", "processing_job", "ProcessingJobSummaries")
TRANSFORM = _job("transform", "TransformJob", "transform_job", "TransformJobSummaries")
TUNING = _job("tuning", "HyperParameterTuningJob", "hyper_parameter_tuning_job", "HyperParameterTuningJobSummaries")
ENDPOINT = Kind(
    "endpoint",
    "describe_endpoint",
    "delete_endpoint",
    "EndpointName",
    "EndpointStatus",
    "/aws/sagemaker/Endpoints",
    "list_endpoints",
    "Endpoints",
)
PIPELINE = Kind(  # a run of one: it has an ARN and no name, and its steps' jobs have the logs
    "pipeline",
    "describe_pipeline_execution",
    "stop_pipeline_execution",
    "PipelineExecutionArn",
    "PipelineExecutionStatus",
    "",
    "list_pipeline_executions",
    "PipelineExecutionSummaries",
)
KINDS = {kind.word: kind for kind in (TRAINING, PROCESSING, TRANSFORM, TUNING, ENDPOINT)}
RECORDED = {**KINDS, PIPELINE.word: PIPELINE}  # KINDS are those that SageMaker knows by name
ENDED = (
    *("Completed", "Succeeded", "Failed", "Stopped", "CompletedWithFailures"),
    *("InService", "OutOfService", "Deleted", "UpdateRollbackFailed"),
)
GOOD = ("Completed", "Succeeded", "InService")
