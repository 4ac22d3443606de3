"""The request that creates a processing job: inference, inference_TTA or evaluation."""

from __future__ import annotations

from container.opt_ml import OptMl
from jobs.requests.common import Request, tags, volume_key, vpc, without_empty
from jobs.spec.inputs import Input
from jobs.spec.job import PARTS, Job


def processing_request(job: Job) -> Request:
    """Returns the CreateProcessingJob request."""
    account, machine = job.account, job.machine
    network = {
        **without_empty(
            EnableNetworkIsolation=account.isolated,
            EnableInterContainerTrafficEncryption=account.encrypt_traffic,
        ),
        **vpc(account),
    }
    return {
        "ProcessingJobName": job.name,
        "ProcessingInputs": [_processing_input(each) for each in job.inputs],
        "ProcessingOutputConfig": {
            "Outputs": [_processing_output(job, name) for name in job.outputs],
            **without_empty(KmsKeyId=account.kms_key),
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": machine.instance,
                "InstanceCount": machine.count,
                "VolumeSizeInGB": machine.volume_gb or 30,
                **without_empty(VolumeKmsKeyId=volume_key(account, machine.instance)),
            }
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": job.limits.max_run},
        "AppSpecification": {"ImageUri": account.image, "ContainerArguments": container_arguments(job)},
        **without_empty(Environment=dict(job.environment), NetworkConfig=network, Tags=tags(account)),
        "RoleArn": account.role,
    }


def container_arguments(job: Job) -> list[str]:
    """Returns the arguments of a processing job's container: the job type, and the settings as flags."""
    arguments = [job.type.name]
    for name, value in job.settings.items():
        arguments += [f"--{name}", value]
    return arguments


def _processing_output(job: Job, name: str) -> Request:
    """Returns an output of the job. Finished parts are uploaded while it runs, so that a stopped job can be resumed."""
    output = {
        "S3Uri": f"{job.s3_folder}/{name}",
        "LocalPath": str(OptMl().processing / name),
        "S3UploadMode": "Continuous" if name == PARTS else "EndOfJob",
    }
    return {"OutputName": name, "S3Output": output}


def _processing_input(each: Input) -> Request:
    return {
        "InputName": each.name,
        "S3Input": {
            "S3Uri": each.s3_prefix,
            "LocalPath": str(OptMl().processing_input(each.name)),
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3DataDistributionType": "ShardedByS3Key" if each.sharded else "FullyReplicated",
        },
    }
