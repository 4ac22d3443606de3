"""`python -m exploration noise` on drawn faces, with features of thumbnails."""

import csv
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from exploration.__main__ import main
from exploration.channels import EmbeddedChannel, next_command
from exploration.fold_training import fold_settings
from exploration.noise import NoiseSettings, _overriding
from model.cleaning.suspects import SUSPECT_COLUMNS
from model.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
TINY = "{model: test_resnet, pretrained: false, input_size: [32, 24], epochs: 1, num_workers: 0, target: heads}"


@pytest.fixture(scope="module")
def channel(faces, tmp_path_factory):
    """The drawn faces with two exchanged images of one person."""
    folder = tmp_path_factory.mktemp("noise") / "train"
    shutil.copytree(faces / "train", folder)
    other = sorted((folder / "images").iterdir())[-1]
    first, second = (next(other.glob(f"{name}.*")) for name in ("normal", "incorrect_mask"))
    first.rename(other / f"swap{first.suffix}")
    second.rename(other / f"normal{second.suffix}")
    (other / f"swap{first.suffix}").rename(other / f"incorrect_mask{first.suffix}")
    return folder, other.name.split("_")[0]


@pytest.fixture
def noise(channel, tmp_path, capsys):
    def run(*flags: str, expect: int = 0) -> tuple[list[dict[str, str]], str]:
        output = tmp_path / "suspects.csv"
        flags = ("--cache", str(tmp_path / "cache"), "--output", str(output), *flags)
        assert main(["noise", str(channel[0]), "--model", "thumbnail", *flags]) == expect
        text = capsys.readouterr()
        if expect:
            return [], text.err
        with open(output, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file)), text.out

    return run


def test_exchanged_images_are_found_from_thumbnails(noise, channel):
    rows, text = noise()
    assert tuple(rows[0]) == SUSPECT_COLUMNS
    exchanged = [row for row in rows if "look exchanged" in row["reason"]]
    assert {row["group"] for row in exchanged} == {channel[1]} and len(exchanged) == 2
    assert all(len(json.loads(row["neighbours"])) == 5 for row in rows)
    assert "gender" in text and "24 groups" in text and "next: python -m exploration review" in text


def test_folds_are_trained_once_and_their_predictions_can_be_named(noise, tmp_path, capsys):
    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    work = tmp_path / "work"
    config = ("--config", str(tmp_path / "tiny.yaml"), "--folds", "2", "--work_dir", str(work), "--precision", "fp32")
    first, _ = noise(*config, "--embeddings", "false")
    (predictions,) = work.glob("folds-*/out_of_fold")
    trained = sorted((path, path.stat().st_mtime_ns) for path in work.glob("folds-*/fold*/model.safetensors"))
    again, _ = noise(*config, "--embeddings", "false")
    assert again == first and len(trained) == 2
    assert trained == sorted((path, path.stat().st_mtime_ns) for path in work.glob("folds-*/fold*/model.safetensors"))
    named, _ = noise("--answers", str(predictions), "--embeddings", "false")
    assert named == first
    both, _ = noise("--answers", str(predictions))
    assert both and both[0]["neighbours"] != "[]"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--embeddings", "false"), "without embeddings, set answers or config"),
        (("--answers", "a", "--config", "b"), "set only one of them"),
        (("--config", "missing.yaml"), "config missing.yaml: No such file"),
        (("--answers", "missing"), "missing/probabilities.csv: no such file"),
    ],
)
def test_wrong_flags_are_input_errors(noise, flags, message):
    assert message in noise(*flags, expect=2)[1]


def test_a_wrong_experiment_file_is_an_error_before_features_are_computed(noise, tmp_path, monkeypatch):
    path = tmp_path / "wrong.yaml"
    path.write_text("epocs: 3", encoding="utf-8")
    monkeypatch.setattr("exploration.noise.embeddings_of", lambda *arguments: pytest.fail("computed"))
    assert "wrong.yaml: epocs: there is no such setting" in noise("--config", str(path), expect=2)[1]


def test_the_experiment_says_how_the_channel_is_read_and_where_the_folds_are_trained(channel, tmp_path, monkeypatch):
    """Flags override it; what is not set in either has its default."""
    path, seen = tmp_path / "a.yaml", {}
    path.write_text("Num-Classes: 18\nprecision: fp32\nseed: 7\nfolds: 3\ngroup_column: sender\n", encoding="utf-8")

    def find(settings, experiment):
        seen["read"] = settings
        seen["trained"] = fold_settings(path, experiment, _overriding(settings))
        raise InputError("enough")

    monkeypatch.setattr("exploration.noise.find", find)
    assert main(["noise", str(channel[0]), "--config", str(path), "--seed", "8", "--max_pixels", "999"]) == 2
    for settings in seen.values():
        assert (settings.num_classes, settings.precision, settings.seed, settings.max_pixels) == (18, "fp32", 8, 999)
        assert settings.group_column == "sender"
    assert seen["trained"].folds == 3


def test_the_next_command_reads_the_channel_in_the_same_way():
    words = ["review", "a b", "--suspects", "suspects.csv"]
    assert next_command(words, NoiseSettings(seed=1)) == (
        "next: python -m exploration review 'a b' --suspects suspects.csv"
    )
    own = {"group_column": "sender", "attributes": {"label": ["x", "y"]}, "follow_links": True, "model": "thumbnail"}
    reading = ["--follow_links", "true", "--group_column", "sender", "--attributes", '{"label": ["x", "y"]}']
    assert shlex.split(next_command(["review"], NoiseSettings(seed=1, **own)))[5:] == reading
    features = shlex.split(next_command(["noise"], NoiseSettings(seed=1, **own), EmbeddedChannel))[5:]
    assert sorted(features) == sorted([*reading, "--model", "thumbnail"])


def test_an_output_that_cannot_be_written_is_named(noise):
    assert "/proc/x/s.csv: cannot be written" in noise("--output", "/proc/x/s.csv", expect=1)[1]


def test_a_channel_is_needed(capsys):
    assert main(["noise"]) == 2
    assert "python -m exploration noise data/train" in capsys.readouterr().err


def test_help_imports_no_numpy_pandas_or_torch():
    code = "import sys; from exploration.noise import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print([name for name in ('torch', 'pandas', 'numpy', 'sklearn', 'scipy') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
