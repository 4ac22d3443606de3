"""Predict images with SageMaker batch transform: each machine runs a server that gets one request per image.

    python -m jobs transform --model_dir JOB --data data/eval --instance ml.g4dn.xlarge --wait

--wait downloads one file per image to RESULTS/JOB/transform, and writes the predictions as output.csv, which evaluation
reads, to RESULTS/JOB/output. If --data is a local folder, only its images are uploaded; below an s3:// prefix every
object must be an image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.aws.clients import Clients
from jobs.aws.follower import Follower
from jobs.aws.job_kinds import ENDED, TRANSFORM
from jobs.backends.input_sizes import check_payload
from jobs.backends.sagemaker import follow_and_fetch, follow_command, save_record
from jobs.commands.creation import DeferredInterrupt, create_all, delete
from jobs.commands.dry_run import check_or_print
from jobs.commands.hosted_model import read_model
from jobs.requests.hosted_model import model_request
from jobs.requests.transform import Transform, transform_request
from jobs.spec.command_line import read_flags
from jobs.spec.inputs import Input, is_remote
from jobs.spec.job import Account
from jobs.spec.results_folder import ResultsFolder
from jobs.storage.planned_uploads import PlannedUpload, plan_upload
from model.data.readers.image_names import IMAGE_SUFFIXES
from model.errors import ExitCode, InputError

IMAGES = "pictures"  # folder in S3 for uploads of only the images of a channel, without its tables and lists


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags("transform", argv, __doc__ or "")
    model = read_model(flags, "transform")
    hosted = model.hosted
    images, uploads = images_in_s3(flags, hosted.account)
    transform = Transform(
        images=images,
        accept=flags.accept,
        content_type=flags.content_type,
        payload_mb=flags.max_payload_mb,
        concurrent=flags.concurrent,
        ami_version=flags.ami_version,
    )
    request = transform_request(hosted, transform)
    requests = [("create_model", model_request(hosted)), ("create_transform_job", request)]
    if check_or_print(flags, requests, name=hosted.name):
        return ExitCode.DONE
    clients = Clients(flags.region, flags.profile)
    model.upload(clients)
    for upload in uploads:
        upload.send(clients.s3, flags.kms_key, flags.delete, print)
    outputs = {"output": request["TransformOutput"]["S3OutputPath"], "model": hosted.model}
    with DeferredInterrupt() as interrupt:
        create_all(clients, requests, interrupt, lambda: model.undo_upload(clients))
        record = save_record(clients, TRANSFORM, "transform", Path(flags.results) / hosted.name, request, outputs)
        print(f"started transform {hosted.name}; {follow_command(hosted.name)}")
    if not flags.wait:
        return ExitCode.DONE
    code, description = follow_and_fetch(Follower(clients, TRANSFORM, hosted.name), ResultsFolder(record.folder))
    delete_model(clients, description)
    return code


def delete_model(clients: Clients, description: Mapping[str, Any]) -> None:
    """Deletes the SageMaker model of a transform job that has ended, if `transform` created it for this job.

    Args:
        clients: Clients of the AWS account.
        description: Description of the transform job.
    """
    name = description.get("TransformJobName")
    if TRANSFORM.status(description) in ENDED and description.get("ModelName") == name:
        resource, is_deleted = delete(clients, "create_model", {"ModelName": name})
        if not is_deleted:
            print(f"warning: not deleted: {resource}")


def images_in_s3(flags: Any, account: Account) -> tuple[Input, list[PlannedUpload]]:
    """Returns the images of --data as an input in S3, and the upload that a local folder needs. Raises InputError if
    --data is missing or an image is too large for a request."""
    if not flags.data:
        raise InputError("--data is missing: name a folder or an s3:// prefix of images")
    clients = None if flags.dry_run else Clients(flags.region, flags.profile)
    if is_remote(flags.data):
        images = Input("pictures", flags.data)
        check_payload(images, flags.max_payload_mb, clients)
        return images, []
    if not Path(flags.data).is_dir():
        raise InputError(f"--data {flags.data}: no such folder")
    check_payload(Input("pictures", flags.data), flags.max_payload_mb, clients, IMAGE_SUFFIXES)
    upload = plan_upload("pictures", flags.data, account, IMAGES, IMAGE_SUFFIXES)
    return Input("pictures", upload.uri), [upload]
