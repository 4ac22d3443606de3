"""Puts a model behind an endpoint of SageMaker: real-time, serverless or asynchronous.

python -m jobs deploy --model_dir JOB --instance ml.m5.large --wait
python -m jobs deploy --model_dir JOB --kind serverless --memory_mb 4096
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs.aws.job_kinds import ENDPOINT
from jobs.commands.hosted_model import describe_model, send_model
from jobs.requests.hosting import Endpoint, endpoint_config_request, endpoint_request, model_request
from jobs.requests.train_and_process import as_json
from jobs.spec.flags import DeployFlags, read_flags
from model.errors import InputError


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags(DeployFlags, argv, __doc__ or "")
    hosted, local = describe_model(flags, "endpoint")
    if flags.kind == "serverless" and not hosted.model.endswith(".tar.gz"):
        raise InputError(f"--model_dir {hosted.model}: a serverless endpoint takes model.tar.gz, no prefix")
    endpoint = Endpoint(flags.kind, flags.memory_mb, flags.concurrency, flags.startup)
    requests = [
        ("create_model", model_request(hosted)),
        ("create_endpoint_config", endpoint_config_request(hosted, endpoint)),
        ("create_endpoint", endpoint_request(hosted)),
    ]
    from jobs.aws.clients import Clients
    from jobs.aws.follow import Follower, ending
    from jobs.backends import sagemaker

    sagemaker.checked(requests)
    if flags.dry_run:
        print(as_json(requests))
        return 0
    clients = Clients(flags.region, flags.profile)
    send_model(hosted, local, clients)
    for method, request in requests:
        sagemaker.send(clients, method, request, print)
    sagemaker.remember(clients, ENDPOINT, "deploy", hosted.name, Path(flags.results), requests[2][1], {})
    print(f"started endpoint {hosted.name}; python -m jobs stop {hosted.name} deletes it")
    if not flags.wait:
        return 0
    description = Follower(clients, ENDPOINT, hosted.name).to_the_end()
    code, lines = ending(ENDPOINT, hosted.name, description, [])
    print("\n".join(lines))
    return code
