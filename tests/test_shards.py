"""Training and inference from shards are those from the loose files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.__main__ import SUBCOMMANDS
from model.subcommands import run_subcommand
from tests.test_distributed import torchrun


def packed(folder: Path, shards: Path) -> Path:
    assert run_subcommand("jobs", SUBCOMMANDS, ["shards", str(folder), "--output", str(shards)]) == 0
    assert not list(shards.rglob("*.jpg")) and list(shards.glob("*.tar"))
    return shards


def test_shards_end_with_the_same_weights_and_answers(
    faces: Path, run_train: Callable[..., Path], tmp_path: Path
) -> None:
    import inference

    answers = []
    weights = []
    for name, pack in (("loose", False), ("shards", True)):
        folders = {part: faces / part for part in ("train", "eval")}
        if pack:
            folders = {part: packed(folder, tmp_path / f"{part}-shards") for part, folder in folders.items()}
        model = run_train(folders["train"], name=name)
        weights.append((model / "model.safetensors").read_bytes())
        output = tmp_path / f"answers-{name}"
        flags = ["--eval_dir", str(folders["eval"]), "--model_dir", str(model), "--output_data_dir", str(output)]
        assert inference.main([*flags, "--num_workers", "0", "--device", "cpu", "--precision", "fp32"]) == 0
        answers.append((output / "probabilities.csv").read_bytes())
    assert weights[0] == weights[1]
    assert answers[0] == answers[1]


@pytest.mark.long
def test_two_processes_learn_the_same_from_shards(faces: Path, tmp_path: Path) -> None:
    flags = ["--model", "test_resnet", "--input_size", "32", "24", "--sampler", "none"]
    weights = []
    for name, channel in (("loose", faces / "train"), ("shards", packed(faces / "train", tmp_path / "packed"))):
        ended = torchrun(channel, tmp_path / name, *flags)
        assert ended.returncode == 0 and "2 processes" in ended.stdout, ended.stdout + ended.stderr
        weights.append((tmp_path / name / "exp" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
