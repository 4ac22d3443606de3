"""Prediction by a backend that needs no torch, in processes that cannot import it (without_torch/child.py): batches,
test-time augmentation, ensembles, the Python API and the server, compared with the same formula in float64."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from model.artifacts.files import WEIGHTS
from model.artifacts.saved_model import save_model
from model.attributes import Attribute
from model.images.inputs import PIXELS
from model.images.pipeline import InputPipeline
from model.images.preprocessing import Preprocessing
from model.images.tta import Views
from model.labels import Scheme
from model.network.heads import make_heads
from model.settings.train import TrainSettings

if TYPE_CHECKING:
    import httpx2 as httpx

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "without_torch"
CHILD = [sys.executable, str(FOLDER / "child.py")]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(FOLDER), str(ROOT)])}
SCHEME = Scheme((Attribute("kind", ("cat", "dog", "bird")), Attribute("size", ("small", "large"))))
HEADS = make_heads(SCHEME, "heads", lambda head, classes: 1 if head == "size" else classes)
PIPELINE = InputPipeline(Preprocessing(12, 16))
IMAGES = 5
UNREADABLE = 2  # row of an image that cannot be read


def child(*arguments: str | Path) -> str:
    """What a child process logs to standard output. It has to end with exit code 0."""
    run = subprocess.run([*CHILD, *map(str, arguments)], env=ENVIRONMENT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def toy_model(folder: Path, seed: int) -> Path:
    """A saved model whose network is toy.npz."""
    data = {"train": {"pictures": 1, "groups": 1, "class_counts": [0] * 6}, "validation": None}
    metrics = {"finished": True, "validation": None, "seconds": 0, "hardware": "", "versions": {}, "epoch": 1}
    metrics |= {"epochs": 1, "data": data | {"grouped_by": None, "source": "drawn"}}
    settings = TrainSettings(name=folder.name, model="toy")
    save_model(folder, {"none": np.zeros(1, np.float32)}, settings, HEADS, PIPELINE, metrics)
    (folder / WEIGHTS).unlink()
    draw = np.random.default_rng(seed)
    weight, bias = draw.normal(scale=9, size=(3, HEADS.outputs)), draw.normal(size=HEADS.outputs)
    np.savez(folder / "toy.npz", weight=weight.astype(np.float32), bias=bias.astype(np.float32))
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate("ab"):
        toy_model(folder / name, seed)
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of a channel; that in row UNREADABLE is no image."""
    folder, draw = tmp_path_factory.mktemp("channel"), np.random.default_rng(0)
    for row in range(IMAGES):
        coarse = Image.fromarray(draw.integers(0, 256, (3, 4, 3), dtype=np.uint8))
        coarse.resize((40, 30), Image.Resampling.NEAREST).save(folder / f"{row}.png")
    (folder / f"{UNREADABLE}.png").write_bytes(b"no image")
    return sorted(folder.iterdir())


def expected(model: Path, image: Path, row: int, views: Views) -> np.ndarray:
    """Probabilities float64 (6,), or the votes of random views."""
    network = np.load(model / "toy.npz")
    with Image.open(image) as opened:
        pixels = views(opened.convert("RGB"), row).arrays[PIXELS]
    answers = []
    for view in pixels:
        logits = view.mean(axis=(0, 1)) / 255 @ network["weight"].astype(float) + network["bias"]
        kind = np.exp(logits[:3]) / np.exp(logits[:3]).sum()
        large = 1 / (1 + np.exp(-logits[3]))
        answers.append(np.outer(kind, [1 - large, large]).ravel())
    answers = np.array(answers)
    return (answers if views.fixed else np.eye(6)[answers.argmax(axis=1)]).mean(axis=0)


def expected_of_all(model: Path, images: list[Path], views: Views) -> np.ndarray:
    """Of every row, NaN for the unreadable one."""
    rows = [np.full(6, np.nan) if r == UNREADABLE else expected(model, images[r], r, views) for r in range(IMAGES)]
    return np.array(rows)


def inferred(images: list[Path], output: Path, *flags: str | Path) -> np.ndarray:
    """probabilities.csv of inference.py in a child, after checking the answers and the unreadable image's row."""
    child("inference", "--eval_dir", images[0].parent, "--output_data_dir", output, *flags)
    answers, probabilities = (pd.read_csv(output / f"{name}.csv") for name in ("output", "probabilities"))
    values = probabilities[SCHEME.class_names].to_numpy(float)
    assert answers["ans"].isna().tolist() == [row == UNREADABLE for row in range(IMAGES)]
    assert answers["ans"].dropna().tolist() == np.delete(values, UNREADABLE, axis=0).argmax(axis=1).tolist()
    assert pd.read_csv(output / "errors.csv").iloc[:, 0].tolist() == [images[UNREADABLE].name]
    return values


@pytest.mark.parametrize(
    ("flags", "views"),
    [
        (("--num_workers", "0"), Views(PIPELINE)),
        (("--num_workers", "2", "--batch_size", "2"), Views(PIPELINE)),
        (("--num_workers", "2", "--num_tta", "4"), Views(PIPELINE, 4)),
        (
            ("--num_workers", "0", "--num_tta", "5", "--tta_mode", "vote", "--seed", "3"),
            Views(PIPELINE, 5, fixed=False, seed=3),
        ),
    ],
    ids=["alone", "workers", "soft", "vote"],
)
def test_inference(models, images, tmp_path, flags, views):
    values = inferred(images, tmp_path, "--model_dir", models / "a", *flags)
    np.testing.assert_allclose(values, expected_of_all(models / "a", images, views), atol=1e-6)


def test_an_ensemble_is_copied_and_answers_as_its_members(models, images, tmp_path):
    child("ensemble", f"{models / 'a'}:2", models / "b", "--output", tmp_path / "both")
    assert (tmp_path / "both" / "a" / "toy.npz").read_bytes() == (models / "a" / "toy.npz").read_bytes()
    parts = [expected_of_all(models / name, images, Views(PIPELINE)) for name in "ab"]
    values = inferred(images, tmp_path / "output", "--model_dir", tmp_path / "both")
    np.testing.assert_allclose(values, (2 * parts[0] + parts[1]) / 3, atol=1e-6)


def test_python_api(models, images, tmp_path):
    child("predict", models / "a", tmp_path / "answers.csv", *images)
    frame = pd.read_csv(tmp_path / "answers.csv")
    values = expected_of_all(models / "a", images, Views(PIPELINE))
    np.testing.assert_allclose(frame[SCHEME.class_names].to_numpy(float), values, atol=1e-6)
    assert frame["error"].notna().tolist() == [row == UNREADABLE for row in range(IMAGES)]


def test_server(models, images):
    import httpx2 as httpx  # here, as other tests import toy_model from this module

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = ["--model_dir", str(models / "a"), "--host", "127.0.0.1", "--port", str(port), "--num_tta", "4"]
    server = subprocess.Popen([*CHILD, "serve", *flags], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            end = time.monotonic() + 60
            while (status := ping(client)) != 200:
                assert server.poll() is None, server.communicate()[1]
                assert status in (0, 503) and time.monotonic() < end
                time.sleep(0.05)
            answer = client.post("/invocations", content=images[0].read_bytes(), headers={"Content-Type": "image/png"})
            broken = client.post("/invocations", content=b"no image", headers={"Content-Type": "image/png"})
    finally:
        server.terminate()
        _, log = server.communicate(timeout=60)
    assert broken.status_code == 400
    values = expected(models / "a", images[0], 0, Views(PIPELINE, 4))
    np.testing.assert_allclose(answer.json()["probabilities"], values, atol=1e-6)
    assert server.returncode == 0, log


def ping(client: httpx.Client) -> int:
    """The status of /ping; 0 if nobody listens."""
    import httpx2 as httpx

    try:
        return client.get("/ping").status_code
    except httpx.TransportError:
        return 0


def test_a_saved_model_is_loaded_without_torch_which_its_backend_imports():
    code = (
        "import sys, inference, container.serve.served_model\n"
        "from model.artifacts.ensemble import load, saved_models\n"
        "from model.prediction.backends import make_backend\n"
        "libraries = {'torch', 'torchvision', 'timm', 'torchsampler'}\n"
        "from pathlib import Path\n"
        "models = saved_models(load(Path(sys.argv[1])))\n"
        "print(len(models), sorted(libraries & set(sys.modules)))\n"
        "try: make_backend(models[0], 'cpu', 'fp32')\n"
        "except Exception as error: print('rarebird_tiny' in str(error))\n"
        "print(sorted(libraries & set(sys.modules)))\n"
    )
    folder = ROOT / "tests" / "earlier_versions" / "v0_1_0" / "many"
    run = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == "4 []\nTrue\n['timm', 'torch', 'torchvision']\n"


@pytest.mark.parametrize("folder", ["without_torch", ""], ids=["without", "with"])
def test_a_server_of_several_models_imports_torch_at_its_start_where_it_is_installed(folder):
    code = (
        "import sys, container.serve.models as models\n"
        "models.import_libraries()\n"
        "print('container.serve.served_model' in sys.modules, sys.modules.get('torch') is not None)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / folder)}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout == f"True {not folder}\n"
