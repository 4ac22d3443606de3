"""`python -m model search-augmentation`: a search within seconds, its file in a training, and a stop by Ctrl-C."""

import os
import signal
import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from model.errors import InputError
from model.runtime.signals import StopSignal
from model.settings.policy_file import read_policy
from model.training.early_checks import check_early
from model.training.search import command
from model.training.search.candidates import candidates
from model.training.search.command import SearchSettings, main, search
from model.training.search.policy import Result
from model.training.search.trials import CandidateTrainer

CONFIG = "model: test_resnet\npretrained: false\ninput_size: [32, 24]\nepochs: 2\nbatch_size: 32\ntarget: mask\n"


@pytest.fixture
def few(monkeypatch):
    """Three candidates only."""
    monkeypatch.setattr(command, "candidates", lambda current: dict(list(candidates(current).items())[:3]))


def test_a_search_writes_a_policy_that_a_training_takes(few, faces, run_train, tmp_path, capsys, monkeypatch):
    train, used = CandidateTrainer.train, []

    def recorded(self, candidate, policy, fold, epochs):
        used.append((candidate, policy))
        return train(self, candidate, policy, fold, epochs)

    monkeypatch.setattr(CandidateTrainer, "train", recorded)
    (tmp_path / "config.yaml").write_text(CONFIG)
    output = tmp_path / "policy.yaml"
    words = ["--train_dir", str(faces / "train"), "--config", str(tmp_path / "config.yaml"), "--minutes", "2"]
    words += ["--device", "cpu", "--num_workers", "0", "--seed", "1", "--output", str(output)]
    before = sorted(path for path in (faces / "train").rglob("*"))
    assert main(words) == 0
    assert sorted(path for path in (faces / "train").rglob("*")) == before
    out = capsys.readouterr().out
    content = yaml.safe_load(output.read_text())
    trials = [(own["candidate"], own["fold"], own["epochs"]) for own in content["search"]["trials"]]
    # time is plenty: all candidates for all epochs; then, unless the current one won, both on the other two folds
    names = list(content["search"]["candidates"])
    assert trials[0] == ("current", 1, 1) and trials[1:4] == [(name, 1, 2) for name in names] and len(names) == 3
    best = content["search"]["best"]
    compared = [(name, fold, 2) for fold in (2, 3) for name in (best, "current")]
    assert trials[4:] == ([] if best == "current" else compared)
    assert content["augmentation"] == content["search"]["candidates"][best]
    assert all(policy == content["search"]["candidates"][name] for name, policy in used)
    assert content["search"]["verdict"] in out and "current" in out and str(output) in out

    run = run_train(faces / "train", "--augmentation", str(output))
    saved = yaml.safe_load((run / "settings.yaml").read_text())
    assert saved["augmentation"] == read_policy(output)


@pytest.mark.parametrize(
    ("values", "left_out"),
    [
        ({"fusion": "concat", "metadata_columns": ["shop"]}, {"mixup", "cutmix", "half_cutmix"}),
        ({"freeze": ["backbone"], "feature_views": 2}, {"mixup", "cutmix", "half_cutmix"}),
        ({"training_dynamics": True}, {"mixup"}),  # with p 1 every batch is mixed
        ({}, set()),
    ],
)
def test_candidates_that_other_settings_do_not_allow_are_left_out(settings, values, left_out, caplog):
    run = replace(settings, **values)
    every = candidates(run.augmentation)
    usable = command._usable(run, every)
    dropped = {piece for name in every.keys() - usable.keys() for piece in every[name].keys() - run.augmentation.keys()}
    assert left_out <= dropped <= left_out | {"cutmix", "half_cutmix", "randaugment", "random_resized_crop"}
    assert bool(dropped) == ("is left out" in caplog.text) and len(usable) > 15
    for policy in usable.values():
        check_early(replace(run, augmentation=policy))


def test_without_time_the_best_so_far_is_written(few, settings, table, tmp_path, monkeypatch):
    result = search(settings, table, 0.01, tmp_path / "policy.yaml", StopSignal())
    assert result.trials == [] and not (tmp_path / "policy.yaml").exists()

    # stopped after the third training
    stop, write = StopSignal(), command.Result.write

    def counted(self, path) -> None:
        write(self, path)
        if len(self.trials) == 3:
            stop.received = signal.SIGTERM

    monkeypatch.setattr(command.Result, "write", counted)
    result = search(settings, table, 600, tmp_path / "policy.yaml", stop)
    assert len(result.trials) == 3 and result.gain is None and not result.is_recommended
    assert read_policy(tmp_path / "policy.yaml") == result.policies[result.best]


def test_ctrl_c_ends_the_search_with_its_exit_code(few, faces, tmp_path, monkeypatch):
    (tmp_path / "config.yaml").write_text(CONFIG)
    write, killed = command.Result.write, []

    def interrupt(self, path) -> None:
        write(self, path)
        if len(self.trials) == 2 and not killed:
            killed.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(command.Result, "write", interrupt)
    assert threading.current_thread() is threading.main_thread()
    words = ["--train_dir", str(faces / "train"), "--config", str(tmp_path / "config.yaml"), "--device", "cpu"]
    assert main([*words, "--num_workers", "0", "--output", str(tmp_path / "policy.yaml")]) == 130
    assert len(yaml.safe_load((tmp_path / "policy.yaml").read_text())["search"]["trials"]) == 2


def test_invalid_settings_are_refused_before_any_training(faces, tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG + "augmentation: [flop]\n")
    words = ["--train_dir", str(faces / "train"), "--config", str(tmp_path / "config.yaml")]
    with pytest.raises(InputError, match="nearest: flip"):
        main(words)
    (tmp_path / "config.yaml").write_text(CONFIG.replace("mask", "separate"))
    with pytest.raises(InputError, match="--target ATTRIBUTE"):
        main(words)
    assert "ends with .yaml" in " ".join(SearchSettings(train_dir="a", output="policy.txt").contradictions())
    assert "CHANNEL is missing" in " ".join(SearchSettings().contradictions())


@pytest.mark.parametrize("way", ["column", "lists", "all"])
def test_the_search_sees_only_the_images_that_a_split_trains_on(way, tmp_path, monkeypatch):
    """Images of a test set in the same table must not choose the augmentation."""
    sides = ["train"] * 8 + ["val"] * 4 + ["test"] * 4
    for row in range(16):
        Image.new("RGB", (24, 32), (row, 0, 0)).save(tmp_path / f"{row:02d}.png")
    table = pd.DataFrame({"ImageID": [f"{row:02d}.png" for row in range(16)], "label": list("ab") * 8, "set": sides})
    table.assign(person=np.arange(16)).to_csv(tmp_path / "train.csv", index=False)
    (tmp_path / "groups").write_text("\n".join(map(str, range(8))))
    (tmp_path / "held-out").write_text("\n".join(map(str, range(8, 12))))
    further = {
        "column": "split_column: set\n",
        "lists": f"train_groups: {tmp_path / 'groups'}\nvalidation_groups: {tmp_path / 'held-out'}\n",
        "all": "",
    }
    (tmp_path / "config.yaml").write_text(CONFIG.replace("mask", "label") + further[way])
    searched = []
    monkeypatch.setattr(command, "search", lambda _, table, *others: searched.append(table) or Result("f1", {}))
    words = ["--train_dir", str(tmp_path), "--config", str(tmp_path / "config.yaml"), "--device", "cpu"]
    main([*words, "--output", str(tmp_path / "policy.yaml")])
    (table,) = searched
    assert len(table) == (16 if way == "all" else 8) and table.sides is None
    assert set(table.groups) == {str(row) for row in range(len(table))}
