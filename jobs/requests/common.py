"""Fields that several requests share (tags, VPC, encryption keys), and requests as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jobs.spec.job import Account

Request = dict[str, Any]
Requests = Sequence[tuple[str, Mapping[str, Any]]]  # methods of boto3's clients with their arguments

LOCAL_DISK = (  # families whose local disk AWS encrypts itself, with no key of ours (EC2, "Instance store volumes")
    *("c5d", "c6gd", "m5d", "m6gd", "r5d", "r6gd", "r7gd", "dl1"),
    *("g4dn", "g5", "g6", "g6e", "g7", "g7e", "trn1", "trn1n", "trn2"),
    *("p3dn", "p4d", "p4de", "p5", "p5e", "p5en", "p6-b200", "p6-b300", "p6e-gb200"),
)


def tags(account: Account) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in account.tags.items()]


def vpc(account: Account) -> Request:
    """{"VpcConfig": ...}, {} where neither subnets nor security groups are named."""
    if not account.subnets and not account.security_groups:
        return {}
    return {"VpcConfig": {"Subnets": list(account.subnets), "SecurityGroupIds": list(account.security_groups)}}


def instance_family(instance: str) -> str:
    """The family of an instance type: g5 of ml.g5.xlarge."""
    return instance.removeprefix("ml.").split(".")[0]


def volume_key(account: Account, instance: str) -> str | None:
    """The KMS key of a machine's volume; None for local disks, for which SageMaker refuses a key (API reference,
    ResourceConfig, VolumeKmsKeyId)."""
    return None if instance_family(instance) in LOCAL_DISK else account.kms_key


def without_empty(**fields: Any) -> Request:
    """The fields without those that are None, False, 0 or empty."""
    return {name: value for name, value in fields.items() if value}


def requests_json(requests: Requests) -> str:
    """What --dry_run prints: the one request, for `aws sagemaker METHOD --cli-input-json`; several as an object by the
    command's name, in the order in which they are sent; a list of those of one command."""
    if len(requests) == 1:
        return json.dumps(requests[0][1], indent=2, ensure_ascii=False)
    by_command: dict[str, Any] = {}
    for method, request in requests:
        same = [each for name, each in requests if name == method]
        by_command[method.replace("_", "-")] = same if len(same) > 1 else request
    return json.dumps(by_command, indent=2, ensure_ascii=False)
