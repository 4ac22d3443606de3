"""A user's own loss, sampler, augmentation, epoch metric and decision: each is registered in one place (and named in
the settings), and works in training, inference, evaluation and the server."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

from container.serve.app import Server
from model.data import sampling
from model.decisions import DECISIONS, Decision
from model.metrics import epoch_metrics, scores
from model.metrics.epoch_metrics import EpochMetric
from model.prediction import predict
from model.settings import choices
from model.settings.fields import Layer, build
from model.settings.serve import ServeSettings
from model.training import augmentation, losses
from model.training.augmentation import ImageTransform
from model.training.losses import LossType


class LogitAdjustedCrossEntropy(torch.nn.Module):
    """Cross entropy of logits + tau log p(class). Menon et al., Long-tail learning via logit adjustment, ICLR 2021."""

    def __init__(self, counts: np.ndarray, tau: float):
        super().__init__()
        shares = np.maximum(counts, 1) / counts.sum()
        self.register_buffer("shift", torch.tensor(tau * np.log(shares), dtype=torch.float32), persistent=False)

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        calls.append(("loss", len(logits)))
        return torch.nn.functional.cross_entropy(logits.float() + self.shift, targets)


class Newest:
    """Draws only the last rows of the table."""

    corrects = 0.75

    def __init__(self, settings, table):
        self.classes = table.classes()[-len(self) :]
        self.first = len(table) - len(self)

    def __len__(self) -> int:
        return 96

    def order(self, epoch: int) -> np.ndarray:
        calls.append(("sampler", epoch))
        return self.first + np.arange(len(self))

    def class_shares(self, num_classes: int) -> np.ndarray:
        return np.bincount(self.classes, minlength=num_classes) / len(self)


def make_solarise(preprocessing, threshold: int = 128) -> ImageTransform:
    def apply(image: Image.Image) -> Image.Image:
        calls.append(("augmentation", threshold))
        return image.point([255 - value if value >= threshold else value for value in range(256)] * 3)

    return ImageTransform(apply)


def ranks(probabilities: np.ndarray) -> np.ndarray:
    """0 for the most probable class of each row, 1 for the next."""
    return np.argsort(np.argsort(-probabilities, axis=-1, kind="stable"), axis=-1)


@dataclass(frozen=True)
class Ranked(Decision):
    """Selects the class with a given rank."""

    rule: ClassVar[str] = "ranked"
    rank: int = 0

    def scores(self, probabilities: np.ndarray) -> np.ndarray:
        return -np.abs(ranks(probabilities) - self.rank)


calls: list[tuple[str, int]] = []


@pytest.fixture
def seams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each entry replaces a change of one file; `choices` has the names for the settings."""
    adjusted = LossType(
        lambda context, tau=1.0: LogitAdjustedCrossEntropy(context.counts, tau), corrects=lambda context: 1.0
    )
    monkeypatch.setitem(losses.LOSSES, "adjusted", adjusted)
    monkeypatch.setitem(choices.LOSSES, "adjusted", "cross entropy of adjusted logits")
    monkeypatch.setitem(sampling.SAMPLERS, "newest", Newest)
    monkeypatch.setitem(choices.SAMPLERS, "newest", "the last images of the table")
    monkeypatch.setitem(augmentation.AUGMENTATIONS, "solarise", make_solarise)
    monkeypatch.setitem(scores.SCORES, "worst_recall", lambda counts: counts.recall.min(axis=-1))
    worst = EpochMetric("val_worst", "lowest recall", "score/worst_recall", higher_is_better=True, score="worst_recall")
    monkeypatch.setitem(epoch_metrics.EPOCH_METRICS, "val_worst", worst)
    monkeypatch.setitem(DECISIONS, "ranked", Ranked)
    monkeypatch.setitem(choices.DECISIONS, "ranked", "the class of a rank")
    calls.clear()


FLAGS = ("--loss", "adjusted", "--loss_args", '{"tau": 0.5}', "--sampler", "newest", "--class_weights", "none")
FLAGS += ("--augmentation", '{"solarise": {"threshold": 99}}', "--best_criterion", "worst")
FLAGS += ("--decision", "ranked", "--decision_args", '{"rank": 1}')


def test_registered_extensions_train_predict_evaluate_and_serve(seams, faces, run_train, tmp_path, capsys, caplog):
    import evaluation
    import inference
    import inference_TTA

    # train: every part is used, and the warning about correcting the prior twice includes loss and sampler
    with caplog.at_level("INFO"):
        run = run_train(faces / "train", *FLAGS, "--epochs", "2", "--batch_size", "16", "--target", "mask")
    assert {name for name, _ in calls} == {"loss", "sampler", "augmentation"}
    # applied twice as a check: before the data are read, and when the augmentation is made
    assert ("augmentation", 99) in calls and calls.count(("augmentation", 99)) == 2 * 96 + 2
    assert "correct the class prior 1.75 times" in caplog.text and "val_worst=" in caplog.text
    metrics = json.loads((run / "metrics.json").read_text())
    history = [epoch["val_worst"] for epoch in metrics["history"]]
    assert metrics["validation"]["worst"] == max(history)
    saved = json.loads((run / "decision.json").read_text())
    assert saved == {"rule": "ranked", "temperature": 1.0, "biases": [], "rank": 1}

    # predict
    common = ["--eval_dir", str(faces / "eval"), "--model_dir", str(run), "--device", "cpu", "--precision", "fp32"]
    for job, folder in ((inference, tmp_path / "answers"), (inference_TTA, tmp_path / "views")):
        assert job.main([*common, "--num_workers", "0", "--output_data_dir", str(folder)]) == 0
        answers = pd.read_csv(folder / "output.csv")["ans"].to_numpy()
        second = ranks(pd.read_csv(folder / "probabilities.csv").iloc[:, 1:].to_numpy()) == 1
        assert second[np.arange(len(answers)), answers].all()

    # evaluate
    capsys.readouterr()
    gt = pd.read_csv(faces / "gt" / "gt.csv")
    (tmp_path / "gt").mkdir()
    gt.assign(ans=gt["ans"] // 6).to_csv(tmp_path / "gt" / "gt.csv", index=False)
    flags = ["--ground_truth_dir", str(tmp_path / "gt"), "--output_data_dir", str(tmp_path / "answers")]
    assert evaluation.main(flags) == 0
    answers = pd.read_csv(tmp_path / "answers" / "output.csv")["ans"]
    accuracy = json.loads(capsys.readouterr().out.splitlines()[-1])["accuracy"]
    assert accuracy == pytest.approx((answers.to_numpy() == gt["ans"] // 6).mean(), abs=1e-4)

    # serve, and predict from Python
    picture = next((faces / "eval" / "images").iterdir())
    body = io.BytesIO()
    Image.open(picture).save(body, "PNG")
    settings = build(ServeSettings, [Layer("{}", {"device": "cpu", "precision": "fp32"})])
    with TestClient(Server(settings, run, lambda error: pytest.fail(str(error))).app()) as client:
        while client.get("/ping").status_code != 200:
            pass
        headers = {"Content-Type": "image/png", "Accept": "application/json;verbose"}
        answer = client.post("/invocations", content=body.getvalue(), headers=headers).json()
    row = predict(run, [picture], device="cpu", precision="fp32").iloc[0]
    expected = answer["labels"][ranks(np.array(answer["probabilities"])).tolist().index(1)]
    assert answer["predicted_label"] == row["name"] == expected
