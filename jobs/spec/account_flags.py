"""Flags of subcommands that start no job: they look up jobs, upload data, build the image or check the account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.spec.flag_groups import (
    ACCOUNT,
    NETWORK,
    BucketFlags,
    EncryptionFlags,
    Flags,
    ImageUriFlags,
    RegionFlags,
    ResultsFlags,
    RoleFlags,
    StorageFlags,
    flag,
)

# Subcommands about jobs that were started


@dataclass(frozen=True)
class JobNameFlags(ResultsFlags, RegionFlags):
    """Flags of status and fetch."""

    job: list[str] = flag(
        [], "Name of the job, or the start of its name", unset="the newest job", section="Job", positional=True
    )


@dataclass(frozen=True)
class StopFlags(JobNameFlags):
    """Flags of stop."""

    job: list[str] = flag(
        [], "Name of the job, or the start of its name; for an endpoint, its full name", section="Job", positional=True
    )
    yes: bool = flag(False, "Delete an endpoint without asking", section="Job")


@dataclass(frozen=True)
class LogsFlags(JobNameFlags):
    """Flags of logs."""

    follow: bool = flag(True, "Print new lines until the job ends; false: print only the lines so far", section="Job")


@dataclass(frozen=True)
class ListFlags(ResultsFlags, RegionFlags):
    """Flags of list."""

    all: bool = flag(
        False,
        "List the jobs of the AWS account with their status, instead of those started from this machine",
        section="List",
    )
    most: int = flag(20, "Maximum number of jobs to list; with --all, the limit for each kind of job", low=1, high=100)

    def ignored(self) -> Mapping[str, str]:
        """The flags that select the source of the other list."""
        if self.all:
            return {"results": "--all lists the jobs of the AWS account"}
        return dict.fromkeys(("region", "profile"), "only --all lists the jobs of the AWS account")


# Subcommands about data, image and account


@dataclass(frozen=True)
class UploadFlags(EncryptionFlags, RoleFlags, StorageFlags, RegionFlags):
    """Flags of upload."""

    folder: list[str] = flag([], "Folder or file to upload", section="Upload", positional=True)
    to: str = flag(
        "",
        "s3:// prefix to upload to",
        unset="a prefix derived from the content of the folder; jobs with the same data find the upload there",
    )
    delete: bool = flag(False, "Delete objects below the prefix that are not in the folder")
    yes: bool = flag(False, "Delete without asking")
    kms_key: str | None = flag(None, "KMS key that encrypts the objects", section=NETWORK)
    role: str = flag(
        "",
        "ARN of the jobs' role; its account number is part of the default of --to",
        unset="SAGEMAKER_ROLE",
        section=ACCOUNT,
    )

    def ignored(self) -> Mapping[str, str]:
        """The flags that --to replaces, and --yes without --delete."""
        reasons = dict.fromkeys(("bucket", "prefix", "role"), "--to names the whole s3:// prefix") if self.to else {}
        return reasons if self.delete else {**reasons, "yes": "only --delete asks"}


@dataclass(frozen=True)
class ShardFlags(Flags):
    """Flags of shards."""

    folder: list[str] = flag([], "Folder of images", section="Shards", positional=True)
    output: str = flag("", "Folder to create for the shards")
    shard_mb: int = flag(256, "Size of each shard", unit="MB", low=1)


@dataclass(frozen=True)
class ImageFlags(RegionFlags):
    """Flags of image."""

    repository: str = flag("rarebird", "ECR repository, created if it does not exist", section="Image")
    tag: str = flag(
        "",
        "Tag of the image in ECR",
        unset="the git commit, followed by -changed-HASH if there are uncommitted changes",
    )
    build: bool = flag(True, "Build the image first; false: push the existing local image rarebird")
    base_image: str = flag("", "Base image to build on", unset="that of the Dockerfile")
    push: bool = flag(True, "Push the image; false: only build it")

    def ignored(self) -> Mapping[str, str]:
        """The flags of the step that is skipped."""
        if not self.push:
            return dict.fromkeys(
                ("repository", "tag", "build", "region", "profile"), "--push false only builds the image"
            )
        return {} if self.build else {"base_image": "--build false builds nothing"}


@dataclass(frozen=True)
class DoctorFlags(RoleFlags, BucketFlags, ImageUriFlags, RegionFlags):
    """Flags of doctor."""
