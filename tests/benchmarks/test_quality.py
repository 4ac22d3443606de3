"""The benchmark of experiment files: its checks, and a run with two files on drawn images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import quality
from benchmarks.quality import main
from model.errors import InputError


def test_all_missing_settings_are_named_at_once() -> None:
    with pytest.raises(InputError, match=r"configs is missing[\s\S]*output is missing"):
        main([])


def test_experiment_files_of_the_same_name_and_missing_ones_are_errors(tmp_path: Path) -> None:
    flags = ["--train_dir", "a", "--eval_dir", "b", "--ground_truth_dir", "c", "--output", str(tmp_path / "out")]
    with pytest.raises(InputError, match="two experiment files are called a"):
        main(["x/a.yaml", "y/a.yaml", *flags])
    with pytest.raises(InputError, match=r"there is no file .*a\.yaml"):
        main([str(tmp_path / "a.yaml"), *flags])
    (tmp_path / "a.yaml").write_text("")
    with pytest.raises(InputError, match=r"ensembles: a\+aa has 'aa', which is not one of the experiment files a; "):
        main([str(tmp_path / "a.yaml"), "--ensembles", "a+aa", *flags])
    with pytest.raises(InputError, match=r"corrections: there is no file .*noisy\.csv"):
        main([str(tmp_path / "a.yaml"), *flags, "--corrections", str(tmp_path / "noisy.csv")])
    assert not (tmp_path / "out").exists()


def test_weights_and_corrections_are_those_of_all_trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stop(Exception):
        pass

    def train(folder: Path, flags: list[object], *_: object) -> None:
        trained.append(list(map(str, flags)))
        if len(trained) == 2:
            raise Stop

    trained: list[list[str]] = []
    monkeypatch.setattr(quality, "train_and_predict", train)
    files = [tmp_path / name for name in ("a.yaml", "b.yaml", "noisy.csv")]
    for file in files:
        file.touch()
    flags = ["--train_dir", "a", "--eval_dir", "b", "--ground_truth_dir", "c", "--output", str(tmp_path / "out")]
    with pytest.raises(Stop):
        main([str(files[0]), str(files[1]), *flags, "--corrections", str(files[2]), "--weights", "w"])
    assert all(own[-4:] == ["--weights", "w", "--corrections", str(files[2])] for own in trained)


@pytest.mark.long
def test_two_files_are_trained_with_two_seeds_and_compared(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from exploration.demo import main as demo

    data = tmp_path / "data"
    demo(["--output", str(data), "--persons", "30"])
    common = "pretrained: false\ninput_size: [32, 24]\nepochs: 1\nnum_workers: 0\n"
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for file, loss in zip(files, ("focal", "cross_entropy")):
        file.write_text(f"{common}loss: {loss}\n")
    flags = ["--train_dir", str(data / "train"), "--eval_dir", str(data / "eval")]
    flags += ["--ground_truth_dir", str(data / "gt"), "--output", str(tmp_path / "out"), "--seeds", "0", "1"]
    flags += ["--scores", "macro_f1", "age.macro_f1", "--resamples", "50", "--ensembles", "a+b"]
    assert main([*map(str, files), *flags]) == 0
    table = capfd.readouterr().out.splitlines()
    saved = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert [line.split()[0] for line in table[-3:]] == list(saved["scores"]) == ["a", "b", "a+b"]
    assert saved["minutes"]["a"] > 0 and saved["scores"]["b"]["macro_f1"]["gain"] is not None
    assert saved["minutes"]["a+b"] == pytest.approx(saved["minutes"]["a"] + saved["minutes"]["b"])
    # the ensemble predicts the mean of the probabilities of its models
    tables = [pd.read_csv(tmp_path / "out" / f"{name}-1" / "probabilities.csv") for name in ("a", "b", "a+b")]
    first, second, together = (table.iloc[:, 1:].to_numpy() for table in tables)
    np.testing.assert_allclose(together, (first + second) / 2, atol=2e-6)
    # a second run trains nothing
    before = (tmp_path / "out" / "a-0" / "output.csv").stat().st_mtime_ns
    assert main([*map(str, files), *flags]) == 0
    assert (tmp_path / "out" / "a-0" / "output.csv").stat().st_mtime_ns == before
