"""The image's tag, and existing images in ECR; docker is not run."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.commands import image
from jobs.commands.image import commit_tag, image_exists, log_in, repository_uri
from model.errors import InputError
from tests.jobs.conftest import MANIFEST, run_jobs


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments], check=True)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "train.py").write_text("1")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    monkeypatch.setattr(image, "PROJECT_ROOT", folder)
    return folder


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The docker commands, which are not run."""
    commands: list[str] = []
    monkeypatch.setattr(image, "run_in_terminal", lambda *command: commands.append(command[1]) or 0)
    monkeypatch.setattr(image, "engine", lambda *arguments: commands.append(arguments[0]) or "")
    monkeypatch.setattr(image, "log_in", lambda _: None)
    return commands


def test_the_tag_is_the_commit_and_a_hash_of_uncommitted_changes(checkout):
    plain = commit_tag(checkout)
    tags = {plain}
    for name, text in (("train.py", "2"), ("train.py", "3"), ("new.py", "4"), ("new.py", "5")):
        (checkout / name).write_text(text)
        tags.add(commit_tag(checkout))
        assert commit_tag(checkout).startswith(f"{plain}-changed-")
    assert len(tags) == 5


def test_ecr_is_checked_before_the_image_is_built(aws: Callable[[str], Any], checkout, docker, capsys):
    assert run_jobs("image") == 0
    assert docker == ["build", "tag", "push"]
    tag = commit_tag(checkout)
    for pushed in (tag, "v1"):
        aws("ecr").put_image(
            repositoryName="rarebird",
            imageManifest=json.dumps({**json.loads(MANIFEST), "annotations": {"tag": pushed}}),
            imageTag=pushed,
        )
    docker.clear()
    assert run_jobs("image") == 0 and "nothing to do" in capsys.readouterr().out
    assert run_jobs("image", "--tag", "v1") == 2 and "use another --tag" in capsys.readouterr().err
    assert run_jobs("image", "--base_image", "other") == 2
    assert docker == []
    (checkout / "train.py").write_text("2")
    assert run_jobs("image") == 0 and "-changed-" in capsys.readouterr().out
    assert docker == ["build", "tag", "push"]


def test_missing_docker_or_git_is_an_error(checkout, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    assert run_jobs("image", "--push", "false") == 2 and "docker is not installed" in capsys.readouterr().err
    with pytest.raises(InputError, match="git is not installed; set --tag"):
        commit_tag(checkout)


def test_a_denied_login_is_an_error():
    from botocore.exceptions import ClientError

    class Refusing:
        def get_authorization_token(self) -> None:
            raise ClientError(
                {"Error": {"Code": "AccessDeniedException", "Message": "ecr:Get"}}, "GetAuthorizationToken"
            )

    with pytest.raises(InputError, match="log in to ECR: access denied: ecr:Get"):
        log_in(Refusing())


def test_a_repository_is_created_once_and_its_tags_are_immutable(aws: Callable[[str], Any]):
    ecr = aws("ecr")
    uri = repository_uri(ecr, "rarebird")
    assert repository_uri(ecr, "rarebird") == uri and not image_exists(ecr, "rarebird", "abc")
    assert ecr.describe_repositories()["repositories"][0]["imageTagMutability"] == "IMMUTABLE"
    ecr.put_image(repositoryName="rarebird", imageManifest=MANIFEST, imageTag="abc")
    assert image_exists(ecr, "rarebird", "abc")
