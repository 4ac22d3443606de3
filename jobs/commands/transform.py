"""Answers pictures in S3 by SageMaker's batch transform: a server a machine, one request and one answer a picture.

python -m jobs transform --model_dir JOB --data data/eval --instance ml.g4dn.xlarge --wait

Of a folder only the pictures are sent; below an s3:// prefix every object is taken for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs.aws.job_kinds import TRANSFORM
from jobs.commands.hosted_model import describe_model, send_model
from jobs.requests.hosting import Transform, model_request, transform_request
from jobs.requests.train_and_process import as_json
from jobs.spec.flags import TransformFlags, read_flags
from jobs.spec.inputs import s3_place
from model.data.readers.channel_files import IMAGE_SUFFIXES
from model.errors import InputError

PICTURES = "pictures"  # below it lie folders' pictures alone, without tables and lists


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags(TransformFlags, argv, __doc__ or "")
    hosted, local = describe_model(flags, "transform")
    if not flags.data:
        raise InputError("--data: name the pictures' folder or s3:// prefix")
    remote = flags.data.startswith("s3://")
    if not remote and not Path(flags.data).is_dir():
        raise InputError(f"--data {flags.data}: there is no such folder")
    transform = Transform(
        source=flags.data if remote else s3_place(hosted.account, flags.data, PICTURES),
        accept=flags.accept,
        content_type=flags.content_type,
        payload_mb=flags.max_payload_mb,
        concurrent=flags.concurrent,
    )
    requests = [
        ("create_model", model_request(hosted)),
        ("create_transform_job", transform_request(hosted, transform)),
    ]
    from jobs.aws.clients import Clients
    from jobs.aws.follow import Follower
    from jobs.backends import sagemaker
    from jobs.storage.s3 import parse
    from jobs.storage.upload import send_folder

    sagemaker.checked(requests)
    if flags.dry_run:
        print(as_json(requests))
        return 0
    clients = Clients(flags.region, flags.profile)
    send_model(hosted, local, clients)
    if not remote:
        sent = send_folder(
            clients.s3,
            Path(flags.data),
            parse(transform.source),
            delete=flags.delete,
            kms_key=flags.kms_key,
            suffixes=IMAGE_SUFFIXES,
        )
        print(f"pictures: {sent}")
    for method, request in requests:
        sagemaker.send(clients, method, request, print)
    made = {"output": requests[1][1]["TransformOutput"]["S3OutputPath"]}
    results = Path(flags.results)
    record = sagemaker.remember(clients, TRANSFORM, "transform", hosted.name, results, requests[1][1], made)
    print(f"started transform {hosted.name}; {sagemaker.how_to_come_back(hosted.name)}")
    if not flags.wait:
        return 0
    return sagemaker.wait_for(Follower(clients, TRANSFORM, hosted.name), record.folder)[0]
