"""Weights & Biases: what wandb.init is called with, and the bytes that the real package writes offline."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from model.settings.train import TrainSettings
from model.training.tracking.weights_and_biases import WeightsAndBiases


class FakeWandb:
    """Records the arguments of wandb.init."""

    def __init__(self) -> None:
        self.calls: list[dict] = []
        self.finished: list[int] = []
        self.logged: dict = {}

    Settings = staticmethod(lambda **arguments: arguments)
    Image = staticmethod(lambda image: image)

    def init(self, **arguments: object) -> SimpleNamespace:
        self.calls.append(arguments)
        return SimpleNamespace(url="https://wandb.example/run", finish=self.finish, log=self.log)

    def log(self, values: dict, step: int) -> None:
        self.logged |= values

    def finish(self, exit_code: int) -> None:
        self.finished.append(exit_code)


def test_a_resumed_run_is_the_same_one_at_weights_and_biases(tmp_path, monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    account = {"project": "masks", "entity": "team", "mode": "online", "api_key": "secret"}
    settings = TrainSettings(train_dir="/home/x/data")
    for first in (0, 5, 0):
        tracker = WeightsAndBiases(tmp_path, "exp2", settings, account, tmp_path / "runs" / "wandb-id")
        tracker.begin(first)
        tracker.close(failed=first == 5)
    new, resumed, from_scratch = fake.calls
    assert new["id"] == resumed["id"] != from_scratch["id"] and new["resume"] == "allow" and fake.finished == [0, 1, 0]
    assert (new["project"], new["entity"], new["name"], new["mode"]) == ("masks", "team", "exp2", "online")
    assert new["settings"]["api_key"] == "secret" and "secret" not in str(new["config"])
    assert new["config"]["lr"] == TrainSettings().lr and new["config"]["train_dir"] is None


@pytest.mark.parametrize(
    ("thumbnails", "images"), [("auto", []), ("none", []), ("blurred", ["mistakes"]), ("full", ["mistakes"])]
)
def test_images_are_sent_only_if_the_setting_says_so(
    tmp_path, monkeypatch, account, validation, epoch_result, thumbnails, images
):
    """The confusion matrix is a chart of counts."""
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    tracker = WeightsAndBiases(tmp_path, "exp", TrainSettings(thumbnails=thumbnails), account, tmp_path / "id")
    monkeypatch.setattr(fake, "init", lambda **_: SimpleNamespace(dir=str(tmp_path / "run" / "files"), log=fake.log))
    tracker.begin(0)
    result = epoch_result(4, validation)
    tracker.epoch(result)
    sent = {name: value for name, value in fake.logged.items() if isinstance(value, Image.Image)}
    assert sorted(sent) == ["confusion", *images]
    for name in images:
        assert sent[name] is result.figures(thumbnails)[name].image


def test_the_real_package_writes_curves_and_figures_offline(tmp_path, account, validation, epoch_result, at_step):
    """What it writes is read as bytes."""
    settings = TrainSettings(optimizer="madgrad", thumbnails="full")
    tracker = WeightsAndBiases(tmp_path, "exp2", settings, account, tmp_path / "id")
    before = torch.random.get_rng_state()
    tracker.begin(0)
    tracker.step(at_step(2), 1.5)
    tracker.epoch(epoch_result(4, validation))
    tracker.close(failed=False)
    tracker.wandb.teardown()  # as at the end of a process: its own process has written everything then
    assert torch.equal(torch.random.get_rng_state(), before)
    (folder,) = (tmp_path / "wandb").glob(f"offline-run-*-{(tmp_path / 'id').read_text()}")
    (written,) = folder.glob("*.wandb")
    content = written.read_bytes()
    for expected in ("masks", "madgrad", "step/train_loss", "score/macro_f1", "f1/발색샷", "confusion", "mistakes"):
        assert expected.encode() in content or ascii(expected)[1:-1].encode() in content, expected
    assert len(list(folder.rglob("*.png"))) == 2
