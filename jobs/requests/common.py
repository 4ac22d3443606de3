"""Fields that several requests share (tags, VPC, encryption keys), and the JSON of requests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jobs.spec.job import Account

Request = dict[str, Any]
Requests = Sequence[tuple[str, Mapping[str, Any]]]  # methods of boto3's clients with their arguments

LOCAL_DISK = (  # families with a local disk, which AWS encrypts with its own key (EC2, "Instance store volumes")
    *("c5d", "c6gd", "m5d", "m6gd", "r5d", "r6gd", "r7gd", "dl1"),
    *("g4dn", "g5", "g6", "g6e", "g7", "g7e", "trn1", "trn1n", "trn2"),
    *("p3dn", "p4d", "p4de", "p5", "p5e", "p5en", "p6-b200", "p6-b300", "p6e-gb200"),
)


def tags(account: Account) -> list[dict[str, str]]:
    """Returns the account's tags as boto3's Tags."""
    return [{"Key": key, "Value": value} for key, value in account.tags.items()]


def vpc(account: Account) -> Request:
    """Returns {"VpcConfig": ...}, {} without subnets and security groups."""
    if not account.subnets and not account.security_groups:
        return {}
    return {"VpcConfig": {"Subnets": list(account.subnets), "SecurityGroupIds": list(account.security_groups)}}


def instance_family(instance: str) -> str:
    """Returns the family of an instance type: g5 for ml.g5.xlarge."""
    return instance.removeprefix("ml.").split(".")[0]


def volume_key(account: Account, instance: str) -> str | None:
    """Returns the KMS key of a machine's volume; None for instance types with a local disk, for which SageMaker refuses
    a key (API reference, ResourceConfig, VolumeKmsKeyId)."""
    return None if instance_family(instance) in LOCAL_DISK else account.kms_key


def without_empty(**fields: Any) -> Request:
    """Returns the fields that are not None, False, 0 or empty."""
    return {name: value for name, value in fields.items() if value}


def requests_json(requests: Requests) -> str:
    """Returns the JSON that --dry_run prints.

    A single request is printed as for `aws sagemaker METHOD --cli-input-json`. Several are an object with one key per
    AWS CLI command, in sending order; the value is a list if a command occurs several times.
    """
    if len(requests) == 1:
        return json.dumps(requests[0][1], indent=2, ensure_ascii=False)
    by_command: dict[str, Any] = {}
    for method, request in requests:
        same = [each for name, each in requests if name == method]
        by_command[method.replace("_", "-")] = same if len(same) > 1 else request
    return json.dumps(by_command, indent=2, ensure_ascii=False)
