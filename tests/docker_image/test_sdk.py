"""The SageMaker Python SDK's local mode, a client that none of us wrote, against the built image. pytest -m sdk, or
make sdk-check."""

from __future__ import annotations

import json
import socket
import tarfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load

from model.prediction.api import predict

pytestmark = pytest.mark.sdk


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {member.name.removeprefix("./"): tar.extractfile(member).read() for member in tar if member.isfile()}


def test_version_2_fits_deploys_predicts_and_transforms(sdk, image, people, shared, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = tmp_path / "v2"
    answers = json.loads(sdk("v2", "v2.py", image, people, shared / "weights", place, port))

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


def test_version_3_fits(sdk, image, people, shared, tmp_path):
    place = tmp_path / "v3"
    sdk("v3", "v3.py", image, people, shared / "weights", place)
    found = [members(path)["model.safetensors"] for path in place.rglob("model.tar.gz")]
    found = found or [path.read_bytes() for path in place.rglob("model.safetensors")]
    assert len(found) == 1, sorted(place.rglob("*"))
    load(found[0])
    assert not list(place.rglob("failure"))
