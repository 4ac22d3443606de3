"""Channels of single files and of shards, a model without torch, and the hosts of a processing job."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import inference
from container.job_script import Terminated
from model.artifacts.files import NETWORK_FILES
from model.data.readers.image_names import is_image
from model.data.readers.shards import write_shards
from model.prediction import parts as parts_module
from model.prediction.backends import BACKENDS
from tests.test_without_torch import toy_model
from tests.without_torch.child import TOY, ToyBackend

FILES = ("output.csv", "probabilities.csv", "predictions.csv", "errors.csv", "labels.json")
PICTURES = 24


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns fsync off: hundreds of small files need not reach the disk."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A saved model whose network is fast and does not need torch."""
    monkeypatch.setattr("model.artifacts.files.NETWORK_FILES", [*NETWORK_FILES, TOY])
    monkeypatch.setitem(BACKENDS, TOY, ToyBackend)
    folder = toy_model(tmp_path / "model", 0)
    with np.load(folder / TOY) as network:
        weight = network["weight"]
    np.savez(folder / TOY, weight=weight, bias=-weight.sum(axis=0) / 2)  # every class is predicted for some colour
    return folder


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    """A folder of images; two of them cannot be read."""
    folder = tmp_path / "loose"
    draw = np.random.default_rng(0)
    for number in range(PICTURES):
        (folder / f"{number % 3}").mkdir(parents=True, exist_ok=True)
        pixels = np.linspace(*draw.integers(256, size=(2, 3)), 16).astype(np.uint8)  # from one colour to another
        Image.fromarray(np.stack([pixels] * 12)).save(folder / f"{number % 3}" / f"{number:02d}.png")
    for name in ("0/03.png", "2/14.png"):
        (folder / name).write_bytes(b"no image")
    return folder


@pytest.fixture
def shards(loose: Path, tmp_path: Path) -> Path:
    """The same images in six shards."""
    names = sorted(path.relative_to(loose).as_posix() for path in loose.rglob("*.png"))
    sizes = sum((loose / name).stat().st_size for name in names)
    write_shards(loose, tmp_path / "shards", names, is_image, sizes // 5)
    assert len(list((tmp_path / "shards").iterdir())) == 6
    return tmp_path / "shards"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the parts that are predicted, in the order in which they are written."""
    names: list[str] = []
    write = parts_module.write_part

    def counted(folder: Path, *arguments: object) -> object:
        part = write(folder, *arguments)  # type: ignore[arg-type]
        names.append(folder.name)
        return part

    monkeypatch.setattr(parts_module, "write_part", counted)
    return names


def stop_after(count: int, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Raises the exception of SIGTERM instead of writing the part after the first `count` parts."""
    write = parts_module.write_part

    def stopped(folder: Path, *arguments: object) -> object:
        if len(names) == count:
            folder.with_name(f".{folder.name}.1.part").mkdir(parents=True)  # left by a killed process
            raise Terminated
        return write(folder, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(parts_module, "write_part", stopped)


def infer(channel: Path, model: Path, output: Path, *flags: str) -> Path:
    where = ["--eval_dir", str(channel), "--model_dir", str(model), "--output_data_dir", str(output)]
    assert inference.main([*where, "--num_workers", "0", "--batch_size", "4", *flags]) == 0
    return output


def contents(folder: Path, prefix: str = "") -> dict[str, bytes]:
    return {name: (folder / f"{prefix}{name}").read_bytes() for name in FILES if (folder / f"{prefix}{name}").exists()}


@pytest.fixture
def host_trees(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Path]]:
    """Creates the folders of a processing job on each of its hosts, as SageMaker mounts them."""

    def make(channel: Path, hosts: int, sharded: bool, name: str = "ml", earlier: Path | None = None) -> list[Path]:
        files = sorted(path for path in channel.rglob("*") if path.is_file())
        trees = []
        for host in range(hosts):
            base = tmp_path / name / f"algo-{host + 1}"
            inputs = base / "processing" / "input"
            shutil.copytree(model, inputs / "model")
            (inputs / "eval").mkdir()
            for file in files[host::hosts] if sharded else files:
                path = inputs / "eval" / file.relative_to(channel)
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, path)
            if earlier:
                shutil.copytree(earlier, inputs / "parts")
            kind = "ShardedByS3Key" if sharded else "FullyReplicated"
            source = {"LocalPath": str(inputs / "eval"), "S3DataDistributionType": kind}
            (base / "config").mkdir()
            config = {"ProcessingInputs": [{"InputName": "eval", "S3Input": source}]}
            (base / "config" / "processingjobconfig.json").write_text(json.dumps(config))
            resources = {"current_host": f"algo-{host + 1}", "hosts": [f"algo-{each + 1}" for each in range(hosts)]}
            (base / "config" / "resourceconfig.json").write_text(json.dumps(resources))
            trees.append(base)
        return trees

    return make


def run_host(base: Path, monkeypatch: pytest.MonkeyPatch, *flags: str) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("SAGEMAKER_BASE_DIR", str(base))
        assert inference.main(["--num_workers", "0", "--batch_size", "4", *flags]) == 0


def uploaded(trees: Sequence[Path], name: str, target: Path) -> Path:
    """Copies the output with a name from all hosts into one folder, as SageMaker uploads it."""
    for base in trees:
        if (base / "processing" / name).is_dir():
            shutil.copytree(base / "processing" / name, target, dirs_exist_ok=True)
    return target


def answers_of(folder: Path) -> list[tuple[str, ...]]:
    """The rows of the tables of all hosts, sorted by image."""
    tables = [
        pd.concat(
            pd.read_csv(path, dtype=str, keep_default_na=False) for path in sorted(folder.rglob(name))
        ).sort_values("ImageID")
        for name in ("output.csv", "probabilities.csv", "predictions.csv")
    ]
    return [tuple(row) for table in tables for row in table.itertuples(index=False)]


@pytest.fixture
def stopped(model, shards, tmp_path, written, monkeypatch) -> Path:
    """The parts of an inference that was stopped before its last part. `written` is empty again."""
    with monkeypatch.context() as patched:
        stop_after(5, written, patched)
        with pytest.raises(Terminated):
            infer(shards, model, tmp_path / "stopped")
    written.clear()
    return tmp_path / "stopped" / "parts"
