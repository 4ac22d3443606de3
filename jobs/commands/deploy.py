"""Deploy a model to a SageMaker endpoint: real-time, serverless, asynchronous or multi-model.

    python -m jobs deploy --model_dir JOB --instance ml.m5.large --wait
    python -m jobs deploy --model_dir JOB --kind serverless --memory_mb 4096
    python -m jobs deploy --model_dir JOB --kind async --min_instances 0 --max_instances 4
    python -m jobs deploy --model_dir JOB --job_name ENDPOINT --update --rollback_alarms ALARM

--update replaces the model of a running endpoint without downtime: new machines start first, then the old ones are
removed. If the new machines do not start, or an alarm goes off, SageMaker rolls back to the old model. After a
successful update the old configuration and model are deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.aws.clients import Clients
from jobs.aws.follower import Follower, outcome
from jobs.aws.job_kinds import ENDPOINT
from jobs.backends.sagemaker import save_record
from jobs.commands.creation import DeferredInterrupt, create_all
from jobs.commands.dry_run import check_or_print
from jobs.commands.endpoint_update import former_endpoint
from jobs.commands.hosted_model import ModelToHost, read_model
from jobs.commands.scaling import set_scaling
from jobs.requests.common import Request
from jobs.requests.endpoint import (
    ASYNC,
    MULTI_MODEL,
    SERVERLESS,
    VARIANT,
    Endpoint,
    endpoint_config_request,
    endpoint_request,
    server_variables,
    update_request,
)
from jobs.requests.hosted_model import model_request
from jobs.requests.scaling import Scaling, scaling_requests
from jobs.spec.command_line import read_flags
from jobs.spec.job import unique_name
from jobs.spec.record import read_record
from model.errors import ExitCode, InputError


def main(argv: Sequence[str]) -> int:
    # build the requests
    flags, _ = read_flags("deploy", argv, __doc__ or "")
    model = read_model(
        flags,
        "endpoint",
        name=unique_name(flags.job_name) if flags.update else "",
        variables=server_variables(flags.kind),
        is_multi_model=flags.kind == MULTI_MODEL,
    )
    if flags.kind == SERVERLESS and not model.hosted.model.endswith(".tar.gz"):
        raise InputError(
            f"--model_dir {model.hosted.model}: a serverless endpoint requires a model.tar.gz, not an s3:// prefix"
        )
    endpoint, scaling = read_endpoint(flags, model.hosted.name)
    requests = endpoint_requests(flags, model, endpoint)
    policies = scaling_requests(scaling) if scaling else []
    replaces = ENDPOINT if flags.update else None
    if check_or_print(flags, [*requests, *policies], name=endpoint.name, replaces=replaces):
        return ExitCode.DONE
    # check the endpoint to update, and upload the model
    clients = Clients(flags.region, flags.profile)
    update = former_endpoint(clients, endpoint.name, model.hosted, scaling) if flags.update else None
    if update:
        requests = endpoint_requests(flags, model, endpoint, keep_count=update.keeps_count)
    model.upload(clients)
    folder = Path(flags.results) / endpoint.name
    previous_record = read_record(folder)

    def undo() -> str:
        if update:
            update.restore_scaling()
        return model.undo_upload(clients)

    # create all resources or none
    with DeferredInterrupt() as interrupt:
        if update:
            update.prepare()
        create_all(clients, requests, interrupt, undo)
        save_record(clients, ENDPOINT, "deploy", folder, requests[-1][1], {})
        print(f"{'updating' if update else 'creating'} endpoint {endpoint.name}; {how_to_delete(endpoint.name)}")
    if not (flags.wait or update or scaling):
        return ExitCode.DONE
    # wait until the endpoint is in service; scaling can be set only then
    follower = Follower(clients, ENDPOINT, endpoint.name)
    if update:
        return update.follow(follower, previous_record)
    description = follower.follow()
    code, lines = outcome(ENDPOINT, endpoint.name, description, [])
    print("\n".join(lines))
    if scaling and code == ExitCode.DONE:
        set_scaling(clients, scaling)
    return code


def read_endpoint(flags: Any, name: str) -> tuple[Endpoint, Scaling | None]:
    """Returns the endpoint that the flags describe, and its scaling (None without --max_instances).

    Args:
        flags: The launcher's flags.
        name: The endpoint's name if --job_name is empty.
    """
    endpoint = Endpoint(
        name=flags.job_name or name,
        kind=flags.kind,
        memory_mb=flags.memory_mb,
        concurrency=flags.concurrency,
        startup=flags.startup,
        ami_version=flags.ami_version,
        capture=flags.capture,
    )
    if not flags.max_instances:
        return endpoint, None
    low, high = flags.min_instances, flags.max_instances
    return endpoint, Scaling(endpoint.name, VARIANT, flags.kind == ASYNC, low, high, flags.scale_target)


def endpoint_requests(
    flags: Any, model: ModelToHost, endpoint: Endpoint, keep_count: bool = False
) -> list[tuple[str, Request]]:
    """Returns the requests that create the model and configuration, and create or update the endpoint.

    Args:
        flags: The launcher's flags.
        model: The model to deploy.
        endpoint: The endpoint to create or update.
        keep_count: Whether an update keeps the current number of machines.
    """
    hosted = model.hosted
    if flags.update:
        last = ("update_endpoint", update_request(hosted, endpoint, flags.rollback_alarms, flags.bake, keep_count))
    else:
        last = ("create_endpoint", endpoint_request(hosted, endpoint))
    return [
        ("create_model", model_request(hosted)),
        ("create_endpoint_config", endpoint_config_request(hosted, endpoint)),
        last,
    ]


def how_to_delete(name: str) -> str:
    """Returns the end of a message: how to delete an endpoint."""
    return f"delete it with: python -m jobs stop {name}"
