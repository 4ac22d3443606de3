"""The policies of docs/sagemaker.md, against the calls that the code makes."""

import json
import re
from pathlib import Path
from typing import Any

from jobs.aws.job_kinds import NAMED_KINDS, PIPELINE
from jobs.requests.validation import OTHER_SERVICES

ROOT = Path(__file__).resolve().parents[1]
VERBS = "add|create|delete|deregister|describe|filter|get|invoke|list|put|register|start|stop|update"
MODULES = {  # by client, the module that calls it and the prefix of its actions
    "ecr": ("image", "ecr"),
    "logs": ("log_tail", "logs"),
    "runtime": ("endpoint_answers", "sagemaker"),
    "autoscaling": ("scaling", "application-autoscaling"),
    "cloudwatch": ("scaling", "cloudwatch"),
}


def policies() -> list[dict[str, Any]]:
    text = (ROOT / "docs" / "sagemaker.md").read_text(encoding="utf-8")
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.S)]


def actions(policy: dict[str, Any], sid: str = "") -> set[str]:
    names: set[str] = set()
    for statement in policy["Statement"]:
        if not sid or statement["Sid"] == sid:
            action = statement["Action"]
            names |= {action} if isinstance(action, str) else set(action)
    return names


def camel(method: str) -> str:
    return "".join(word.capitalize() for word in method.split("_"))


def called(pattern: str, module: str = "*") -> set[str]:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "jobs").rglob(f"{module}.py"))
    return set(re.findall(pattern, text))


def test_whoever_starts_jobs_may_make_every_call_of_the_code() -> None:
    starter, _ = policies()
    by_name = called(rf'"((?:{VERBS})_[a-z_]+)"') | called(rf"\bsagemaker\.((?:{VERBS})_[a-z_]+)")
    kinds = NAMED_KINDS.values()
    by_kind = {call for kind in kinds for call in (kind.describe_method, kind.stop_method, kind.list_method)}
    others = {PIPELINE.list_method, "list_objects_v2", *OTHER_SERVICES}
    calls = {f"sagemaker:{camel(name)}" for name in (by_name | by_kind) - others}
    for client, (module, prefix) in MODULES.items():
        calls |= {f"{prefix}:{camel(name)}" for name in called(rf"\b{client}\.((?:{VERBS})_[a-z_]+)", module)}
    calls |= {f"{OTHER_SERVICES[name]}:{camel(name)}" for name in OTHER_SERVICES}
    assert len(calls) > 45
    assert calls - actions(starter) == set()
    assert actions(starter, "Jobs") | actions(starter, "Logs") <= calls  # and no more


def test_a_role_is_passed_to_sagemaker_alone() -> None:
    for policy in policies():
        (statement,) = [each for each in policy["Statement"] if "iam:PassRole" in each["Action"]]
        assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
        assert statement["Action"] == ["iam:PassRole"]


def test_the_role_may_do_what_a_pipelines_steps_do() -> None:
    _, role = policies()
    for noun in ("TrainingJob", "ProcessingJob"):
        assert {f"sagemaker:{verb}{noun}" for verb in ("Create", "Describe", "Stop")} <= actions(role, "Pipelines")
    needed = {"sagemaker:CreateModelPackage", "sagemaker:CreateModelPackageGroup", "sagemaker:AddTags", "iam:PassRole"}
    assert needed | {"ecr:GetAuthorizationToken", "logs:PutLogEvents", "s3:PutObject"} <= actions(role)
    for policy in policies():
        assert {"kms:Decrypt", "kms:GenerateDataKey", "kms:CreateGrant", "kms:DescribeKey"} <= actions(policy, "Key")
    assert "cloudwatch:DescribeAlarms" in actions(role)  # of deploy --rollback_alarms (Developer Guide)
    assert "ec2:CreateNetworkInterface" in actions(role, "Network")
