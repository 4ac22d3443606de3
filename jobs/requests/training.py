"""The request that creates a training job."""

from __future__ import annotations

from container.opt_ml import OptMl
from jobs.requests.common import Request, tags, volume_key, vpc, without_empty
from jobs.spec.inputs import Input
from jobs.spec.job import Job
from jobs.spec.metrics import metric_definitions

LIVE_CURVES = "/opt/tensorboard"  # SageMaker refuses paths below /opt/ml, /tmp and /usr/local/nvidia


def training_request(job: Job) -> Request:
    """Returns the CreateTrainingJob request."""
    return {
        "TrainingJobName": job.name,
        **training_definition(job),
        **without_empty(
            Tags=tags(job.account),
            Environment=dict(job.environment),
            TensorBoardOutputConfig=_live_curves(job) if job.live_curves else None,
        ),
        "HyperParameters": {**job.settings, **job.entry},
    }


def training_definition(job: Job) -> Request:
    """Returns the fields that a training job shares with the trainings of a tuning job."""
    account, machine, limits = job.account, job.machine, job.limits
    # the prefix must end with /: SageMaker would restore, and remove, the checkpoints of exp-10 for exp-1
    checkpoints = {"S3Uri": f"{(job.checkpoints or '').rstrip('/')}/", "LocalPath": str(OptMl().checkpoints)}
    return {
        "AlgorithmSpecification": {
            "TrainingImage": account.image,
            "TrainingInputMode": "File",
            "MetricDefinitions": metric_definitions(),
        },
        "RoleArn": account.role,
        "InputDataConfig": [_channel(each) for each in job.inputs],
        "OutputDataConfig": {
            "S3OutputPath": account.root,
            **without_empty(KmsKeyId=account.kms_key, CompressionType=None if job.compress else "NONE"),
        },
        "ResourceConfig": {
            "InstanceType": machine.instance,
            "InstanceCount": machine.count,
            **without_empty(
                VolumeSizeInGB=machine.volume_gb,
                VolumeKmsKeyId=volume_key(account, machine.instance),
                KeepAlivePeriodInSeconds=machine.keep_alive or None,
            ),
        },
        "StoppingCondition": {
            "MaxRuntimeInSeconds": limits.max_run,
            **without_empty(
                MaxWaitTimeInSeconds=(limits.max_wait or limits.max_run) if machine.spot else limits.max_wait
            ),
        },
        **without_empty(
            EnableManagedSpotTraining=machine.spot,
            CheckpointConfig=checkpoints if job.checkpoints else None,
            RetryStrategy={"MaximumRetryAttempts": limits.attempts} if limits.attempts else None,
            EnableNetworkIsolation=account.isolated,
            EnableInterContainerTrafficEncryption=account.encrypt_traffic,
        ),
        **vpc(account),
    }


def _live_curves(job: Job) -> Request:
    """Returns TensorBoardOutputConfig. SageMaker copies the files to S3OutputPath/JOB/tensorboard-output."""
    return {"LocalPath": LIVE_CURVES, "S3OutputPath": job.account.root}


def _channel(channel: Input) -> Request:
    return {
        "ChannelName": channel.name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": channel.s3_prefix,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
        "InputMode": channel.mode,
    }
