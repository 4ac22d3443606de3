import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch

from model.artifacts.files import METRICS, SETTINGS, WEIGHTS
from model.errors import InputError
from model.settings.fields import as_dict
from model.settings.train import TrainSettings
from model.training.checkpoints import Checkpoints
from model.training.resume import Claim, Lock, RunLocation, claim, differing_fields

IDENTITY = {"lr": 0.1, "input_size": [32, 24]}


@pytest.mark.parametrize("error", [MemoryError, PermissionError])
def test_errors_of_the_system_cost_no_checkpoint(runs, monkeypatch, error):
    runs.unfinished("exp")

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch, "load", refuse)
    with pytest.raises(error):
        runs.claim()
    monkeypatch.undo()
    assert runs.claim().state["epoch"] == 5


def test_if_all_checkpoints_are_damaged_claiming_is_an_error_and_they_are_kept(runs):
    runs.unfinished("exp")
    for path in runs.checkpoints("exp").files():
        path.write_bytes(b"cut off")
    with pytest.raises(InputError, match="--resume never"):
        runs.claim()
    assert len(runs.checkpoints("exp").files()) == 1
    assert runs.claim(resume="never").state is None


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_tried_again(tmp_path, monkeypatch):
    """The holder releases the lock after another process opened the file and before it locks the file."""
    import fcntl

    lockf = fcntl.lockf
    waited = []

    def slow(file, how) -> None:
        if not waited:
            waited.append(True)
            (tmp_path / "lock").unlink()
        lockf(file, how)

    monkeypatch.setattr(fcntl, "lockf", slow)
    lock = Lock(tmp_path)
    assert lock.acquire() is None and (tmp_path / "lock").exists()
    lock.release()


def test_differing_fields_have_both_values():
    assert differing_fields({"a": (1, 2), "b": 1}, {"a": [1, 2], "b": 2, "c": 3}) == [
        "b: 1 then, 2 now",
        "c: not set then, 3 now",
    ]


def test_a_setting_that_a_checkpoint_lacks_is_compared_by_its_default():
    now = {**as_dict(TrainSettings()), "data": "abc"}
    before = {name: value for name, value in now.items() if name not in ("loss_args", "ema")}
    assert differing_fields(before, now) == []
    assert differing_fields(before, {**now, "loss_args": {"gamma": 1}}) == ["loss_args: {} then, {'gamma': 1} now"]
    assert differing_fields(before, {**now, "ema": 0.9}) == ["ema: 0.0 then, 0.9 now"]
    assert differing_fields({**before, "taken_out": 1}, now) == ["taken_out: 1 then, not set now"]
    del before["data"]
    assert differing_fields(before, now) == ["data: not set then, abc now"]


READING = {
    "layout": "csv",
    "table": "a.csv",
    "picture_column": "file",
    "folder_levels": ["label"],
    "group_column": "who",
    "group_pattern": "(.)",
    "split_column": "part",
    "weight_column": "trust",
    "encoding": "cp1252",
    "missing": "skip",
    "duplicates": "skip",
    "metadata_columns": ["site"],
    "corrections": "corrections.csv",
}


def test_settings_of_reading_may_differ_if_the_data_are_the_same():
    before = {**as_dict(TrainSettings(), only_result=True), "training data": "abc"}
    assert differing_fields(before, {**before, **READING}) == []
    assert differing_fields(before, {**before, **READING, "training data": "def"}) == [
        "training data: abc then, def now"
    ]
    assert {field.name for field in fields(TrainSettings) if field.metadata["reading"]} == READING.keys()


def test_the_values_of_labels_are_compared_if_a_checkpoint_has_them():
    before = {"training data": "abc"}
    now = {**before, "label values": "v"}
    assert differing_fields(before, now) == []
    assert differing_fields({**before, "label values": "w"}, now) == ["label values: w then, v now"]


def test_names_inside_a_checkpoints_settings_are_compared_in_any_spelling_unless_they_had_no_effect():
    now = {"separate": {"age": {"batch_size": 8}}, "heads": {"age": {"loss_weight": 2.0}}}
    before = {"separate": {"age": {"Batch-Size": 8}}, "heads": {"age": {"loss_weight": 2}}}
    assert differing_fields(before, now) == []
    (difference,) = differing_fields({**before, "heads": {"age": {"loss-weight": 2}}}, now)
    assert difference.startswith("heads: {'age': {'loss-weight': 2}} then")


class Runs:
    """A folder of models and one of their checkpoints."""

    def __init__(self, root: Path):
        self.location = RunLocation(root / "runs", root / "checkpoints")

    @property
    def models(self) -> Path:
        return self.location.models

    def checkpoints(self, name: str, **identity: object) -> Checkpoints:
        return Checkpoints(self.location.checkpoints_dir(name), {**IDENTITY, **identity})

    def claim(self, name: str = "exp", is_packed: bool = False, resume: str = "auto", **identity: object) -> Claim:
        location = replace(self.location, is_packed=is_packed)
        return claim(name, location, {**IDENTITY, **identity}, resume)

    def unfinished(self, name: str, **identity: object) -> None:
        self.checkpoints(name, **identity).save({"epoch": 5, "batches": 0, "finished": False})

    def finished(self, name: str, model: bool = True, **identity: object) -> None:
        self.checkpoints(name, **identity).finish({"epoch": 9, "batches": 0})
        if model:
            self.save_model(self.models / name)

    def save_model(self, folder: Path, finished: bool = True) -> None:
        folder.mkdir(parents=True)
        for file in (WEIGHTS, SETTINGS):
            (folder / file).touch()
        (folder / METRICS).write_text(json.dumps({"finished": finished}))


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_a_run_has_its_own_folder_unless_sagemaker_packs_it():
    own = RunLocation(Path("runs"), Path("checkpoints"))
    packed = RunLocation(Path("model"), Path("checkpoints"), is_packed=True)
    assert (own.run_dir("exp"), own.checkpoints_dir("exp")) == (Path("runs/exp"), Path("checkpoints/exp"))
    assert (packed.run_dir("exp"), packed.checkpoints_dir("exp")) == (Path("model"), Path("checkpoints/exp"))


def test_outputs_are_in_the_output_directory_by_name_or_next_to_the_model(tmp_path):
    claimed = Claim("exp", tmp_path / "exp", Checkpoints(tmp_path), Lock(tmp_path), None)
    assert claimed.output_dir(None, False) == claimed.output_dir(None, True) == tmp_path / "exp"
    assert claimed.output_dir(Path("out"), False) == Path("out/exp")
    assert claimed.output_dir(Path("out"), True) == Path("out")


def test_a_free_name_is_taken(runs):
    claimed = runs.claim()
    assert (claimed.name, claimed.run_dir, claimed.state) == ("exp", runs.models / "exp", None)


def test_an_unfinished_run_with_equal_settings_is_resumed(runs):
    runs.unfinished("exp")
    claimed = runs.claim()
    assert claimed.name == "exp" and claimed.state["epoch"] == 5 and not claimed.finished


def test_other_settings_or_data_are_an_error_that_says_what_to_do(runs):
    runs.unfinished("exp", lr=0.5, data="abc")
    with pytest.raises(InputError) as error:
        runs.claim()
    assert "data: abc then, not set now" in str(error.value)
    assert "lr: 0.5 then, 0.1 now" in str(error.value)
    assert "--resume never" in str(error.value) and "--name" in str(error.value)
    runs.claim(name="other")


def test_resume_never_starts_from_scratch(runs):
    runs.unfinished("exp", lr=0.5)
    claimed = runs.claim(resume="never")
    assert claimed.name == "exp" and claimed.state is None
    assert claimed.checkpoints.files() == []


def test_finished_names_are_skipped(runs):
    runs.finished("exp")
    runs.save_model(runs.models / "exp1")  # its checkpoints were removed
    assert runs.claim().name == "exp2"


def test_resume_never_skips_finished_names_too(runs):
    runs.finished("exp")
    runs.unfinished("exp1")
    claimed = runs.claim(resume="never")
    assert (claimed.name, claimed.state) == ("exp1", None)


@pytest.mark.parametrize("finished", [False, True])
def test_an_unfinished_run_is_resumed_although_it_has_a_saved_model(runs, finished):
    runs.unfinished("exp")
    runs.save_model(runs.models / "exp", finished)
    claimed = runs.claim()
    assert claimed.name == "exp" and claimed.state["epoch"] == 5


def test_skipped_names_are_not_locked(runs):
    runs.finished("exp")
    runs.claim()
    assert not (runs.location.checkpoints_dir("exp") / "lock").exists()
    assert (runs.location.checkpoints_dir("exp1") / "lock").exists()


def test_a_numbered_run_that_was_stopped_is_resumed(runs):
    runs.finished("exp", lr=0.5)
    runs.unfinished("exp1")
    claimed = runs.claim()
    assert claimed.name == "exp1" and claimed.state is not None


def test_a_folder_with_neither_checkpoint_nor_finished_model_is_used_again(runs):
    (runs.models / "exp").mkdir(parents=True)
    (runs.location.checkpoints_dir("exp")).mkdir(parents=True)
    part = runs.location.checkpoints_dir("exp") / ".checkpoint-1.pt.77.part"
    part.touch()
    assert runs.claim().name == "exp"
    assert not part.exists()


def test_a_finished_run_without_its_model_is_resumed_from_its_state(runs):
    runs.finished("exp", model=False)
    assert runs.claim().finished
    runs.finished("other", model=False, lr=0.5)
    fresh = runs.claim(name="other")
    assert (fresh.name, fresh.state) == ("other", None)


def test_a_folder_that_sagemaker_packs_is_used_for_all_names(runs):
    runs.save_model(runs.models)
    claimed = runs.claim(is_packed=True)
    assert (claimed.name, claimed.run_dir) == ("exp", runs.models)
    claimed.checkpoints.finish({"epoch": 9, "batches": 0})
    claimed.lock.release()
    claimed = runs.claim(is_packed=True)
    assert (claimed.name, claimed.run_dir) == ("exp1", runs.models)


def test_a_second_process_gets_an_error_with_the_holder_of_the_lock(runs):
    with lock_holder(runs.location.checkpoints_dir("other")) as (holder, _):
        with pytest.raises(InputError, match=f"'other' is being trained by process {holder.pid} on "):
            runs.claim(name="other")
        holder.kill()
        holder.join()
        assert runs.claim(name="other").name == "other"


@contextmanager
def lock_holder(folder: Path) -> Iterator[tuple[BaseProcess, int]]:
    """Another process that holds the lock, and the id of a worker that it has forked."""
    forked = multiprocessing.get_context("fork")
    receiver, sender = forked.Pipe(duplex=False)
    holder = forked.Process(target=hold, args=(folder, sender))
    holder.start()
    try:
        worker = receiver.recv()
        yield holder, worker
    finally:
        holder.kill()
        os.kill(worker, signal.SIGKILL)


def hold(folder: Path, sender: Connection) -> None:
    lock = Lock(folder)
    assert lock.acquire() is None
    worker = os.fork()
    if worker:
        sender.send(worker)
    time.sleep(60)
    os._exit(0)


def test_the_lock_ends_with_its_process_even_if_a_worker_lives_on(tmp_path):
    with lock_holder(tmp_path) as (holder, worker):
        lock = Lock(tmp_path)
        holder_text = lock.acquire()
        assert holder_text is not None and f"process {holder.pid}" in holder_text
        holder.kill()
        holder.join()
        os.kill(worker, 0)  # raises an error if the worker has ended too
        assert lock.acquire() is None
        lock.release()


def test_releasing_removes_the_file(tmp_path):
    with Lock(tmp_path / "run") as lock:
        assert lock.acquire() is None
        assert (tmp_path / "run" / "lock").exists()
    assert list((tmp_path / "run").iterdir()) == []
