"""Updates an endpoint to another model, and deletes the old model after success or the new one after a rollback."""

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

LOOKS = 12  # while the endpoint still has its old configuration: SageMaker's answer may date from before the update
LOOK_SECONDS = 5.0  # between two looks


@dataclass(frozen=True)
class EndpointUpdate:
    """The update of one endpoint.

    Attributes:
        clients: Clients of the AWS account.
        former: The endpoint before the update.
        name: Name of the new configuration and the new model.
        scaling: Scaling after the update, None if the flags do not set it.
        is_scaled: Whether the endpoint is scaled now.
        other_machines: Whether the instance type changes, which SageMaker refuses for a scaled endpoint.
    """

    clients: Clients
    former: LiveEndpoint
    name: str
    scaling: Scaling | None
    is_scaled: bool
    other_machines: bool

    @property
    def keeps_count(self) -> bool:
        """Whether the update keeps the number of machines that scaling has set."""
        return self.is_scaled and not self.other_machines

    def prepare(self) -> None:
        """Removes the scaling of an endpoint whose instance type changes; `follow` sets it again."""
        if self.is_scaled and self.other_machines:
            variants = [variant["VariantName"] for variant in self.former.variants]
            for line in end_scaling(self.clients, self.former.name, variants):
                print(f"warning: {line}")

    def restore_scaling(self) -> None:
        """Restores the scaling that `prepare` removed, if SageMaker refuses the update."""
        if self.is_scaled and self.other_machines and self.scaling:
            set_scaling(self.clients, self.scaling)

    def follow(self, follower: Follower, previous_record: JobRecord | None) -> int:
        """Follows the update to its end and deletes the model and configuration that are no longer used.

        Ctrl-C ends following; the update itself continues.

        Args:
            follower: Follows the endpoint.
            previous_record: Record of the endpoint before the update; it is restored after a rollback.

        Returns:
            The exit code.
        """
        try:
            description = self._ended(follower)
        except KeyboardInterrupt:
            parts = ", ".join(
                [f"configuration {self.former.config}", *(f"model {name}" for name in self.former.models)]
            )
            print(f"the update of {self.former.name} continues; delete what it replaces yourself afterwards: {parts}")
            return ExitCode.INTERRUPTED
        code, lines = outcome(ENDPOINT, self.former.name, description, [])
        print("\n".join(lines))
        in_service = ENDPOINT.status(description) == IN_SERVICE
        if in_service and description["EndpointConfigName"] == self.name:
            deleted, not_deleted = delete_parts(self.clients, self.former)
        elif in_service:
            print(f"SageMaker rolled back to configuration {self.former.config}; the old model serves requests")
            deleted, not_deleted = self._delete_new()
            if previous_record is not None:
                previous_record.save()
            code = ExitCode.FAULT
        else:
            deleted = []
            not_deleted = [f"configurations {self.former.config} and {self.name}: either of them may be in use"]
            code = ExitCode.FAULT
        if deleted:
            print(f"deleted: {', '.join(deleted)}")
        for line in not_deleted:
            print(f"not deleted: {line}")
        if self.scaling and in_service:
            set_scaling(self.clients, self.scaling)
        return code

    def _ended(self, follower: Follower) -> Mapping[str, Any]:
        """Waits for the end of the update; returns the endpoint's description."""
        description = follower.follow()
        for _ in range(LOOKS):
            if ENDPOINT.status(description) != IN_SERVICE or description["EndpointConfigName"] == self.name:
                break
            follower.sleep(LOOK_SECONDS)
            description = follower.follow()
        return description

    def _delete_new(self) -> tuple[list[str], list[str]]:
        """Deletes the new configuration and model; returns the resources that are deleted and those that are not."""
        deleted: list[str] = []
        not_deleted: list[str] = []
        for method, field in (("create_endpoint_config", "EndpointConfigName"), ("create_model", "ModelName")):
            resource, is_deleted = delete(self.clients, method, {field: self.name})
            (deleted if is_deleted else not_deleted).append(resource)
        return deleted, not_deleted


def former_endpoint(clients: Clients, name: str, hosted: HostedModel, scaling: Scaling | None) -> EndpointUpdate:
    """Reads the endpoint that --update changes.

    Args:
        clients: Clients of the AWS account.
        name: Name of the endpoint.
        hosted: The new model.
        scaling: Scaling after the update, None if the flags do not set it.

    Raises:
        InputError: There is no such endpoint, it is not in service, or it is scaled and its instance type changes.
    """
    former = live_endpoint(clients, name)
    if former.status != IN_SERVICE:
        raise InputError(f"endpoint {name} is {former.status}; it can be updated once it is {IN_SERVICE}")
    bounds = scaled_variants(clients, name, [variant["VariantName"] for variant in former.variants])
    instance = hosted.machine.instance
    other_machines = any(variant.get("InstanceType") != instance for variant in former.variants)
    if bounds and other_machines and scaling is None:
        low, high = next(iter(bounds.values()))
        types = ", ".join(str(variant.get("InstanceType")) for variant in former.variants)
        raise InputError(
            f"endpoint {name} scales between {low} and {high} machines of {types}, and SageMaker cannot change the "
            f"instance type of a scaled endpoint to {instance}; add --max_instances {high} --min_instances {low} to "
            "remove the scaling during the update and set it again afterwards"
        )
    return EndpointUpdate(clients, former, hosted.name, scaling, bool(bounds), other_machines)
