"""Deploy a model to a SageMaker endpoint: real-time, serverless or asynchronous.

python -m jobs deploy --model_dir JOB --instance ml.m5.large --wait
python -m jobs deploy --model_dir JOB --kind serverless --memory_mb 4096
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs.aws.clients import Clients
from jobs.aws.follower import Follower, outcome
from jobs.aws.job_kinds import ENDPOINT
from jobs.backends.sagemaker import save_record
from jobs.commands.dry_run import check_or_print
from jobs.commands.hosted_model import create_all, read_model
from jobs.requests.endpoint import Endpoint, endpoint_config_request, endpoint_request
from jobs.requests.hosted_model import model_request
from jobs.spec.command_line import read_flags
from model.errors import ExitCode, InputError


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags("deploy", argv, __doc__ or "")
    model = read_model(flags, "endpoint")
    hosted = model.hosted
    if flags.kind == "serverless" and not hosted.model.endswith(".tar.gz"):
        raise InputError(f"--model_dir {hosted.model}: a serverless endpoint takes model.tar.gz, no prefix")
    endpoint = Endpoint(flags.kind, flags.memory_mb, flags.concurrency, flags.startup)
    request = endpoint_request(hosted)
    requests = [
        ("create_model", model_request(hosted)),
        ("create_endpoint_config", endpoint_config_request(hosted, endpoint)),
        ("create_endpoint", request),
    ]
    if check_or_print(flags, requests, name=hosted.name):
        return ExitCode.DONE
    clients = Clients(flags.region, flags.profile)
    model.upload(clients)
    create_all(clients, requests)
    save_record(clients, ENDPOINT, "deploy", Path(flags.results) / hosted.name, request, {})
    print(f"started endpoint {hosted.name}; python -m jobs stop {hosted.name} deletes it")
    if not flags.wait:
        return ExitCode.DONE
    description = Follower(clients, ENDPOINT, hosted.name).follow()
    code, lines = outcome(ENDPOINT, hosted.name, description, [])
    print("\n".join(lines))
    return code
