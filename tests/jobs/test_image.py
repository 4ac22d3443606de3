"""The image's tag, and what is done where it is in ECR already; docker is played by the test."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.commands import image
from jobs.commands.image import log_in, tag_of
from model.errors import InputError
from tests.jobs.test_moto import MANIFEST, aws, server, verb

__all__ = ["aws", "server"]  # fixtures


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.c", *words], check=True)


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
    """The engine's commands, which are not run."""
    asked: list[str] = []
    monkeypatch.setattr(image, "shown", lambda *words: asked.append(words[1]) or 0)
    monkeypatch.setattr(image, "engine", lambda *words: asked.append(words[0]) or "")
    monkeypatch.setattr(image, "log_in", lambda _: None)
    return asked


def test_a_tag_is_the_commit_and_a_hash_of_what_differs(checkout):
    plain = tag_of(checkout)
    found = {plain}
    for name, text in (("train.py", "2"), ("train.py", "3"), ("new.py", "4"), ("new.py", "5")):
        (checkout / name).write_text(text)
        found.add(tag_of(checkout))
        assert tag_of(checkout).startswith(f"{plain}-changed-")
    assert len(found) == 5


def test_it_is_looked_before_anything_is_built(aws: Callable[[str], Any], checkout, docker, capsys):
    assert verb("image") == 0
    assert docker == ["build", "tag", "push"]
    tag = tag_of(checkout)
    for there in (tag, "v1"):
        aws("ecr").put_image(
            repositoryName="rarebird",
            imageManifest=json.dumps({**json.loads(MANIFEST), "annotations": {"tag": there}}),
            imageTag=there,
        )
    docker.clear()
    assert verb("image") == 0 and "nothing is to do" in capsys.readouterr().out
    assert verb("image", "--tag", "v1") == 2 and "another --tag" in capsys.readouterr().err
    assert verb("image", "--base_image", "other") == 2
    assert docker == []
    (checkout / "train.py").write_text("2")
    assert verb("image") == 0 and "-changed-" in capsys.readouterr().out
    assert docker == ["build", "tag", "push"]


def test_what_is_not_installed_is_told(checkout, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    assert verb("image", "--push", "false") == 2 and "docker is not installed" in capsys.readouterr().err
    with pytest.raises(InputError, match="git is not installed; name a --tag"):
        tag_of(checkout)


def test_a_registry_that_refuses_is_told():
    from botocore.exceptions import ClientError

    class Refusing:
        def get_authorization_token(self) -> None:
            raise ClientError(
                {"Error": {"Code": "AccessDeniedException", "Message": "ecr:Get"}}, "GetAuthorizationToken"
            )

    with pytest.raises(InputError, match="log in to ECR: not allowed: ecr:Get"):
        log_in(Refusing())
