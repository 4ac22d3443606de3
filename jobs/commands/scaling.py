"""Sets and removes the scaling of an endpoint by Application Auto Scaling."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jobs.aws.calls import NOT_FOUND, call, error_code, user_error
from jobs.aws.clients import Clients
from jobs.requests.scaling import (
    NAMESPACE,
    Scaling,
    first_machine_alarm_name,
    scaled_resource,
    scaling_requests,
)


def set_scaling(clients: Clients, scaling: Scaling) -> None:
    """Registers the machines of an endpoint that is in service, and sets its scaling policies.

    Raises:
        InputError, Failure: AWS refuses. The endpoint keeps its current number of machines.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    arn = ""
    for method, request in scaling_requests(scaling):
        try:
            if method == "put_metric_alarm":  # its action is the step policy that the request before it created
                call(clients.cloudwatch.put_metric_alarm, **request, AlarmActions=[arn])
                continue
            answer = call(getattr(clients.autoscaling, method), **request)
            arn = answer.get("PolicyARN", "")
        except (ClientError, BotoCoreError) as error:
            action = f"{scaling.endpoint} is in service, but scaling is not set: {method}"
            raise user_error(error, action) from error
    print(f"{scaling.endpoint} scales between {scaling.low} and {scaling.high} machines with its load")


def scaled_variants(clients: Clients, endpoint: str, variants: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Returns the smallest and largest number of machines of each variant that is scaled."""
    from botocore.exceptions import BotoCoreError, ClientError

    names = {scaled_resource(endpoint, variant)["ResourceId"]: variant for variant in variants}
    try:
        answer = call(
            clients.autoscaling.describe_scalable_targets, ServiceNamespace=NAMESPACE, ResourceIds=list(names)
        )
    except (ClientError, BotoCoreError) as error:
        raise user_error(error, f"scaling of {endpoint}") from error
    return {
        names[target["ResourceId"]]: (target["MinCapacity"], target["MaxCapacity"])
        for target in answer["ScalableTargets"]
    }


def end_scaling(clients: Clients, endpoint: str, variants: Iterable[str]) -> list[str]:
    """Removes the scaling of an endpoint: deregisters its variants, which deletes their policies, and deletes the alarm
    of the first machine.

    Returns:
        Messages of the calls that failed; none if nothing is scaled.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    calls: list[tuple[Any, dict[str, Any]]] = [
        (clients.autoscaling.deregister_scalable_target, scaled_resource(endpoint, variant)) for variant in variants
    ]
    calls.append((clients.cloudwatch.delete_alarms, {"AlarmNames": [first_machine_alarm_name(endpoint)]}))
    errors = []
    for method, request in calls:
        try:
            call(method, **request)
        except (ClientError, BotoCoreError) as error:
            if error_code(error) not in (*NOT_FOUND, "ObjectNotFoundException"):
                errors.append(str(user_error(error, f"scaling of {endpoint}")))
    return errors
