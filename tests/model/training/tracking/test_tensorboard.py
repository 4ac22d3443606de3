"""What follows a run: what is written is read back by TensorBoard's own reader, and as bytes from W&B's file."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from model.data.channel import read_channel
from model.data.table import Table
from model.errors import Problems
from model.settings.train import TrainSettings
from model.training.progress import Progress
from model.training.tracking.base import EpochResult, Tracker
from model.training.tracking.tensorboard import TensorBoard
from model.training.tracking.trackers import Trackers, make_trackers
from model.training.tracking.weights_and_biases import WeightsAndBiases
from model.training.validation import Validation

KINDS = ("미분류", "발색샷", "설치/후", "착용샷")
ENTRY = {"train_loss": 0.5, "lr": 0.001, "pictures_per_second": 99.0}
VALIDATED = {"val_loss": 0.6, "val_f1": 0.7, "val_acc": 0.8, "val_gmean": 0.0}


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Table:
    """Two pictures of each of three classes; the fourth of the scheme has none."""
    root = tmp_path_factory.mktemp("kinds")
    rows = ["path,label"]
    for number in range(6):
        Image.new("RGB", (60, 40), (40 * number, 0, 0)).save(root / f"{number}.png")
        rows.append(f"{number}.png,{KINDS[number % 3]}")
    (root / "train.csv").write_text("\n".join(rows), encoding="utf-8")
    problems = Problems("")
    found = read_channel(root, problems, attributes={"kind": {"values": list(KINDS), "column": "label"}})
    assert found is not None and not problems
    return found


@pytest.fixture
def validation(table) -> Validation:
    """Rows 1 and 4 answered wrong, 4 more surely."""
    answers = table.classes()
    answers[[1, 4]] = 3
    probabilities = np.full((6, 4), 0.1, np.float32)
    probabilities[np.arange(6), answers] = [0.7, 0.5, 0.7, 0.7, 0.6, 0.7]
    return Validation(table, probabilities, answers, loss=0.6)


def result(updates: int, validation: Validation | None = None, better: bool = True) -> EpochResult:
    entry = {"epoch": updates // 4, **ENTRY, **(VALIDATED if validation else {})}
    return EpochResult(updates, entry, validation, better)


def at_step(updates: int) -> Progress:
    return Progress(epoch=updates // 4, batches=updates % 4, updates=updates, lr=0.01)


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    return events.Reload()


def points(events: EventAccumulator) -> dict[str, list[tuple[int, float]]]:
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


def text(events: EventAccumulator, name: str) -> str:
    return events.Tensors(f"{name}/text_summary")[-1].tensor_proto.string_val[0].decode()


def test_event_files_hold_the_whole_story(tmp_path, validation):
    tracker = TensorBoard(tmp_path, TrainSettings(lr=0.25, augmentation={"flip": {}}))
    tracker.begin(0)
    tracker.step(at_step(2), 1.5)
    tracker.epoch(result(4, validation))
    tracker.close(failed=False)
    events = read(tmp_path)
    found = points(events)
    assert found["step/train_loss"] == [(2, 1.5)] and found["step/lr"] == [(2, pytest.approx(0.01))]
    expected = {"epoch": 1, "lr": 0.001, "pictures_per_second": 99, "loss/train": 0.5, "loss/validation": 0.6}
    expected |= {"score/macro_f1": 0.7, "score/accuracy": 0.8, "score/gmean_f1": 0}
    expected |= {"f1/미분류": 1, "f1/발색샷": 0, "f1/설치/후": 1}  # by hand: both of 발색샷 are answered as 착용샷
    assert {name: of[0] for name, of in found.items() if not name.startswith("step/")} == {
        name: (4, pytest.approx(value)) for name, value in expected.items()
    }
    assert set(events.Tags()["images"]) == {"confusion", "mistakes"}
    assert min(image.height for name in ("confusion", "mistakes") for image in events.Images(name)) > 100
    assert "    lr: 0.25\n" in text(events, "settings") and "flip: {}" in text(events, "settings")
    assert "| 1 | 발색샷 | 2 | 0 |" in text(events, "confusion")
    assert [line.split(" | ")[0] for line in text(events, "mistakes").split("\n")[2:]] == ["| 4.png", "| 1.png"]
    assert "| 4.png | 발색샷 | 착용샷 | 0.600 |" in text(events, "mistakes")
    assert "_hparams_/session_start_info" in events.PluginTagToContent("hparams")


def test_without_validation_there_are_curves_and_no_pictures(tmp_path):
    tracker = TensorBoard(tmp_path, TrainSettings())
    tracker.begin(0)
    tracker.epoch(result(4))
    tracker.close(failed=False)
    events = read(tmp_path)
    assert points(events).keys() == {"epoch", "lr", "pictures_per_second", "loss/train"}
    assert not events.Tags()["images"]


def test_mistakes_are_shown_of_the_weights_that_may_be_saved(validation):
    assert set(result(4, validation, better=False).pictures) == {"confusion"}


def test_what_an_interrupted_start_told_too_much_is_taken_back(tmp_path):
    """Killed after epoch 2 (step 8) and two points of epoch 3, it goes on from the checkpoint at step 9."""
    tracker = TensorBoard(tmp_path, TrainSettings())
    tracker.begin(0)
    for step in (4, 8):
        tracker.epoch(result(step))
    for step in (9, 10):
        tracker.step(at_step(step), 1.0)
    del tracker.writer  # a process that is killed closes nothing

    again = TensorBoard(tmp_path, TrainSettings())
    again.begin(10)
    again.step(at_step(10), 2.0)
    again.epoch(result(12))
    again.close(failed=False)
    found = points(read(tmp_path))
    assert [step for step, _ in found["loss/train"]] == [4, 8, 12]
    assert found["step/train_loss"] == [(9, 1.0), (10, 2.0)]


class Noting(Tracker):
    def __init__(self) -> None:
        self.told: list[str] = []

    def begin(self, first: int) -> None:
        self.told.append(f"begin {first}")

    def step(self, progress: Progress, loss: float) -> None:
        self.told.append(f"step {progress.updates}")

    def epoch(self, result: EpochResult) -> None:
        self.told.append(f"epoch {result.updates}")

    def close(self, failed: bool) -> None:
        self.told.append(f"close {failed}")


class Full(Noting):
    name = "the full one"

    def epoch(self, result: EpochResult) -> None:
        raise OSError(28, "No space left on device")


def test_one_that_raises_is_told_once_and_left_out(caplog):
    full, noting = Full(), Noting()
    with pytest.raises(ZeroDivisionError), Trackers() as trackers:
        trackers.trackers = [full, noting]
        trackers.begin(0)
        trackers.step(at_step(2), 1.0)
        trackers.epoch(result(4))
        trackers.epoch(result(8))
        raise ZeroDivisionError
    assert noting.told == ["begin 0", "step 2", "epoch 4", "epoch 8", "close True"]
    assert full.told == ["begin 0", "step 2"]
    assert len(caplog.messages) == 1 and "the full one is off" in caplog.text and "No space left" in caplog.text


def test_what_has_not_begun_is_not_closed():
    noting = Noting()
    with Trackers() as trackers:
        trackers.trackers = [noting]
    assert noting.told == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # it writes in a thread
def test_a_full_disk_switches_tensorboard_off(tmp_path, caplog):
    trackers = Trackers()
    tracker = TensorBoard(tmp_path, TrainSettings())
    trackers.trackers = [tracker]
    trackers.begin(0)
    file = tracker.writer.file_writer.event_writer._general_file_writer

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    file.write = file.flush = refuse
    trackers.epoch(result(4))
    trackers.epoch(result(8))
    assert not trackers.trackers and caplog.text.count("TensorBoard is off") == 1


def test_nothing_is_followed_where_nothing_is_asked_for(tmp_path):
    account = {"project": "p", "entity": None, "mode": "offline", "api_key": None}

    def names(tracking: str, account: dict | None) -> list[str]:
        settings = TrainSettings(tracking=tracking)
        return [tracker.name for tracker in make_trackers(tmp_path, "exp", settings, account, tmp_path / "id")]

    assert names("none", account) == []
    assert names("tensorboard", account) == ["TensorBoard"]
    assert names("auto", None) == ["TensorBoard"]
    assert names("auto", account) == ["TensorBoard", "Weights & Biases"]
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_told_with_what_to_install(tmp_path, monkeypatch, caplog):
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setitem(sys.modules, "wandb", None)
    account = {"project": "p", "entity": None, "mode": "offline", "api_key": None}
    assert make_trackers(tmp_path, "exp", TrainSettings(), account, tmp_path / "id") == []
    assert ["pip install tensorboard" in line for line in caplog.messages] == [True, False]
    assert ["pip install wandb" in line for line in caplog.messages] == [False, True]


class FakeWandb:
    """Notes what wandb.init is called with."""

    def __init__(self) -> None:
        self.calls: list[dict] = []
        self.finished: list[int] = []

    Settings = staticmethod(lambda **given: given)

    def init(self, **given: object) -> SimpleNamespace:
        self.calls.append(given)
        return SimpleNamespace(url="https://wandb.example/run", finish=self.finish)

    def finish(self, exit_code: int) -> None:
        self.finished.append(exit_code)


def test_a_run_that_goes_on_is_the_same_one_at_weights_and_biases(tmp_path, monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    account = {"project": "masks", "entity": "team", "mode": "online", "api_key": "secret"}
    for first in (0, 5, 0):
        tracker = WeightsAndBiases(tmp_path, "exp2", TrainSettings(), account, tmp_path / "runs" / "wandb-id")
        tracker.begin(first)
        tracker.close(failed=first == 5)
    new, again, anew = fake.calls
    assert new["id"] == again["id"] != anew["id"] and new["resume"] == "allow" and fake.finished == [0, 1, 0]
    assert (new["project"], new["entity"], new["name"], new["mode"]) == ("masks", "team", "exp2", "online")
    assert new["settings"]["api_key"] == "secret" and "secret" not in str(new["config"])
    assert new["config"]["lr"] == TrainSettings().lr


def test_weights_and_biases_offline(tmp_path, validation, monkeypatch):
    """The real package, no network: what it writes is read as bytes."""
    account = {"project": "masks", "entity": None, "mode": "offline", "api_key": None}
    tracker = WeightsAndBiases(tmp_path, "exp2", TrainSettings(optimizer="madgrad"), account, tmp_path / "id")
    before = torch.random.get_rng_state()
    tracker.begin(0)
    tracker.step(at_step(2), 1.5)
    tracker.epoch(result(4, validation))
    tracker.close(failed=False)
    tracker.wandb.teardown()  # as at the end of a process: its own process has written everything then
    assert torch.equal(torch.random.get_rng_state(), before)
    (folder,) = (tmp_path / "wandb").glob(f"offline-run-*-{(tmp_path / 'id').read_text()}")
    (written,) = folder.glob("*.wandb")
    content = written.read_bytes()
    for expected in ("masks", "madgrad", "step/train_loss", "score/macro_f1", "f1/발색샷", "confusion", "mistakes"):
        assert expected.encode() in content or ascii(expected)[1:-1].encode() in content, expected
    assert len(list(folder.rglob("*.png"))) == 2


def test_a_folder_that_cannot_be_made_switches_it_off(tmp_path, caplog):
    (tmp_path / "tensorboard").write_text("")
    trackers = Trackers()
    trackers.trackers = make_trackers(tmp_path, "exp", TrainSettings(), None, tmp_path / "id")
    with caplog.at_level(logging.INFO, "rarebird"):
        trackers.begin(0)
    assert not trackers.trackers and "TensorBoard is off" in caplog.text
