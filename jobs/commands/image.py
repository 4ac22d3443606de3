"""Build the container image and push it to ECR. The repository is created if needed, with immutable tags.

    python -m jobs image --region eu-west-1                  # the tag is the git commit
    python -m jobs image --region eu-west-1 --build false    # push the existing local image `rarebird`
    python -m jobs image --push false                        # only build

To run jobs with the image, add the line SAGEMAKER_IMAGE=... that is printed to .env.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from container.project_root import PROJECT_ROOT
from jobs.aws.calls import error_code, user_error
from jobs.aws.clients import Clients
from jobs.backends.docker import ENGINE, engine
from jobs.spec.account_flags import ImageFlags
from jobs.spec.command_line import read_flags
from jobs.spec.flags import LOCAL_IMAGE
from model.errors import ExitCode, Failure, InputError

CHANGED = "-changed-"  # in the tag of an image with uncommitted changes


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags("image", argv, __doc__ or "")
    if not flags.push:
        build(flags)
        return ExitCode.DONE
    tag = flags.tag or commit_tag(PROJECT_ROOT)
    ecr = Clients(flags.region, flags.profile).client("ecr")
    uri = f"{repository_uri(ecr, flags.repository)}:{tag}"
    if image_exists(ecr, flags.repository, tag):
        if flags.tag or flags.base_image or CHANGED in tag:
            raise InputError(f"{uri} already exists, and tags are immutable; use another --tag")
        print(f"{uri} already exists for this commit; nothing to do")
        return ExitCode.DONE
    if flags.build:
        build(flags)
    log_in(ecr)
    engine("tag", LOCAL_IMAGE, uri)
    if run_in_terminal(ENGINE, "push", uri):
        raise Failure(f"docker push {uri} failed")
    print(f"pushed {uri}; to run jobs with it, add this line to .env:\nSAGEMAKER_IMAGE={uri}")
    return ExitCode.DONE


def build(flags: ImageFlags) -> None:
    """Builds the local image. Raises Failure if docker fails."""
    arguments = ["--build-arg", f"BASE_IMAGE={flags.base_image}"] if flags.base_image else []
    if run_in_terminal(ENGINE, "build", "--tag", LOCAL_IMAGE, *arguments, str(PROJECT_ROOT)):
        raise Failure("docker build failed")


def run_in_terminal(*command: str) -> int:
    """Runs a command with its output on the terminal; returns its exit code."""
    try:
        return subprocess.run(command).returncode
    except FileNotFoundError:
        raise InputError(f"{command[0]} is not installed") from None


def commit_tag(folder: Path) -> str:
    """Returns the tag of an image built from a folder: the git commit, and a hash of uncommitted changes if any.

    Raises:
        InputError: The folder is not a git checkout.
    """

    def git(*arguments: str) -> bytes:
        try:
            completed = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True)
        except FileNotFoundError:
            raise InputError("git is not installed; set --tag") from None
        if completed.returncode:
            raise InputError(f"{folder} is not a git checkout; set --tag")
        return completed.stdout

    commit = git("rev-parse", "--short=12", "HEAD").decode().strip()
    if not git("status", "--porcelain").strip():
        return commit
    changes = hashlib.blake2b(git("diff", "HEAD", "--binary"), digest_size=4)
    root = Path(os.fsdecode(git("rev-parse", "--show-toplevel")).rstrip("\n"))
    for name in git("-C", str(root), "ls-files", "--others", "--exclude-standard", "-z").split(b"\0")[:-1]:
        path = root / os.fsdecode(name)
        changes.update(name + b"\0" + (path.read_bytes() if path.is_file() else b""))
    return f"{commit}{CHANGED}{changes.hexdigest()}"


def repository_uri(ecr: Any, name: str) -> str:
    """Returns the URI of a repository, which is created if it does not exist."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        try:
            repository = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
        except ClientError as error:
            if error_code(error) != "RepositoryNotFoundException":
                raise
            repository = ecr.create_repository(
                repositoryName=name,
                imageTagMutability="IMMUTABLE",
                imageScanningConfiguration={"scanOnPush": True},
            )["repository"]
    except (ClientError, BotoCoreError) as error:
        raise user_error(error, f"repository {name}") from error
    return str(repository["repositoryUri"])


def image_exists(ecr: Any, repository: str, tag: str) -> bool:
    """Whether a repository in ECR has an image with this tag."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return bool(ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"])
    except (ClientError, BotoCoreError) as error:
        if error_code(error) == "ImageNotFoundException":
            return False
        raise user_error(error, f"repository {repository}") from error


def log_in(ecr: Any) -> None:
    """Logs docker in to ECR. The password is passed on stdin, so that it is in no command line or log."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        authorization = ecr.get_authorization_token()["authorizationData"][0]
    except (ClientError, BotoCoreError) as error:
        raise user_error(error, "log in to ECR") from error
    user, _, password = base64.b64decode(authorization["authorizationToken"]).decode().partition(":")
    command = [ENGINE, "login", "--username", user, "--password-stdin", authorization["proxyEndpoint"]]
    try:
        completed = subprocess.run(command, input=password, capture_output=True, text=True)
    except FileNotFoundError:
        raise InputError("docker is not installed") from None
    if completed.returncode:
        raise Failure(f"docker login failed: {completed.stderr.replace(password, '...').strip()}")
