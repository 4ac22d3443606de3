from __future__ import annotations

import logging
import sys

import pytest

from model.settings.train import TrainSettings
from model.training.progress import Progress
from model.training.tracking.base import EpochResult, Tracker
from model.training.tracking.tensorboard import TensorBoard
from model.training.tracking.trackers import Trackers, make_trackers


class Recorder(Tracker):
    def __init__(self) -> None:
        self.calls: list[str] = []

    def begin(self, first: int) -> None:
        self.calls.append(f"begin {first}")

    def step(self, progress: Progress, loss: float) -> None:
        self.calls.append(f"step {progress.updates}")

    def epoch(self, result: EpochResult) -> None:
        self.calls.append(f"epoch {result.updates}")

    def close(self, failed: bool) -> None:
        self.calls.append(f"close {failed}")


class FullDisk(Recorder):
    name = "a full disk"

    def epoch(self, result: EpochResult) -> None:
        raise OSError(28, "No space left on device")


def test_a_tracker_that_raises_is_logged_once_and_dropped(caplog, epoch_result, at_step):
    full_disk, recorder = FullDisk(), Recorder()
    with pytest.raises(ZeroDivisionError), Trackers() as trackers:
        trackers.trackers = [full_disk, recorder]
        trackers.begin(0)
        trackers.step(at_step(2), 1.0)
        trackers.epoch(epoch_result(4))
        trackers.epoch(epoch_result(8))
        raise ZeroDivisionError
    assert recorder.calls == ["begin 0", "step 2", "epoch 4", "epoch 8", "close True"]
    assert full_disk.calls == ["begin 0", "step 2"]
    assert len(caplog.messages) == 1 and "a full disk is disabled" in caplog.text and "No space left" in caplog.text


def test_trackers_that_have_not_begun_are_not_closed():
    recorder = Recorder()
    with Trackers() as trackers:
        trackers.trackers = [recorder]
    assert recorder.calls == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # it writes in a thread
def test_a_full_disk_switches_tensorboard_off(tmp_path, caplog, epoch_result):
    trackers = Trackers()
    tracker = TensorBoard(tmp_path, TrainSettings())
    trackers.trackers = [tracker]
    trackers.begin(0)
    file = tracker.writer.file_writer.event_writer._general_file_writer

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    file.write = file.flush = refuse
    trackers.epoch(epoch_result(4))
    trackers.epoch(epoch_result(8))
    assert not trackers.trackers and caplog.text.count("TensorBoard is disabled") == 1


def test_a_folder_that_cannot_be_created_switches_tensorboard_off(tmp_path, caplog):
    (tmp_path / "tensorboard").write_text("")
    trackers = Trackers()
    trackers.trackers = make_trackers(tmp_path, "exp", TrainSettings(), None, tmp_path / "id")
    with caplog.at_level(logging.INFO, "rarebird"):
        trackers.begin(0)
    assert not trackers.trackers and "TensorBoard is disabled" in caplog.text


def test_the_setting_tracking_chooses_the_trackers(tmp_path, account):
    def names(tracking: str, account: dict | None) -> list[str]:
        settings = TrainSettings(tracking=tracking)
        return [tracker.name for tracker in make_trackers(tmp_path, "exp", settings, account, tmp_path / "id")]

    assert names("none", account) == []
    assert names("tensorboard", account) == ["TensorBoard"]
    assert names("auto", None) == ["TensorBoard"]
    assert names("auto", account) == ["TensorBoard", "Weights & Biases"]
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_logged_with_the_command_that_installs_it(tmp_path, account, monkeypatch, caplog):
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert make_trackers(tmp_path, "exp", TrainSettings(), account, tmp_path / "id") == []
    assert ["pip install tensorboard" in line for line in caplog.messages] == [True, False]
    assert ["pip install wandb" in line for line in caplog.messages] == [False, True]


def test_curves_may_be_written_to_a_second_folder(tmp_path):
    made = make_trackers(tmp_path, "exp", TrainSettings(), None, tmp_path / "id", tmp_path / "live")
    assert [tracker.folder for tracker in made] == [tmp_path / "tensorboard", tmp_path / "live"]
    settings = TrainSettings(tracking="none")
    assert make_trackers(tmp_path, "exp", settings, None, tmp_path / "id", tmp_path / "live") == []
