"""Checks what the places need, and says what is missing in one list.

python -m jobs doctor
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from jobs.aws.clients import Clients, code_of, explained
from jobs.spec.flags import LOCAL_IMAGE, AccountFlags, read_flags
from model.errors import Failure, InputError

ECR = r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)(?::([^@]+))?(?:@(sha256:\w+))?"

Check = Callable[[Clients, Any], str]


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags(AccountFlags, argv, __doc__ or "")
    faults = diagnose(Clients(flags.region, flags.profile), flags)
    return 1 if faults else 0


def diagnose(clients: Clients, flags: Any) -> int:
    """Prints a line a check; returns how many failed."""
    faults = 0
    for name, check in CHECKS.items():
        try:
            told = check(clients, flags)
            print(f"ok       {name}: {told}")
        except (InputError, Failure) as error:
            faults += 1
            print(f"missing  {name}: {error}")
    print(f"{faults} of {len(CHECKS)} checks failed" if faults else "all is there")
    return faults


def _engine(_: Clients, flags: Any) -> str:
    from jobs.backends.docker import check_engine, engine

    image = flags.image if flags.image and not re.fullmatch(ECR, flags.image) else LOCAL_IMAGE
    check_engine(image)
    return f"{engine('version', '--format', '{{.Server.Version}}')}, with the image {image}"


def _region(clients: Clients, flags: Any) -> str:
    region = clients.session.region_name
    if not region:
        raise InputError("set --region, or AWS_REGION in the environment or .env")
    return str(region)


def _credentials(clients: Clients, flags: Any) -> str:
    _region(clients, flags)
    return str(_asked("credentials", clients.client("sts").get_caller_identity)["Arn"])


def _role(clients: Clients, flags: Any) -> str:
    if not flags.role:
        raise InputError("set --role, or SAGEMAKER_ROLE in the environment or .env, to the ARN of the jobs' role")
    found = re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/(?:.*/)?([^/]+)", flags.role)
    if not found:
        raise InputError(f"{flags.role!r} is no role's ARN, arn:aws:iam::ACCOUNT:role/NAME")
    _region(clients, flags)
    role = _asked("role", clients.client("iam").get_role, RoleName=found[1])["Role"]
    if "sagemaker.amazonaws.com" not in str(role.get("AssumeRolePolicyDocument")):
        raise InputError(f"{flags.role}: its trust policy does not let sagemaker.amazonaws.com assume it")
    return str(role["Arn"])


def _bucket(clients: Clients, flags: Any) -> str:
    if not flags.bucket:
        raise InputError("set --bucket, or SAGEMAKER_BUCKET in the environment or .env")
    region = _region(clients, flags)
    place = _asked("bucket", clients.s3.get_bucket_location, Bucket=flags.bucket)["LocationConstraint"] or "us-east-1"
    if place != region:
        raise InputError(f"{flags.bucket} is in {place}, the jobs run in {region}")
    return str(flags.bucket)


def _image(clients: Clients, flags: Any) -> str:
    if not flags.image:
        raise InputError("set --image, or SAGEMAKER_IMAGE in the environment or .env; python -m jobs image pushes one")
    found = re.fullmatch(ECR, flags.image)
    if not found:
        raise InputError(f"{flags.image!r} is no image of ECR, ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG")
    account, _, repository, tag, digest = found.groups()
    _region(clients, flags)
    wanted = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
    ecr = clients.client("ecr")
    _asked("image", ecr.describe_images, registryId=account, repositoryName=repository, imageIds=[wanted])
    return str(flags.image)


def _asked(what: str, method: Callable[..., Any], **request: Any) -> Any:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return method(**request)
    except (ClientError, BotoCoreError) as error:
        if code_of(error) in ("NoSuchBucket", "NoSuchEntity", "RepositoryNotFoundException", "ImageNotFoundException"):
            message = error.response["Error"]["Message"]
            raise InputError(f"{message}: {', '.join(map(str, request.values()))}") from None
        raise explained(error, what) from error


CHECKS: dict[str, Check] = {
    "engine": _engine,
    "region": _region,
    "credentials": _credentials,
    "role": _role,
    "bucket": _bucket,
    "image": _image,
}
