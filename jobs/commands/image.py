"""Builds the image and pushes it to ECR; the repository is made where it is missing, and its tags never change.

python -m jobs image --region eu-west-1                 # tag: the commit
python -m jobs image --region eu-west-1 --build false   # pushes the image rebuilt before
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from container.project import PROJECT_ROOT
from jobs.aws.clients import Clients, code_of, explained
from jobs.backends.docker import ENGINE, engine
from jobs.spec.flags import LOCAL_IMAGE, AccountFlags, read_flags
from model.errors import Failure, InputError
from model.settings.fields import setting

CHANGED = "-changed-"


@dataclass(frozen=True)
class ImageFlags(AccountFlags):
    repository: str = setting("rarebird", "in ECR", section="Image")
    tag: str = setting("", "else the commit, with -changed- and a hash where files differ from it")
    build: bool = setting(True, "build it first; false: push the image rarebird that is there")
    base_image: str = setting("", "to build on; else the Dockerfile's")
    push: bool = setting(True, "false: only build")


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags(ImageFlags, argv, __doc__ or "")
    folder = PROJECT_ROOT
    if not flags.push:
        build(flags, folder)
        return 0
    tag = flags.tag or tag_of(folder)
    ecr = Clients(flags.region, flags.profile).client("ecr")
    uri = f"{repository_of(ecr, flags.repository)}:{tag}"
    if is_there(ecr, flags.repository, tag):
        if flags.tag or flags.base_image or CHANGED in tag:
            raise InputError(f"{uri} is there already, and tags never change; another --tag")
        print(f"{uri} is there already, of this commit; nothing is to do")
        return 0
    if flags.build:
        build(flags, folder)
    log_in(ecr)
    engine("tag", LOCAL_IMAGE, uri)
    if shown(ENGINE, "push", uri):
        raise Failure(f"docker push {uri} failed")
    print(f"{uri}\nSAGEMAKER_IMAGE={uri} in .env makes it the jobs' image")
    return 0


def build(flags: ImageFlags, folder: Path) -> None:
    arguments = ["--build-arg", f"BASE_IMAGE={flags.base_image}"] if flags.base_image else []
    if shown(ENGINE, "build", "--tag", LOCAL_IMAGE, *arguments, str(folder)):
        raise Failure("docker build failed")


def shown(*command: str) -> int:
    """The exit code of a command whose output goes to the terminal."""
    try:
        return subprocess.run(command).returncode
    except FileNotFoundError:
        raise InputError(f"{command[0]} is not installed") from None


def tag_of(folder: Path) -> str:
    """The commit of a folder's files; where they differ from it also a hash of the differences. InputError where it is
    no checkout."""

    def git(*words: str) -> bytes:
        try:
            done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True)
        except FileNotFoundError:
            raise InputError("git is not installed; name a --tag") from None
        if done.returncode:
            raise InputError(f"{folder} is no git checkout; name a --tag")
        return done.stdout

    commit = git("rev-parse", "--short=12", "HEAD").decode().strip()
    if not git("status", "--porcelain").strip():
        return commit
    changes = hashlib.blake2b(git("diff", "HEAD", "--binary"), digest_size=4)
    root = Path(os.fsdecode(git("rev-parse", "--show-toplevel")).rstrip("\n"))
    for name in git("-C", str(root), "ls-files", "--others", "--exclude-standard", "-z").split(b"\0")[:-1]:
        path = root / os.fsdecode(name)
        changes.update(name + b"\0" + (path.read_bytes() if path.is_file() else b""))
    return f"{commit}{CHANGED}{changes.hexdigest()}"


def repository_of(ecr: Any, name: str) -> str:
    """The URI of a repository, made where it is missing."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        try:
            found = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
        except ClientError as error:
            if code_of(error) != "RepositoryNotFoundException":
                raise
            made = ecr.create_repository(
                repositoryName=name,
                imageTagMutability="IMMUTABLE",
                imageScanningConfiguration={"scanOnPush": True},
            )
            found = made["repository"]
    except (ClientError, BotoCoreError) as error:
        raise explained(error, f"repository {name}") from error
    return str(found["repositoryUri"])


def is_there(ecr: Any, repository: str, tag: str) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return bool(ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"])
    except (ClientError, BotoCoreError) as error:
        if code_of(error) == "ImageNotFoundException":
            return False
        raise explained(error, f"repository {repository}") from error


def log_in(ecr: Any) -> None:
    """Hands the registry's password to the engine over its stdin; no command line and no log has it."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        told = ecr.get_authorization_token()["authorizationData"][0]
    except (ClientError, BotoCoreError) as error:
        raise explained(error, "log in to ECR") from error
    user, _, password = base64.b64decode(told["authorizationToken"]).decode().partition(":")
    command = [ENGINE, "login", "--username", user, "--password-stdin", told["proxyEndpoint"]]
    try:
        done = subprocess.run(command, input=password, capture_output=True, text=True)
    except FileNotFoundError:
        raise InputError("docker is not installed") from None
    if done.returncode:
        raise Failure(f"docker login: {done.stderr.replace(password, '...').strip()}")
