"""The kinds of SageMaker jobs: the API calls that describe, stop and list each, and its CloudWatch log group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class JobKind:
    """The API of one kind of job.

    Attributes:
        name: Name in messages and in a job's record, such as "training".
        describe_method, stop_method, list_method: Methods of boto3's SageMaker client.
        name_field: Field with the job's name in requests and answers, such as "TrainingJobName".
        status_field: Field with the job's status in descriptions, such as "TrainingJobStatus".
        log_group: CloudWatch log group; names of a job's streams begin with the job's name and /.
        summaries_field: Field with the jobs in list_method's answer.
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
    """Returns a kind of job whose API follows SageMaker's naming scheme: TrainingJob and training_job."""
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
PIPELINE = JobKind(  # a pipeline execution: it has an ARN instead of a name, and only the jobs of its steps have logs
    name="pipeline",
    describe_method="describe_pipeline_execution",
    stop_method="stop_pipeline_execution",
    list_method="list_pipeline_executions",
    name_field="PipelineExecutionArn",
    status_field="PipelineExecutionStatus",
    log_group="",
    summaries_field="PipelineExecutionSummaries",
)

NAMED_KINDS = {kind.name: kind for kind in (TRAINING, PROCESSING, TRANSFORM, TUNING, ENDPOINT)}  # looked up by job name
RECORDED_KINDS = {**NAMED_KINDS, PIPELINE.name: PIPELINE}  # by JobRecord.kind

DELETED = "Deleted"  # status of an endpoint
ENDED = (
    *("Completed", "Succeeded", "Failed", "Stopped", "CompletedWithFailures"),
    *("InService", "OutOfService", DELETED, "UpdateRollbackFailed"),
)
SUCCEEDED = ("Completed", "Succeeded", "InService")
ENDPOINT_ENDED = ("Failed", "OutOfService", DELETED, "UpdateRollbackFailed")  # the endpoint no longer serves requests
