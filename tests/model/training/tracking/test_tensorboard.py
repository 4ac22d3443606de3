"""Event files are read back by TensorBoard's own reader."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from model.settings.train import TrainSettings
from model.training.tracking.tensorboard import TensorBoard


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    return events.Reload()


def points(events: EventAccumulator) -> dict[str, list[tuple[int, float]]]:
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


def text(events: EventAccumulator, name: str) -> str:
    return events.Tensors(f"{name}/text_summary")[-1].tensor_proto.string_val[0].decode()


def test_event_files_contain_curves_figures_settings_and_hyperparameters(tmp_path, validation, epoch_result, at_step):
    tracker = TensorBoard(tmp_path, TrainSettings(lr=0.25, augmentation={"flip": {}}, train_dir="/home/x/data"))
    tracker.begin(0)
    tracker.step(at_step(2), 1.5)
    tracker.epoch(epoch_result(4, validation))
    tracker.close(failed=False)
    events = read(tmp_path)
    curves = points(events)
    assert curves["step/train_loss"] == [(2, 1.5)] and curves["step/lr"] == [(2, pytest.approx(0.01))]
    expected = {"epoch": 1, "lr": 0.001, "pictures_per_second": 99, "loss/train": 0.5, "loss/validation": 0.6}
    expected |= {"score/macro_f1": 0.7, "score/accuracy": 0.8, "score/gmean_f1": 0}
    expected |= {"f1/미분류": 1, "f1/발색샷": 0, "f1/설치/후": 1}  # by hand: both of 발색샷 are answered as 착용샷
    assert {name: events[0] for name, events in curves.items() if not name.startswith("step/")} == {
        name: (4, pytest.approx(value)) for name, value in expected.items()
    }
    assert set(events.Tags()["images"]) == {"confusion", "mistakes"}
    assert min(image.height for name in ("confusion", "mistakes") for image in events.Images(name)) > 100
    assert "    lr: 0.25\n" in text(events, "settings") and "flip: {}" in text(events, "settings")
    assert not any(b"/home/x" in path.read_bytes() for path in tmp_path.iterdir())
    assert "| 1 | 발색샷 | 2 | 0 |" in text(events, "confusion")
    assert [line.split(" | ")[0] for line in text(events, "mistakes").split("\n")[2:]] == ["| 4.png", "| 1.png"]
    assert "| 4.png | 발색샷 | 착용샷 | 0.600 |" in text(events, "mistakes")
    assert "_hparams_/session_start_info" in events.PluginTagToContent("hparams")


def test_without_thumbnails_event_files_have_names_and_the_chart_of_counts_only(tmp_path, validation, epoch_result):
    tracker = TensorBoard(tmp_path, TrainSettings(thumbnails="none"))
    tracker.begin(0)
    tracker.epoch(epoch_result(4, validation))
    tracker.close(failed=False)
    events = read(tmp_path)
    assert set(events.Tags()["images"]) == {"confusion"}
    assert "| 4.png | 발색샷 | 착용샷 | 0.600 |" in text(events, "mistakes")


def test_without_validation_there_are_curves_and_no_figures(tmp_path, epoch_result):
    tracker = TensorBoard(tmp_path, TrainSettings())
    tracker.begin(0)
    tracker.epoch(epoch_result(4))
    tracker.close(failed=False)
    events = read(tmp_path)
    assert points(events).keys() == {"epoch", "lr", "pictures_per_second", "loss/train"}
    assert not events.Tags()["images"]


def test_events_after_the_checkpoint_that_a_run_resumes_from_are_discarded(tmp_path, epoch_result, at_step):
    """Killed after epoch 2 (step 8) and two steps of epoch 3, it resumes from the checkpoint at step 9."""
    tracker = TensorBoard(tmp_path, TrainSettings())
    tracker.begin(0)
    for step in (4, 8):
        tracker.epoch(epoch_result(step))
    for step in (9, 10):
        tracker.step(at_step(step), 1.0)
    del tracker.writer  # a process that is killed closes nothing
    # Event files are read in the order of their names: the second, then numbers of the process without leading zeros
    time.sleep(1 - time.time() % 1)

    resumed = TensorBoard(tmp_path, TrainSettings())
    resumed.begin(10)
    resumed.step(at_step(10), 2.0)
    resumed.epoch(epoch_result(12))
    resumed.close(failed=False)
    curves = points(read(tmp_path))
    assert [step for step, _ in curves["loss/train"]] == [4, 8, 12]
    assert curves["step/train_loss"] == [(9, 1.0), (10, 2.0)]
