"""From a saved model and pictures to probabilities: the one way that training's validation, inference, and calls
from Python take."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from model.ensemble import Ensemble, leaves, load
from model.faults import InputError
from model.hardware import Hardware, find_hardware
from model.heads import Heads
from model.labels import Scheme
from model.loading import Batch, Pictures, batches, in_order
from model.pictures import Source, UnreadablePicture, read_source
from model.preprocessing import Preprocessing
from model.saved_model import SavedModel
from model.views import Views

Look = tuple[torch.Tensor, ...]  # uint8 (views, height, width, channels) a way of seeing


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


class Answering:
    """Predictors that answer as one. Those that see pictures alike share their reading and decoding."""

    def __init__(
        self,
        predictors: Sequence[Predictor],
        scheme: Scheme,
        join: Callable[[Iterator[np.ndarray]], np.ndarray] = next,
    ):
        """join: the probabilities of all predictors, in order, to one answer over the classes of scheme."""
        self.predictors, self.scheme, self.join = list(predictors), scheme, join
        self.hardware = predictors[0].hardware
        self.eyes = list({predictor.views: predictor for predictor in predictors}.values())

    def answers(self, root: Path, pictures: pd.DataFrame, batch_size: int, workers: int) -> Iterator[Answers]:
        """Of a table's pictures (Table.pictures), in their order. batch_size counts views. Memory is that of a few
        batches, whatever the number of pictures."""
        per_batch = self.pictures_of_batch(batch_size)
        each = math.ceil(workers / len(self.eyes))
        pinned = self.hardware.device.type == "cuda"
        streams = [
            batches(eye.pictures(root, pictures), in_order(len(pictures), per_batch), each, pinned) for eye in self.eyes
        ]
        return self._of_batches(zip(*streams, strict=True))

    def of_sources(self, sources: Sequence[Source], batch_size: int) -> Iterator[Answers]:
        """As answers, for pictures given as paths, bytes or PIL pictures."""
        for first in range(0, len(sources), self.pictures_of_batch(batch_size)):
            rows, looks, unreadable = [], [], {}
            for row in range(first, min(first + self.pictures_of_batch(batch_size), len(sources))):
                try:
                    looks.append(self.look(sources[row], row))
                except UnreadablePicture as error:
                    unreadable[row] = str(error)
                else:
                    rows.append(row)
            yield Answers(np.array(rows, np.int64), self.of_looks(looks), unreadable)

    def pictures_of_batch(self, batch_size: int) -> int:
        """Pictures of a forward pass of so many views."""
        return max(1, batch_size // self.eyes[0].views.number)

    def look(self, source: Source, row: int = 0) -> Look:
        """What the eyes see of one picture, uint8 (views, height, width, channels) each; threads may look side by
        side. row: that random views are drawn for. UnreadablePicture tells why it cannot be read."""
        return tuple(
            eye.views(read_source(source, channels=eye.preprocessing.channels, draft=eye.views.draft), row)
            for eye in self.eyes
        )

    def of_looks(self, looks: Sequence[Look]) -> np.ndarray:
        """Probabilities, float32 (N, classes of the scheme), of pictures that were looked at."""
        return self._joined([torch.stack(seen) for seen in zip(*looks, strict=True)])

    def _of_batches(self, seen: Iterable[tuple[Batch, ...]]) -> Iterator[Answers]:
        """seen: the same rows by each of the eyes."""
        for batch in seen:
            unreadable = {row: reason for part in batch for row, reason in part.unreadable.items()}
            rows = np.array([row for row in batch[0].rows.tolist() if row not in unreadable], np.int64)
            pixels = [part.pixels[np.isin(part.rows, rows)] for part in batch if part.pixels is not None and len(rows)]
            yield Answers(rows, self._joined(pixels), unreadable)

    def _joined(self, pixels: Sequence[torch.Tensor]) -> np.ndarray:
        """pixels: of each of the eyes, uint8 (N, views, height, width, channels); empty where there is no picture."""
        if not pixels:
            return np.empty((0, self.scheme.num_classes), np.float32)
        seen = dict(zip((eye.views for eye in self.eyes), pixels, strict=True))
        return self.join(predictor(seen[predictor.views]).numpy() for predictor in self.predictors)


def make_answering(
    saved: SavedModel | Ensemble,
    *,
    num_tta: int = 1,
    tta_mode: str = "soft",
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
) -> Answering:
    """A saved model or an ensemble ready to answer; the arguments are the settings of inference. InputError where they
    do not fit."""
    predictors = []
    for model in leaves(saved):
        hardware = find_hardware(device, precision, model.settings.channels_last)
        views = Views(model.preprocessing, num_tta, fixed=tta_mode == "soft" or num_tta == 1, seed=seed)
        predictors.append(Predictor(model.network, model.heads, model.preprocessing, hardware, views))
    return Answering(predictors, saved.scheme, saved.join if isinstance(saved, Ensemble) else next)


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
    """Answers of a saved model's or an ensemble's folder for pictures given as paths, bytes or PIL pictures.

    A row a picture, in order: `picture` (its path, else its number), `class` (Int64, missing where it could not be
    read), `name` of the class, each attribute by name where there are several, `error` (empty where it could be
    read), and a column of probability (float32) per class by its name. InputError where the model cannot be loaded.
    """
    if isinstance(pictures, (str, bytes, Path)):
        raise InputError(f"pictures: expected a list of pictures, as in [{str(pictures)[:40]!r}], not one")
    if tta_mode not in ("soft", "vote") or num_tta < 1:
        raise InputError(f"tta_mode is soft or vote and num_tta at least 1, not {tta_mode!r} and {num_tta}")
    saved = load(Path(model))
    answering = make_answering(saved, num_tta=num_tta, tta_mode=tta_mode, seed=seed, device=device, precision=precision)
    probabilities = np.full((len(pictures), saved.scheme.num_classes), np.nan, np.float32)
    errors = [""] * len(pictures)
    for answers in answering.of_sources(pictures, batch_size):
        probabilities[answers.rows] = answers.probabilities
        for row, reason in answers.unreadable.items():
            errors[row] = reason
    names = [str(given) if isinstance(given, (str, Path)) else str(row) for row, given in enumerate(pictures)]
    return answer_frame(names, probabilities, errors, saved.scheme)


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
