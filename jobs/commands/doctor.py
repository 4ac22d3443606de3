"""Check Docker, AWS region, credentials, role, bucket and container image, and list everything that is missing.

    python -m jobs doctor
    python -m jobs doctor --region eu-west-1 --profile research

The exit code is 1 if a check fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from jobs.aws.calls import error_code, user_error
from jobs.aws.clients import Clients
from jobs.backends.docker import check_engine, engine
from jobs.spec.command_line import read_flags
from jobs.spec.flags import LOCAL_IMAGE
from model.errors import ExitCode, Failure, InputError

DOMAINS = (  # domains of AWS's partitions (botocore's partitions.json) and of IPv6 endpoints
    *("amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "c2s.ic.gov", "sc2s.sgov.gov", "cloud.adc-e.uk"),
    *("csp.hci.ic.gov", "on.aws", "on.amazonwebservices.com.cn", "on.amazonwebservices.eu"),
)
ECR_IMAGE = (
    rf"(\d{{12}})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:{'|'.join(map(re.escape, DOMAINS))})"
    r"/([^:@]+)(?::([^@]+))?(?:@(sha256:\w+))?"
)
ROLE_ARN = r"arn:aws[a-z-]*:iam::\d{12}:role/(?:.*/)?([^/]+)"
MISSING = ("NoSuchBucket", "NoSuchEntity", "RepositoryNotFoundException", "ImageNotFoundException")  # error codes

Check = Callable[[Clients, Any], str]  # returns what it checked; raises InputError or Failure


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags("doctor", argv, __doc__ or "")
    failed = diagnose(Clients(flags.region, flags.profile), flags)
    return ExitCode.FAULT if failed else ExitCode.DONE


def diagnose(clients: Clients, flags: Any) -> int:
    """Prints one line per check; returns the number of failed checks."""
    failed = 0
    for name, check in CHECKS.items():
        try:
            print(f"ok       {name}: {check(clients, flags)}")
        except (InputError, Failure) as error:
            failed += 1
            print(f"missing  {name}: {error}")
    print(f"{failed} of {len(CHECKS)} checks failed" if failed else f"all {len(CHECKS)} checks passed")
    return failed


def _engine(_: Clients, flags: Any) -> str:
    image = flags.image if flags.image and not re.fullmatch(ECR_IMAGE, flags.image) else LOCAL_IMAGE
    check_engine(image)
    return f"{engine('version', '--format', '{{.Server.Version}}')}, with image {image}"


def _region(clients: Clients, flags: Any) -> str:
    region = clients.session.region_name
    if not region:
        raise InputError("set --region, or AWS_REGION in the environment or .env")
    return str(region)


def _require_region(clients: Clients) -> None:
    """InputError for a check that needs the region; what to do about it is in the message of _region alone."""
    if not clients.session.region_name:
        raise InputError("not checked, because the region is missing")


def _credentials(clients: Clients, flags: Any) -> str:
    _require_region(clients)
    return str(_ask("credentials", clients.client("sts").get_caller_identity)["Arn"])


def _role(clients: Clients, flags: Any) -> str:
    if not flags.role:
        raise InputError("set --role, or SAGEMAKER_ROLE in the environment or .env, to the ARN of the role of the jobs")
    arn = re.fullmatch(ROLE_ARN, flags.role)
    if not arn:
        raise InputError(f"--role {flags.role!r} is not the ARN of a role; expected arn:aws:iam::ACCOUNT:role/NAME")
    _require_region(clients)
    role = _ask("role", clients.client("iam").get_role, RoleName=arn[1])["Role"]
    if "sagemaker.amazonaws.com" not in str(role.get("AssumeRolePolicyDocument")):
        raise InputError(
            f"{flags.role}: sagemaker.amazonaws.com may not assume this role; allow it in the role's trust policy"
        )
    return str(role["Arn"])


def _bucket(clients: Clients, flags: Any) -> str:
    if not flags.bucket:
        raise InputError("set --bucket, or SAGEMAKER_BUCKET in the environment or .env")
    _require_region(clients)
    jobs_region = clients.session.region_name
    answer = _ask("bucket", clients.s3.get_bucket_location, Bucket=flags.bucket)
    region = answer["LocationConstraint"] or "us-east-1"  # S3 answers None for its oldest region
    if region != jobs_region:
        raise InputError(
            f"bucket {flags.bucket} is in {region}, but jobs run in {jobs_region}; use a bucket in {jobs_region}, or "
            f"--region {region}"
        )
    return str(flags.bucket)


def _image(clients: Clients, flags: Any) -> str:
    if not flags.image:
        raise InputError(
            "set --image, or SAGEMAKER_IMAGE in the environment or .env; push one with python -m jobs image"
        )
    uri = re.fullmatch(ECR_IMAGE, flags.image)
    if not uri:
        raise InputError(
            f"--image {flags.image!r} is not an image in ECR; expected ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG"
        )
    account, _, repository, tag, digest = uri.groups()
    _require_region(clients)
    image_id = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
    ecr = clients.client("ecr")
    _ask("image", ecr.describe_images, registryId=account, repositoryName=repository, imageIds=[image_id])
    return str(flags.image)


def _ask(action: str, method: Callable[..., Any], **request: Any) -> Any:
    """Calls a boto3 method. Raises InputError if the resource does not exist or AWS denies access."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return method(**request)
    except (ClientError, BotoCoreError) as error:
        if error_code(error) in MISSING:
            message = error.response["Error"]["Message"]
            raise InputError(f"{message}: {', '.join(map(str, request.values()))}") from None
        raise user_error(error, action) from error


CHECKS: dict[str, Check] = {
    "engine": _engine,
    "region": _region,
    "credentials": _credentials,
    "role": _role,
    "bucket": _bucket,
    "image": _image,
}
