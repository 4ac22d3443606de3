"""The kinds of SageMaker jobs: the API calls that describe, stop and list each, and its CloudWatch log group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class JobKind:
    """The API of one kind of job.

    Attributes:
        name: "training", in messages and in a job's record.
        describe_method, stop_method, list_method: Methods of boto3's SageMaker client.
        name_field: Field of requests and answers that holds a job's name, "TrainingJobName".
        status_field: Field of a description that holds its status, "TrainingJobStatus".
        log_group: CloudWatch log group; its streams begin with the job's name and /.
        summaries_field: Field of list_method's answer that holds the jobs.
    """

    name: str
    describe_method: str
    stop_method: str
    list_method: str
    name_field: str
    status_field: str
    log_group: str
    summaries_field: str

    def status(self, description: Mapping[str, Any]) -> str:
        return str(description.get(self.status_field, ""))


def _job_kind(name: str, camel: str, snake: str) -> JobKind:
    """A kind whose API follows SageMaker's scheme of names: TrainingJob and training_job."""
    return JobKind(
        name=name,
        describe_method=f"describe_{snake}",
        stop_method=f"stop_{snake}",
        list_method=f"list_{snake}s",
        name_field=f"{camel}Name",
        status_field=f"{camel}Status",
        log_group=f"/aws/sagemaker/{camel}s",
        summaries_field=f"{camel}Summaries",
    )


TRAINING = _job_kind("training", "TrainingJob", "training_job")
PROCESSING = _job_kind("processing", "ProcessingJob", "processing_job")
TRANSFORM = _job_kind("transform", "TransformJob", "transform_job")
TUNING = _job_kind("tuning", "HyperParameterTuningJob", "hyper_parameter_tuning_job")
ENDPOINT = JobKind(
    name="endpoint",
    describe_method="describe_endpoint",
    stop_method="delete_endpoint",
    list_method="list_endpoints",
    name_field="EndpointName",
    status_field="EndpointStatus",
    log_group="/aws/sagemaker/Endpoints",
    summaries_field="Endpoints",
)
PIPELINE = JobKind(  # an execution of a pipeline: it has an ARN instead of a name, and its steps' jobs have the logs
    name="pipeline",
    describe_method="describe_pipeline_execution",
    stop_method="stop_pipeline_execution",
    list_method="list_pipeline_executions",
    name_field="PipelineExecutionArn",
    status_field="PipelineExecutionStatus",
    log_group="",
    summaries_field="PipelineExecutionSummaries",
)

NAMED_KINDS = {kind.name: kind for kind in (TRAINING, PROCESSING, TRANSFORM, TUNING, ENDPOINT)}  # found by a job's name
RECORDED_KINDS = {**NAMED_KINDS, PIPELINE.name: PIPELINE}  # by JobRecord.kind

DELETED = "Deleted"  # status of an endpoint
ENDED = (
    *("Completed", "Succeeded", "Failed", "Stopped", "CompletedWithFailures"),
    *("InService", "OutOfService", DELETED, "UpdateRollbackFailed"),
)
SUCCEEDED = ("Completed", "Succeeded", "InService")
ENDPOINT_ENDED = ("Failed", "OutOfService", DELETED, "UpdateRollbackFailed")  # of an endpoint that serves no more
