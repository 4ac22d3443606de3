"""What the tests of the trackers share: a validation, and the results of epochs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from model.data.channel import ChannelOptions, read_channel
from model.data.table import Table
from model.errors import Problems
from model.training.progress import Progress
from model.training.tracking.base import EpochResult
from model.training.validation import Validation

KINDS = ("미분류", "발색샷", "설치/후", "착용샷")
ENTRY = {"train_loss": 0.5, "lr": 0.001, "pictures_per_second": 99.0}
VALIDATED = {"val_loss": 0.6, "val_f1": 0.7, "val_acc": 0.8, "val_gmean": 0.0}


@pytest.fixture(scope="session")
def table(tmp_path_factory) -> Table:
    """Two images of each of three classes; the fourth of the scheme has none."""
    root = tmp_path_factory.mktemp("kinds")
    rows = ["path,label"]
    for number in range(6):
        Image.new("RGB", (60, 40), (40 * number, 0, 0)).save(root / f"{number}.png")
        rows.append(f"{number}.png,{KINDS[number % 3]}")
    (root / "train.csv").write_text("\n".join(rows), encoding="utf-8")
    problems = Problems("")
    table = read_channel(
        root, problems, ChannelOptions(attributes={"kind": {"values": list(KINDS), "column": "label"}})
    )
    assert table is not None and not problems
    return table


@pytest.fixture
def validation(table) -> Validation:
    """Rows 1 and 4 answered wrong, 4 more surely."""
    answers = table.classes()
    answers[[1, 4]] = 3
    probabilities = np.full((6, 4), 0.1, np.float32)
    probabilities[np.arange(6), answers] = [0.7, 0.5, 0.7, 0.7, 0.6, 0.7]
    return Validation(table, probabilities, answers, loss=0.6)


@pytest.fixture
def epoch_result() -> Callable[..., EpochResult]:
    """Makes the results of an epoch of four optimiser steps."""

    def make(updates: int, validation: Validation | None = None, better: bool = True) -> EpochResult:
        entry = {"epoch": updates // 4, **ENTRY, **(VALIDATED if validation else {})}
        return EpochResult(updates, entry, validation, better)

    return make


@pytest.fixture
def at_step() -> Callable[[int], Progress]:
    """Makes the progress after a number of optimiser steps."""
    return lambda updates: Progress(epoch=updates // 4, batches=updates % 4, updates=updates, lr=0.01)


@pytest.fixture
def account() -> dict[str, str | None]:
    """An account at Weights & Biases, offline."""
    return {"project": "masks", "entity": None, "mode": "offline", "api_key": None}
