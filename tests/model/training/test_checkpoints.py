from __future__ import annotations

import pytest
import torch

from model.errors import InputError
from model.training.checkpoints import Checkpoints

IDENTITY = {"lr": 0.1, "input_size": [32, 24]}


def state(epoch: int = 0, batches: int = 0, finished: bool = False) -> dict:
    return {"epoch": epoch, "batches": batches, "finished": finished}


def test_the_newest_state_is_loaded_and_old_ones_are_removed(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.newest() is None
    for epoch in (9, 10, 100):
        checkpoints.save({**state(epoch), "tensor": torch.arange(epoch)})
    assert checkpoints.newest()["tensor"].tolist() == list(range(100))
    assert len(checkpoints.files()) == 2
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".pt"] == []


def test_if_the_newest_checkpoint_is_truncated_the_one_before_is_loaded(tmp_path, caplog):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    newest = checkpoints.files()[-1]
    newest.write_bytes(newest.read_bytes()[:100])
    assert checkpoints.newest()["epoch"] == 1
    assert "cannot be read" in caplog.text


def test_an_epochs_end_is_newer_than_its_last_batch(tmp_path):
    checkpoints = Checkpoints(tmp_path, IDENTITY)
    for epoch, batches in ((0, 5), (0, 10), (1, 0)):
        checkpoints.save(state(epoch, batches))
    assert (checkpoints.newest()["epoch"], checkpoints.newest()["batches"]) == (1, 0)
    checkpoints.finish({"epoch": 1, "batches": 0})
    assert checkpoints.newest()["finished"] and len(checkpoints.files()) == 1


@pytest.mark.parametrize("error", [MemoryError, PermissionError])
def test_errors_of_the_system_are_raised_and_no_checkpoint_is_lost(tmp_path, monkeypatch, error):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state(5))

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch, "load", refuse)
    with pytest.raises(error):
        checkpoints.newest()
    monkeypatch.undo()
    assert checkpoints.newest()["epoch"] == 5


def test_if_all_checkpoints_are_damaged_it_is_an_error_and_they_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state(5))
    for path in checkpoints.files():
        path.write_bytes(b"cut off")
    with pytest.raises(InputError, match="--resume never"):
        checkpoints.newest()
    assert len(checkpoints.files()) == 1


def test_a_finished_run_keeps_one_checkpoint(tmp_path):
    checkpoints = Checkpoints(tmp_path, IDENTITY)
    checkpoints.save(state(3, 2))
    assert not checkpoints.is_finished()
    checkpoints.finish({"epoch": 3, "batches": 2, "weights": {"w": torch.ones(2)}})
    newest = checkpoints.newest()
    assert newest["finished"] and newest["weights"]["w"].tolist() == [1, 1] and newest["identity"] == IDENTITY
    assert len(checkpoints.files()) == 1 and checkpoints.is_finished()


def test_members_have_folders_of_their_own_and_the_same_identity(tmp_path):
    checkpoints = Checkpoints(tmp_path, IDENTITY)
    checkpoints.begin()
    begun = checkpoints.newest()
    assert begun["identity"] == IDENTITY and not begun["finished"]
    member = checkpoints.member("age/fold1")
    member.save(state(2))
    assert member.newest()["identity"] == IDENTITY
    assert [path.parent for path in member.files()] == [tmp_path / "age" / "fold1"]
    checkpoints.save(state(1))
    files = checkpoints.files()
    files[0].unlink()
    checkpoints.begin()  # changes nothing, as the run was started before
    assert checkpoints.files() == files[1:]
    checkpoints.clear()
    assert checkpoints.newest() is None and member.newest() is None
