"""The SageMaker Python SDK's local mode, a client that none of us wrote, against the built image. pytest -m sdk, or
make sdk-check; each version is installed into an environment of its own in .sdk/, which is kept."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load

from model.prediction import predict

pytestmark = pytest.mark.sdk

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = Path(__file__).with_name("clients")
PACKAGES = {"v2": "sagemaker[local]==2.257.7", "v3": "sagemaker==3.27.0"}
ACCOUNT = {  # of nobody: whatever calls AWS fails
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture
def client(image, people, shared, tmp_path):
    """Runs a client's script to its end; returns its folder and what it printed last."""
    if shutil.which("docker-compose") is None and subprocess.run(["docker", "compose", "version"]).returncode != 0:
        (pytest.fail if "RAREBIRD_CI" in os.environ else pytest.skip)("needs docker-compose")

    def run(version: str, *more: object) -> tuple[Path, str]:
        home = ROOT / ".sdk" / version
        if not (home / "done").exists():
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
            subprocess.run([home / "bin" / "pip", "install", "--quiet", PACKAGES[version]], check=True)
            (home / "done").touch()
        place = tmp_path / version
        words = [CLIENTS / f"{version}.py", image, people, shared / "weights", place, *more]
        env = {**os.environ, **ACCOUNT, "HOME": str(tmp_path)}
        env["PATH"] = f"/usr/bin:{env['PATH']}"  # as CLIENT of conftest.py
        command = [home / "bin" / "python", *map(str, words)]
        ended = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=1500)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return place, ended.stdout.splitlines()[-1] if ended.stdout else ""

    return run


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {member.name.removeprefix("./"): tar.extractfile(member).read() for member in tar if member.isfile()}


def test_version_2_fits_deploys_predicts_and_transforms(client, people, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place, printed = client("v2", port)
    answers = json.loads(printed)

    packed = members(next((place / "output").rglob("model.tar.gz")))
    load(packed["model.safetensors"])
    # what this client returns proves nothing: a container that dies at once counts as done
    assert not any(Path(name).name == "failure" for name in members(next((place / "output").rglob("output.tar.gz"))))

    model = tmp_path / "model"
    for name, content in packed.items():
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_bytes(content)
    pictures = [str(people / "eval" / "images" / name) for name in answers["pictures"]]
    reference = predict(model, pictures, precision="fp32").select_dtypes("float32").to_numpy()
    told = [answer["probabilities"] for answer in answers["predicted"]]
    assert np.array(told) == pytest.approx(reference, abs=1e-3)

    transformed = sorted((place / "transformed").glob("*.out"))
    assert len(transformed) == len(list((people / "eval" / "images").iterdir()))
    assert all(len(json.loads(path.read_text())["probabilities"]) == len(told[0]) for path in transformed)


def test_version_3_fits(client):
    place, _ = client("v3")
    found = [members(path)["model.safetensors"] for path in place.rglob("model.tar.gz")]
    found = found or [path.read_bytes() for path in place.rglob("model.safetensors")]
    assert len(found) == 1, sorted(place.rglob("*"))
    load(found[0])
    assert not list(place.rglob("failure"))
