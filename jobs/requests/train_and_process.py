"""Pure functions from a job's description to boto3's requests of training and processing. Each is checked by
checking.check_request before it is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from container.opt_ml import OptMl
from jobs.spec.inputs import is_file
from jobs.spec.job import Account, Input, Job
from jobs.spec.metrics import metric_definitions

Request = dict[str, Any]


LOCAL_DISK = (  # families whose local disk AWS encrypts itself, with no key of ours (EC2, "Instance store volumes")
    *("c5d", "c6gd", "m5d", "m6gd", "r5d", "r6gd", "r7gd", "dl1"),
    *("g4dn", "g5", "g6", "g6e", "g7", "g7e", "trn1", "trn1n", "trn2"),
    *("p3dn", "p4d", "p4de", "p5", "p5e", "p5en", "p6-b200", "p6-b300", "p6e-gb200"),
)


def tags(account: Account) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in account.tags.items()]


def vpc(account: Account) -> Request:
    """{"VpcConfig": ...}, {} where neither subnets nor security groups are named."""
    if not account.subnets and not account.security_groups:
        return {}
    return {"VpcConfig": {"Subnets": list(account.subnets), "SecurityGroupIds": list(account.security_groups)}}


def volume_key(account: Account, instance: str) -> str | None:
    """The key of a machine's volume; None where its disk is local, for which SageMaker refuses one (API reference,
    ResourceConfig, VolumeKmsKeyId)."""
    family = instance.removeprefix("ml.").split(".")[0]
    return None if family in LOCAL_DISK else account.kms_key


def folder_prefix(source: str) -> str:
    """An s3:// place that is no file's, ended by /: without it a prefix means every key that begins so, those of
    train2/ too where train is meant."""
    return source if not source.startswith("s3://") or source.endswith("/") or is_file(source) else f"{source}/"


def given(**fields: Any) -> Request:
    """Without the fields that are None, empty or False."""
    return {
        name: value for name, value in fields.items() if value not in (None, "", False) and value != {} and value != []
    }


def training_request(job: Job) -> Request:
    """CreateTrainingJob."""
    account = job.account
    return {
        "TrainingJobName": job.name,
        **_training(job),
        **given(Tags=tags(account), Environment=dict(job.environment)),
        "HyperParameters": {**job.settings, **job.entry},
    }


def tuning_request(job: Job, tuning: Request) -> Request:
    """CreateHyperParameterTuningJob: many trainings of one description. tuning: HyperParameterTuningJobConfig; what it
    varies is no static hyperparameter."""
    ranges = [item["Name"] for kind in tuning["ParameterRanges"].values() for item in kind]
    static = {name: value for name, value in {**job.settings, **job.entry}.items() if name not in ranges}
    definition = {"StaticHyperParameters": static, **_training(job), **given(Environment=dict(job.environment))}
    definition.pop("CheckpointConfig", None)  # one place for all: a training would go on from another's
    machine = definition.pop("ResourceConfig")
    machine.pop("KeepAlivePeriodInSeconds", None)
    return {
        "HyperParameterTuningJobName": job.name,
        "HyperParameterTuningJobConfig": tuning,
        "TrainingJobDefinition": {**definition, "ResourceConfig": machine},
        **given(Tags=tags(job.account)),
    }


def _training(job: Job) -> Request:
    """What a training job and the definition of a tuning job share."""
    account, machine, limits = job.account, job.machine, job.limits
    return {
        "AlgorithmSpecification": {
            "TrainingImage": account.image,
            "TrainingInputMode": "File",
            "MetricDefinitions": metric_definitions(),
        },
        "RoleArn": account.role,
        "InputDataConfig": [_channel(part) for part in job.inputs],
        "OutputDataConfig": {
            "S3OutputPath": account.root,
            **given(KmsKeyId=account.kms_key, CompressionType=None if job.compress else "NONE"),
        },
        "ResourceConfig": {
            "InstanceType": machine.instance,
            "InstanceCount": machine.count,
            **given(
                VolumeSizeInGB=machine.volume_gb,
                VolumeKmsKeyId=volume_key(account, machine.instance),
                KeepAlivePeriodInSeconds=machine.keep_alive or None,
            ),
        },
        "StoppingCondition": {
            "MaxRuntimeInSeconds": limits.max_run,
            **given(MaxWaitTimeInSeconds=(limits.max_wait or limits.max_run) if machine.spot else limits.max_wait),
        },
        **given(
            EnableManagedSpotTraining=machine.spot,
            CheckpointConfig={"S3Uri": job.checkpoints, "LocalPath": str(OptMl().checkpoints)}
            if job.checkpoints
            else None,
            RetryStrategy={"MaximumRetryAttempts": limits.attempts} if limits.attempts else None,
            EnableNetworkIsolation=account.isolated,
            EnableInterContainerTrafficEncryption=account.encrypt_traffic,
        ),
        **vpc(account),
    }


def _channel(part: Input) -> Request:
    return {
        "ChannelName": part.name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": folder_prefix(part.source),
                "S3DataDistributionType": "FullyReplicated",
            }
        },
        "InputMode": part.mode,
        **given(ContentType=part.content_type),
    }


def processing_request(job: Job) -> Request:
    """CreateProcessingJob: inference, inference_TTA or evaluation."""
    account, machine = job.account, job.machine
    name, local = job.type.output, OptMl().processing / job.type.output
    output = {"S3Uri": f"{job.folder}/{name}", "LocalPath": str(local), "S3UploadMode": "EndOfJob"}
    network = {
        **given(
            EnableNetworkIsolation=account.isolated,
            EnableInterContainerTrafficEncryption=account.encrypt_traffic,
        ),
        **vpc(account),
    }
    return {
        "ProcessingJobName": job.name,
        "ProcessingInputs": [_processing_input(part) for part in job.inputs],
        "ProcessingOutputConfig": {
            "Outputs": [{"OutputName": name, "S3Output": output}],
            **given(KmsKeyId=account.kms_key),
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": machine.instance,
                "InstanceCount": machine.count,
                "VolumeSizeInGB": machine.volume_gb or 30,
                **given(VolumeKmsKeyId=volume_key(account, machine.instance)),
            }
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": job.limits.max_run},
        "AppSpecification": {"ImageUri": account.image, "ContainerArguments": arguments(job)},
        **given(Environment=dict(job.environment), NetworkConfig=network, Tags=tags(account)),
        "RoleArn": account.role,
    }


def arguments(job: Job) -> list[str]:
    """The words that a processing job's container is started with: what to run and its settings as flags."""
    words = [job.type.name]
    for name, value in job.settings.items():
        words += [f"--{name}", value]
    return words


def _processing_input(part: Input) -> Request:
    return {
        "InputName": part.name,
        "S3Input": {
            "S3Uri": folder_prefix(part.source),
            "LocalPath": str(OptMl().processing_input(part.name)),
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3DataDistributionType": "FullyReplicated",
        },
    }


def as_json(requests: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """What --dry_run prints: the one request, for `aws sagemaker METHOD --cli-input-json`; of several an object of them
    by the command's name, in the order in which they are sent."""
    if len(requests) == 1:
        return json.dumps(requests[0][1], indent=2, ensure_ascii=False)
    named = {method.replace("_", "-"): request for method, request in requests}
    return json.dumps(named, indent=2, ensure_ascii=False)
