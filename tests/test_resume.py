"""Stopping by signal, crash or kill, and resuming; the weights are those of a run without a stop."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import train
from model.errors import InputError
from model.training.optim import Schedule
from model.training.trainer import Trainer

ROOT = Path(__file__).resolve().parents[1]
STEPS = 5  # of an epoch: 168 images, no validation, batches of 32
LONG = ["--epochs", "3", "--validation", "0", "--ema", "0.9", "--dropout", "0.1", "--augmentation", '["flip", "mixup"]']
LONG += ["--log_interval", "1"]
TRACKED = ["--tracking", "auto"]  # the default, which run_train switches off
EVERY_STEP = ["--checkpoint_seconds", "0"]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


def equal(a: Path, b: Path) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def curves(run: Path) -> dict[str, list[tuple[int, float]]]:
    """The curves of a run in TensorBoard, except those that depend on time."""
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    names = set(events.Tags()["scalars"]) - {"pictures_per_second"}
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in names}


@pytest.fixture(scope="module")
def untouched(faces, tmp_path_factory) -> Path:
    """A run that was never stopped, with the settings LONG."""
    models = tmp_path_factory.mktemp("untouched")
    assert train.main(arguments(faces / "train", models, "exp")) == 0
    return models / "exp"


def arguments(channel: Path, models: Path, name: str, *flags: str) -> list[str]:
    small = ["--model", "test_resnet", "--pretrained", "false", "--input_size", "32", "24", "--batch_size", "32"]
    small += ["--num_workers", "0", "--device", "cpu", "--precision", "fp32"]
    where = ["--train_dir", str(channel), "--model_dir", str(models), "--name", name]
    return [*small, *LONG, *where, *flags]


def start(channel: Path, models: Path, name: str, *flags: str, threads: int = 1) -> subprocess.Popen[str]:
    env = {**os.environ, "OMP_NUM_THREADS": str(threads), "SAGEMAKER_BASE_DIR": str(models / "no-tree")}
    return subprocess.Popen(
        [sys.executable, "train.py", *arguments(channel, models, name, *flags)],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class Crash(Exception):
    pass


@pytest.fixture
def at_update(monkeypatch):
    """Returns a function that runs an action after the n-th optimiser step in this process."""

    def arm(number: int, action) -> None:
        count = 0
        update_as_before = Trainer._update

        def update(self) -> None:
            nonlocal count
            update_as_before(self)
            count += 1
            if count == number:
                action()

        monkeypatch.setattr(Trainer, "_update", update)

    return arm


def crash() -> None:
    raise Crash


def test_a_crash_inside_an_epoch_changes_nothing(faces, run_train, untouched, at_update, monkeypatch, caplog):
    at_update(STEPS + 3, crash)
    with pytest.raises(Crash):
        run_train(faces / "train", *LONG, *TRACKED, *EVERY_STEP)
    monkeypatch.undo()
    caplog.set_level("INFO", "rarebird")
    run = run_train(faces / "train", *LONG, *TRACKED)
    assert "resumed epoch=2 step=2" in caplog.text
    assert equal(run, untouched)
    assert curves(run) == curves(untouched)
    assert [step for step, _ in curves(run)["loss/train"]] == [5, 10, 15]
    assert [step for step, _ in curves(run)["step/lr"]] == [1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14]


@pytest.mark.parametrize("signal_at", [5])
def test_a_signal_inside_an_accumulated_step_changes_nothing(faces, run_train, monkeypatch, signal_at):
    """Three batches per optimiser step, validation after each epoch; the signal arrives while a batch is loaded."""
    flags = ["--accumulate", "3", "--batch_size", "8", "--epochs", "2", "--validation", "0.3"]
    whole = run_train(faces / "train", *flags, name="whole")
    from model.training import trainer

    batches, taken = trainer.batches, 0

    def interrupted(*arguments):
        nonlocal taken
        for batch in batches(*arguments):
            taken += 1
            if taken == signal_at:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    monkeypatch.setattr(trainer, "batches", interrupted)
    run_train(faces / "train", *flags, name="stopped")
    monkeypatch.undo()
    stopped = run_train(faces / "train", *flags, name="stopped")
    assert equal(stopped, whole)
    first, second = (json.loads((run / "metrics.json").read_text())["history"] for run in (whole, stopped))
    assert [entry["train_loss"] for entry in first] == [entry["train_loss"] for entry in second]


def test_a_crash_between_the_logging_of_an_epoch_and_its_checkpoint_duplicates_no_points(
    faces, run_train, untouched, monkeypatch
):
    monkeypatch.setattr(Schedule, "after_epoch", lambda *_: crash())
    with pytest.raises(Crash):
        run_train(faces / "train", *LONG, *TRACKED, *EVERY_STEP)
    monkeypatch.undo()
    assert curves(run_train(faces / "train", *LONG, *TRACKED)) == curves(untouched)


def test_a_run_may_be_resumed_with_other_workers_and_checkpoint_times(
    faces, run_train, untouched, at_update, monkeypatch
):
    at_update(2, crash)
    with pytest.raises(Crash):
        run_train(faces / "train", *LONG, *EVERY_STEP)
    monkeypatch.undo()
    assert equal(run_train(faces / "train", *LONG, "--num_workers", "2", "--checkpoint_seconds", "9"), untouched)


def test_sigterm_saves_a_model_and_the_same_command_resumes(faces, run_train, untouched, at_update, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    at_update(STEPS + 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    run = run_train(faces / "train", *LONG, *TRACKED)
    saved = json.loads((run / "metrics.json").read_text())
    assert not saved["finished"] and saved["epochs"] == 1
    assert "stopped before its end" in (run / "README.md").read_text()
    assert signal.getsignal(signal.SIGTERM) == before
    monkeypatch.undo()
    run = run_train(faces / "train", *LONG, *TRACKED)
    assert run.name == "exp" and equal(run, untouched) and curves(run) == curves(untouched)
    assert json.loads((run / "metrics.json").read_text())["finished"]


def test_ctrl_c_writes_a_checkpoint_and_no_model(faces, run_train, untouched, at_update, monkeypatch):
    at_update(1, lambda: os.kill(os.getpid(), signal.SIGINT))
    run = run_train(faces / "train", *LONG, expect=130)
    assert not (run / "model.safetensors").exists()
    monkeypatch.undo()
    assert equal(run_train(faces / "train", *LONG), untouched)


def test_after_a_finished_run_the_next_free_name_is_used_and_logged(faces, run_train, caplog):
    """Near the start, and again before the next command."""
    first = run_train(faces / "train")
    caplog.set_level(logging.INFO, "rarebird")
    run_train(faces / "train")
    sentence = f"{first} exists and is finished; this run is named exp1"
    assert caplog.messages.count(sentence) == 2 and caplog.messages[-2] == sentence
    assert caplog.messages[-1].startswith("next: ") and "exp1" in caplog.messages[-1]
    assert (first.parent / "exp1" / "model.safetensors").exists()
    assert len(list((first.parent / ".checkpoints" / "exp1").glob("*.pt"))) == 1


def test_a_missing_model_is_written_again_without_training(faces, run_train, monkeypatch):
    run = run_train(faces / "train", "--checkpoint_seconds", "0")
    before = weights(run)
    shutil.rmtree(run)
    monkeypatch.setattr(Trainer, "train", lambda *_: pytest.fail("it should not train"))
    run_train(faces / "train")
    assert all(torch.equal(before[name], value) for name, value in weights(run).items())


def test_resume_never_and_other_settings_train_a_finished_run_without_its_model_again(faces, run_train, caplog):
    caplog.set_level("INFO", "rarebird")
    for flags in (["--resume", "never"], ["--lr", "0.01"]):
        run = run_train(faces / "train")
        shutil.rmtree(run)
        caplog.clear()
        run_train(faces / "train", *flags)
        assert (run / "model.safetensors").exists() and "epoch=1 val_f1" in caplog.text
        shutil.rmtree(run)


def test_other_settings_than_those_of_an_unfinished_run_are_an_error(faces, run_train, at_update, monkeypatch):
    at_update(2, crash)
    with pytest.raises(Crash):
        run_train(faces / "train", *EVERY_STEP)
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"lr: 0\.001 then, 0\.01 now"):
        run_train(faces / "train", "--lr", "0.01")
    with pytest.raises(InputError, match=r"training pictures: \d+ then, \d+ now"):
        run_train(faces / "train", "--validation", "0.4")
    run_train(faces / "train", "--lr", "0.01", "--resume", "never")


@pytest.mark.long
def test_a_run_that_is_killed_repeatedly_ends_with_the_same_weights(faces, tmp_path):
    """SIGKILL at random times, with loader workers, checkpoints by time, and sums computed by two threads."""
    start(faces / "train", tmp_path / "untouched", "exp", threads=2).communicate()
    untouched = tmp_path / "untouched" / "exp"
    draw = random.Random(0)
    kills = inside = 0
    flags = ["--checkpoint_seconds", "0.05", "--num_workers", "1"]
    for _ in range(30):
        process = start(faces / "train", tmp_path, "exp", *flags, threads=2)
        if kills >= 3:
            output, _ = process.communicate()
        else:
            assert process.stdout is not None
            output = ""
            while "batches of" not in output and (line := process.stdout.readline()):
                output += line
            while not list((tmp_path / ".checkpoints" / "exp").glob("checkpoint-*.pt")) and process.poll() is None:
                time.sleep(0.01)
            time.sleep(draw.uniform(0.0, 0.8))
            process.send_signal(signal.SIGKILL)
            output += process.communicate()[0]
            kills += process.returncode == -signal.SIGKILL
        inside += "resumed epoch=" in output
        if process.returncode == 0:
            break
    assert process.returncode == 0 and kills == 3 and inside >= 1
    assert equal(tmp_path / "exp", untouched)
    assert curves(tmp_path / "exp") == curves(untouched)


def test_a_second_run_with_the_name_of_a_running_one_is_refused(faces, run_train, at_update):
    """The second run is a forked process that starts while the first one trains; then SIGTERM stops the first."""
    forked = multiprocessing.get_context("fork")
    errors = forked.Queue()

    def second_run() -> None:
        try:
            errors.put(str(run_train(faces / "train", *LONG)))
        except InputError as error:  # exit code 2, without a traceback
            errors.put(str(error))

    def start_second_run() -> None:
        process = forked.Process(target=second_run)
        process.start()
        try:
            assert f"the run 'exp' is being trained by process {os.getpid()} on " in errors.get(timeout=60)
            process.join(60)
        finally:
            process.kill()
        os.kill(os.getpid(), signal.SIGTERM)

    at_update(2, start_second_run)
    run = run_train(faces / "train", *LONG)
    assert not json.loads((run / "metrics.json").read_text())["finished"]
