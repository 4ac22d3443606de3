"""An endpoint that gets another model in place: what is deleted after success, and what after SageMaker went back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.aws.clients import Clients
from jobs.aws.follower import Follower, outcome
from jobs.aws.job_kinds import ENDPOINT
from jobs.commands.creation import delete
from jobs.commands.live_endpoint import IN_SERVICE, LiveEndpoint, delete_parts, live_endpoint
from jobs.commands.scaling import end_scaling, scaled_variants, set_scaling
from jobs.requests.hosted_model import HostedModel
from jobs.requests.scaling import Scaling
from jobs.spec.record import JobRecord
from model.errors import ExitCode, InputError

LOOKS = 12  # at an endpoint that still has its former configuration: the answer may be from before the update
LOOK_SECONDS = 5.0


@dataclass(frozen=True)
class EndpointUpdate:
    """The update of one endpoint.

    Attributes:
        former: The endpoint before it.
        name: Of the new configuration and of the new model.
        scaling: How the endpoint is scaled after it, None where the flags do not say.
        is_scaled: Whether it is scaled now.
        other_machines: Whether it gets another instance type, which SageMaker refuses while it is scaled.
    """

    clients: Clients
    former: LiveEndpoint
    name: str
    scaling: Scaling | None
    is_scaled: bool
    other_machines: bool

    @property
    def keeps_count(self) -> bool:
        """Whether the number of machines stays as scaling has set it."""
        return self.is_scaled and not self.other_machines

    def prepare(self) -> None:
        """Ends the scaling of an endpoint that gets other machines; `follow` sets it again."""
        if self.is_scaled and self.other_machines:
            variants = [variant["VariantName"] for variant in self.former.variants]
            for line in end_scaling(self.clients, self.former.name, variants):
                print(f"warning: {line}")

    def restore_scaling(self) -> None:
        """Sets the scaling again that `prepare` has ended, for an update that SageMaker refuses."""
        if self.is_scaled and self.other_machines and self.scaling:
            set_scaling(self.clients, self.scaling)

    def follow(self, follower: Follower, earlier: JobRecord | None) -> int:
        """Follows the update to its end and deletes what no endpoint uses any more. Ctrl-C leaves the update running.

        Args:
            earlier: Record of the endpoint before the update; it is saved again where SageMaker went back.

        Returns:
            The exit code.
        """
        try:
            description = self._ended(follower)
        except KeyboardInterrupt:
            parts = ", ".join(
                [f"configuration {self.former.config}", *(f"model {name}" for name in self.former.models)]
            )
            print(f"the update of {self.former.name} goes on; nothing deletes what it replaces: {parts}")
            return ExitCode.INTERRUPTED
        code, lines = outcome(ENDPOINT, self.former.name, description, [])
        print("\n".join(lines))
        in_service = ENDPOINT.status(description) == IN_SERVICE
        if in_service and description["EndpointConfigName"] == self.name:
            deleted, left = delete_parts(self.clients, self.former)
        elif in_service:
            print(f"SageMaker went back to configuration {self.former.config}; the former model answers")
            deleted, left = self._delete_new()
            if earlier is not None:
                earlier.save()
            code = ExitCode.FAULT
        else:
            deleted, left = [], [f"configurations {self.former.config} and {self.name}, either of which may be in use"]
            code = ExitCode.FAULT
        if deleted:
            print(f"deleted: {', '.join(deleted)}")
        for line in left:
            print(f"not deleted: {line}")
        if self.scaling and in_service:
            set_scaling(self.clients, self.scaling)
        return code

    def _ended(self, follower: Follower) -> Mapping[str, Any]:
        """The description of the endpoint once the update has ended."""
        description = follower.follow()
        for _ in range(LOOKS):
            if ENDPOINT.status(description) != IN_SERVICE or description["EndpointConfigName"] == self.name:
                break
            follower.sleep(LOOK_SECONDS)
            description = follower.follow()
        return description

    def _delete_new(self) -> tuple[list[str], list[str]]:
        """Deletes the new configuration and model; returns what is deleted and what is not."""
        deleted: list[str] = []
        left: list[str] = []
        for method, field in (("create_endpoint_config", "EndpointConfigName"), ("create_model", "ModelName")):
            words, is_deleted = delete(self.clients, method, {field: self.name})
            (deleted if is_deleted else left).append(words)
        return deleted, left


def former_endpoint(clients: Clients, name: str, hosted: HostedModel, scaling: Scaling | None) -> EndpointUpdate:
    """The endpoint that --update changes.

    Args:
        hosted: The new model.
        scaling: How the endpoint is scaled after the update, None where the flags do not say.

    Raises:
        InputError: There is no such endpoint, it is not in service, or it is scaled and gets another instance type.
    """
    former = live_endpoint(clients, name)
    if former.status != IN_SERVICE:
        raise InputError(f"endpoint {name} is {former.status}; it is updated when it is {IN_SERVICE}")
    bounds = scaled_variants(clients, name, [variant["VariantName"] for variant in former.variants])
    instance = hosted.machine.instance
    other_machines = any(variant.get("InstanceType") != instance for variant in former.variants)
    if bounds and other_machines and scaling is None:
        low, high = next(iter(bounds.values()))
        types = ", ".join(str(variant.get("InstanceType")) for variant in former.variants)
        raise InputError(
            f"endpoint {name} is scaled from {low} to {high} machines of {types}, and SageMaker gives it no {instance} "
            f"so; --max_instances {high} --min_instances {low} ends the scaling and sets it again"
        )
    return EndpointUpdate(clients, former, hosted.name, scaling, bool(bounds), other_machines)
