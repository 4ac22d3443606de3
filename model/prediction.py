"""From a saved model and pictures to probabilities: the one way that training's validation, inference, and calls
from Python take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from model.hardware import Hardware, find_hardware
from model.heads import Heads
from model.labels import Scheme
from model.loading import Batch, Pictures, batches, in_order
from model.pictures import Source, UnreadablePicture, read_source
from model.preprocessing import Preprocessing
from model.saved_model import SavedModel, load_model
from model.views import Views


@dataclass(frozen=True)
class Answers:
    """rows: int64 (N,) of the input that could be read; probabilities: float32 (N, joint classes); unreadable:
    {row: reason}."""

    rows: np.ndarray
    probabilities: np.ndarray
    unreadable: dict[int, str]


class Predictor:
    """A network on its hardware with the views it looks at. Call it with pixels."""

    def __init__(
        self, network: nn.Module, heads: Heads, preprocessing: Preprocessing, hardware: Hardware, views: Views
    ):
        self.network = hardware.place(network).eval()
        self.heads, self.preprocessing, self.hardware, self.views = heads, preprocessing, hardware, views

    @torch.inference_mode()
    def logits(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32 (N, outputs), on the device, from uint8 (N, height, width, channels)."""
        batch = self.preprocessing.normalised(self.hardware.pictures(pixels))
        with self.hardware.autocast():
            return self.network(batch).float()

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32 (N, joint classes), on the CPU, from uint8 (N, views, height, width, channels)."""
        number, views = pixels.shape[:2]
        each = self.heads.probabilities(self.logits(pixels.flatten(0, 1))).cpu()
        return self.views.join(each.view(number, views, -1))

    def pictures(self, root: Path, pictures: pd.DataFrame) -> Pictures:
        """A table's pictures, to be read and viewed as this predictor wants them."""
        return Pictures(root, pictures, self.preprocessing.channels, self.views.draft, self.views)

    def answers(self, root: Path, pictures: pd.DataFrame, batch_size: int, workers: int) -> Iterator[Answers]:
        """Of a table's pictures (Table.pictures), in their order. batch_size counts views. Memory is that of a few
        batches, whatever the number of pictures."""
        data = self.pictures(root, pictures)
        per_batch = max(1, batch_size // self.views.number)
        return self.of_batches(
            batches(data, in_order(len(data), per_batch), workers, self.hardware.device.type == "cuda")
        )

    def of_batches(self, loaded: Iterable[Batch]) -> Iterator[Answers]:
        """The answers of batches of viewed pictures."""
        for batch in loaded:
            if batch.pixels is None:
                probabilities = np.empty((0, self.heads.scheme.num_classes), np.float32)
            else:
                probabilities = self(batch.pixels).numpy()
            yield Answers(batch.rows, probabilities, batch.unreadable)


def make_predictor(
    saved: SavedModel,
    *,
    num_tta: int = 1,
    tta_mode: str = "soft",
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
) -> Predictor:
    """A saved model ready to answer; the arguments are the settings of inference. InputError where they do not fit."""
    hardware = find_hardware(device, precision, saved.settings.channels_last)
    views = Views(saved.preprocessing, num_tta, fixed=tta_mode == "soft" or num_tta == 1, seed=seed)
    return Predictor(saved.network, saved.heads, saved.preprocessing, hardware, views)


def predict(
    model: str | Path,
    pictures: Sequence[Source],
    *,
    num_tta: int = 1,
    tta_mode: str = "soft",
    seed: int = 0,
    batch_size: int = 64,
    device: str = "auto",
    precision: str = "auto",
) -> pd.DataFrame:
    """Answers of a saved model's folder for pictures given as paths, bytes or PIL pictures.

    A row a picture, in order: `picture` (its path, else its number), `class` (Int64, missing where it could not be
    read), `name` of the class, each attribute by name where there are several, `error` (empty where it could be
    read), and a column of probability (float32) per class by its name. InputError where the model cannot be loaded.
    """
    saved = load_model(Path(model))
    predictor = make_predictor(saved, num_tta=num_tta, tta_mode=tta_mode, seed=seed, device=device, precision=precision)
    probabilities = np.full((len(pictures), saved.scheme.num_classes), np.nan, np.float32)
    errors = [""] * len(pictures)
    for answers in predictor.of_batches(_read_sources(pictures, predictor.views, max(1, batch_size // num_tta))):
        probabilities[answers.rows] = answers.probabilities
        for row, reason in answers.unreadable.items():
            errors[row] = reason
    names = [str(given) if isinstance(given, (str, Path)) else str(row) for row, given in enumerate(pictures)]
    return answer_frame(names, probabilities, errors, saved.scheme)


def _read_sources(pictures: Sequence[Source], views: Views, batch_size: int) -> Iterator[Batch]:
    for first in range(0, len(pictures), batch_size):
        rows, pixels, unreadable = [], [], {}
        for row in range(first, min(first + batch_size, len(pictures))):
            try:
                picture = read_source(pictures[row], channels=views.preprocessing.channels, draft=views.draft)
            except UnreadablePicture as error:
                unreadable[row] = str(error)
                continue
            rows.append(row)
            pixels.append(views(picture, row))
        yield Batch(np.array(rows, np.int64), torch.stack(pixels) if pixels else None, unreadable)


def answer_frame(
    names: Sequence[str], probabilities: np.ndarray, errors: Sequence[str], scheme: Scheme
) -> pd.DataFrame:
    """What predict returns, from float (N, joint classes) with a row of NaN for an unreadable picture."""
    read = ~np.isnan(probabilities).any(axis=1)
    classes = np.where(read, np.nan_to_num(probabilities, nan=-1.0).argmax(axis=1), -1)
    frame = pd.DataFrame({"picture": list(names), "class": pd.array(classes, dtype="Int64")})
    frame.loc[~read, "class"] = pd.NA
    frame["name"] = [scheme.class_names[code] if known else "" for code, known in zip(classes, read)]
    if len(scheme.attributes) > 1:
        codes = scheme.split(classes)
        for attribute in scheme.attributes:
            values = [attribute.values[code] if known else "" for code, known in zip(codes[attribute.name], read)]
            frame[attribute.name] = values
    frame["error"] = list(errors)
    return pd.concat([frame, pd.DataFrame(probabilities, columns=scheme.class_names)], axis=1)
