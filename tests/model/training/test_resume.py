import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from model.errors import InputError
from model.training.checkpoints import Checkpoints
from model.training.resume import Claim, Lock, claim, differing_fields

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {"lr": 0.1, "input_size": [32, 24]}


def state(epoch: int = 0, batches: int = 0, finished: bool = False, **identity: object) -> dict:
    return {"epoch": epoch, "batches": batches, "finished": finished, "identity": {**SETTINGS, **identity}}


def test_states_come_back_newest_first_and_old_ones_go(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.newest() is None
    for epoch in (9, 10, 100):
        checkpoints.save({**state(epoch), "tensor": torch.arange(epoch)})
    assert checkpoints.newest()["tensor"].tolist() == list(range(100))
    assert len(checkpoints.files()) == 2
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".pt"] == []


def test_a_checkpoint_that_is_cut_off_gives_way_to_the_one_before(tmp_path, caplog):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    newest = checkpoints.files()[-1]
    newest.write_bytes(newest.read_bytes()[:100])
    assert checkpoints.newest()["epoch"] == 1
    assert "cannot be read" in caplog.text


def test_an_epochs_end_is_newer_than_its_last_batch(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for epoch, batches in ((0, 5), (0, 10), (1, 0)):
        checkpoints.save(state(epoch, batches))
    assert (checkpoints.newest()["epoch"], checkpoints.newest()["batches"]) == (1, 0)
    checkpoints.finish({"epoch": 1, "batches": 0}, SETTINGS)
    assert checkpoints.newest()["finished"] and len(checkpoints.files()) == 1


@pytest.mark.parametrize("error", [MemoryError, PermissionError])
def test_what_the_machine_refuses_costs_no_checkpoint(place, monkeypatch, error):
    place.unfinished("exp")

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch, "load", refuse)
    with pytest.raises(error):
        place.claim()
    monkeypatch.undo()
    assert place.claim().state["epoch"] == 5


def test_damaged_checkpoints_alone_are_told_and_kept(place):
    place.unfinished("exp")
    for path in Checkpoints(place.checkpoints / "exp").files():
        path.write_bytes(b"cut off")
    with pytest.raises(InputError, match="--resume never"):
        place.claim()
    assert len(Checkpoints(place.checkpoints / "exp").files()) == 1
    assert place.claim(resume="never").state is None


def test_a_lock_on_a_file_that_was_removed_meanwhile_holds_nothing(tmp_path, monkeypatch):
    """The holder gives it up between another's opening and locking of the file."""
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


def test_a_finished_run_keeps_one_state(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state(3, 2))
    checkpoints.finish({"epoch": 3, "batches": 2, "weights": {"w": torch.ones(2)}}, SETTINGS)
    found = checkpoints.newest()
    assert found["finished"] and found["weights"]["w"].tolist() == [1, 1] and found["identity"] == SETTINGS
    assert len(checkpoints.files()) == 1


def test_differing_fields_tell_both_values():
    assert differing_fields({"a": (1, 2), "b": 1}, {"a": [1, 2], "b": 2, "c": 3}) == [
        "b: 1 then, 2 now",
        "c: not set then, 3 now",
    ]


class Place:
    """A models folder with its checkpoints; saved models are folders with a file `finished`."""

    def __init__(self, root: Path):
        self.models, self.checkpoints = root / "runs", root / "checkpoints"

    def claim(self, name: str = "exp", packed: bool = False, resume: str = "auto", **identity: object) -> Claim:
        return claim(
            name,
            self.checkpoints,
            lambda candidate: self.models if packed else self.models / candidate,
            lambda run: (run / "finished").is_file(),
            packed,
            {**SETTINGS, **identity},
            resume,
        )

    def unfinished(self, name: str, **identity: object) -> None:
        Checkpoints(self.checkpoints / name).save(state(5, **identity))

    def finished(self, name: str, model: bool = True, **identity: object) -> None:
        Checkpoints(self.checkpoints / name).finish({"epoch": 9, "batches": 0}, {**SETTINGS, **identity})
        if model:
            self.save_model(name)

    def save_model(self, name: str) -> None:
        (self.models / name).mkdir(parents=True)
        (self.models / name / "finished").touch()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_free_name_is_taken(place):
    claimed = place.claim()
    assert (claimed.name, claimed.run_dir, claimed.state) == ("exp", place.models / "exp", None)


def test_an_unfinished_run_with_equal_settings_is_gone_on_with(place):
    place.unfinished("exp")
    claimed = place.claim()
    assert claimed.name == "exp" and claimed.state["epoch"] == 5 and not claimed.finished


def test_other_settings_or_data_are_named_with_the_ways_out(place):
    place.unfinished("exp", lr=0.5, data="abc")
    with pytest.raises(InputError) as told:
        place.claim()
    assert "data: abc then, not set now" in str(told.value)
    assert "lr: 0.5 then, 0.1 now" in str(told.value)
    assert "--resume never" in str(told.value) and "--name" in str(told.value)
    place.claim(name="other")


def test_resume_never_begins_anew(place):
    place.unfinished("exp", lr=0.5)
    claimed = place.claim(resume="never")
    assert claimed.name == "exp" and claimed.state is None
    assert claimed.checkpoints.files() == []


def test_finished_names_are_passed_over(place):
    place.finished("exp")
    place.save_model("exp1")  # its checkpoints were removed
    assert place.claim().name == "exp2"


def test_a_numbered_run_that_was_stopped_is_gone_on_with(place):
    place.finished("exp", lr=0.5)
    place.unfinished("exp1")
    claimed = place.claim()
    assert claimed.name == "exp1" and claimed.state is not None


def test_a_folder_with_neither_checkpoint_nor_finished_model_is_begun_anew_in_place(place):
    (place.models / "exp").mkdir(parents=True)
    (place.checkpoints / "exp").mkdir(parents=True)
    part = place.checkpoints / "exp" / ".checkpoint-1.pt.77.part"
    part.touch()
    assert place.claim().name == "exp"
    assert not part.exists()


def test_a_finished_run_whose_model_is_gone_gives_its_state(place):
    place.finished("exp", model=False)
    assert place.claim().finished
    place.finished("other", model=False, lr=0.5)
    anew = place.claim(name="other")
    assert (anew.name, anew.state) == ("other", None)


def test_what_sagemaker_packs_has_one_folder_for_all_names(place):
    place.models.mkdir()
    (place.models / "finished").touch()
    claimed = place.claim(packed=True)
    assert (claimed.name, claimed.run_dir) == ("exp", place.models)


def test_a_second_process_is_told_who_holds_the_name(place):
    holder = hold(place.checkpoints / "other")
    with pytest.raises(InputError, match=f"'other' is being trained by process {holder.pid} on "):
        place.claim(name="other")
    holder.kill()
    holder.wait()
    assert place.claim(name="other").name == "other"
    os.killpg(holder.pid, 9)


def hold(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock, and has a forked child."""
    script = (
        "import os, sys, time\nfrom pathlib import Path\nfrom model.training.resume import Lock\n"
        "lock = Lock(Path(sys.argv[1]))\nassert lock.acquire() is None\n"
        "if os.fork() == 0:\n    time.sleep(60)\n"
        "print('held', flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_the_lock_dies_with_its_owner_although_a_worker_outlives_it(tmp_path):
    holder = hold(tmp_path)
    lock = Lock(tmp_path)
    told = lock.acquire()
    assert told is not None and f"process {holder.pid}" in told
    holder.kill()
    holder.wait()
    assert subprocess.run(["pgrep", "-g", str(holder.pid)], capture_output=True).stdout, "the forked child should live"
    assert lock.acquire() is None
    os.killpg(holder.pid, 9)


def test_releasing_leaves_no_file(tmp_path):
    with Lock(tmp_path / "run") as lock:
        assert lock.acquire() is None
        assert (tmp_path / "run" / "lock").exists()
    assert list((tmp_path / "run").iterdir()) == []
