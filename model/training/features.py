"""Features of a frozen backbone: computed once, for some augmented views of each training image and for the validation
images. The heads are then trained on them instead of on images, so that an epoch takes seconds.

A backbone that is not trained gives the same features for the same pixels in every epoch.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model.artifacts.fingerprint import text_digest
from model.atomic_write import json_text, write_beside
from model.data.datasets import Datasets
from model.data.image_dataset import Batch, ImageDataset, Item, unreadable_images
from model.data.loader import batches
from model.embeddings.extractor import state_digest
from model.errors import InputError, listing
from model.images.inputs import FEATURES, PIXELS, Inputs
from model.images.pipeline import InputPipeline
from model.images.tta import Views
from model.network.network import Network
from model.network.tensors import network_tensors
from model.runtime import distributed
from model.runtime.hardware import Hardware
from model.runtime.seeding import mixed_seed
from model.runtime.signals import Stopped, StopSignal
from model.runtime.terminal import counted, progress_bar
from model.settings.train import TrainSettings
from model.training.mixing import make_mixing

log = logging.getLogger("rarebird")

Arrays = dict[str, NDArray[Any]]  # by name, (views, n, ...)


def check_feature_views(settings: TrainSettings) -> None:
    """Raises InputError if `feature_views` is set and images would be mixed: their features are computed before."""
    if settings.feature_views and make_mixing(settings.augmentation) is not None:
        raise InputError(
            f"augmentation: feature_views {settings.feature_views} computes the features of single images, which "
            f"cannot be mixed; {', '.join(settings.augmentation)} contains a method that mixes images: remove it"
        )


@dataclass(frozen=True)
class Features:
    """The features of images in memory, which are loaded like images.

    Attributes:
        arrays: `features`, float32 (views, n, ...), and the other arrays that the input pipeline makes.
        seed: Seed of the run.
    """

    arrays: Mapping[str, NDArray[Any]]
    seed: int

    @property
    def views(self) -> int:
        """Number of views of each image."""
        return len(self.arrays[FEATURES])

    def batches(self, items: Iterable[list[Item]]) -> Iterator[Batch]:
        """Yields batches. The draw of an item selects one of its image's views, the same in every run with this seed.

        Args:
            items: The items of each batch.
        """
        for batch in items:
            rows = np.array([row for row, _ in batch], np.int64)
            views = np.array(
                [mixed_seed(self.seed, 3, draw) % self.views if self.views > 1 else 0 for _, draw in batch]
            )
            yield Batch(rows, Inputs({name: array[views, rows][:, None] for name, array in self.arrays.items()}), {})


class FrozenFeatures:
    """Computes the features of a training, or reads those that an interrupted run has saved.

    With several processes, each computes the features of its share of the images, and then has those of all.

    Args:
        settings: feature_views, augmentation, batch_size and seed.
        datasets: Training images, and validation images if there are any.
        images: The training images with their augmentation.
        pipeline: Makes the inputs of the validation images.
        hardware: Where the backbone runs.
        workers: Number of processes that read images, for each training process.
        stop: Signals that end the computation early.
        file: Where the features are saved for a resumed run; None to save none.

    Attributes:
        features: Features of the images by `train` and `validation`, from `prepare`.

    Raises:
        InputError: If the settings mix images.
    """

    features: Mapping[str, Features]

    def __init__(
        self,
        settings: TrainSettings,
        datasets: Datasets,
        images: ImageDataset,
        pipeline: InputPipeline,
        hardware: Hardware,
        workers: int,
        stop: StopSignal,
        file: Path | None = None,
    ):
        check_feature_views(settings)
        self.settings, self.datasets, self.pipeline = settings, datasets, pipeline
        self.hardware, self.workers, self.stop, self.file = hardware, workers, stop, file
        self.sides = {"train": (images, settings.feature_views)}
        if (table := datasets.validation) is not None:
            self.sides["validation"] = (ImageDataset.of_table(table, Views(pipeline), pipeline), 1)

    def prepare(self, network: Network) -> None:
        """Computes or reads the features. Must be called on every process.

        Args:
            network: The network, on its device, with the weights that training starts or resumes from.

        Raises:
            InputError: If a parameter of the backbone is trained.
            Stopped: If a signal arrived.
            Failure: If an image can no longer be read.
        """
        trained = [name for name, value in network.backbone.named_parameters() if value.requires_grad]
        if trained:
            raise InputError(
                f"feature_views {self.settings.feature_views} requires that no parameter of the backbone is trained, "
                f"but these are: {listing(trained, 3)}"
            )
        started = time.monotonic()
        identity = self._identity(network)
        sides = self._read(identity)
        # a process that cannot read the file needs the others to compute with it
        is_new = distributed.any_rank(sides is None, self.hardware.device)
        if sides is None or is_new:
            sides = {side: self._compute(network, side, *images) for side, images in self.sides.items()}
            self._write(identity, sides)
        self.features = {side: Features(arrays, self.settings.seed) for side, arrays in sides.items()}
        if distributed.rank() == 0:
            images = ", ".join(
                f"{counted(len(own), f'{side} image')} in {counted(views, 'view')}"
                for side, (own, views) in self.sides.items()
            )
            size = sum(array.nbytes for arrays in sides.values() for array in arrays.values()) / 1e6
            how = f"{'computed' if is_new else 'read'} in {time.monotonic() - started:.1f} seconds"
            memory = f"{size:.1f} MB of memory{' in each process' if distributed.world() > 1 else ''}"
            log.info("features of %s: %s, %s", images, how, memory)

    def batches(self, side: str, items: Iterable[list[Item]]) -> Iterator[Batch]:
        """The batches of Features.batches. side: train or validation."""
        return self.features[side].batches(items)

    @torch.inference_mode()
    def _compute(self, network: Network, side: str, images: ImageDataset, views: int) -> Arrays:
        """The arrays of one side's images.

        Args:
            network: The network, whose backbone is used in evaluation mode.
            side: train or validation, for the progress bar.
            images: The images.
            views: Number of views of each image.
        """
        backbone, rank, world = network.backbone.eval(), distributed.rank(), distributed.world()
        # view by view, this process's share of the rows; the draw of each view differs
        rows, size = len(images), max(1, self.settings.batch_size // world)
        entries = [(row, view * rows + row) for view in range(views) for row in range(rank, rows, world)]
        items = [entries[first : first + size] for first in range(0, len(entries), size)]
        own: dict[str, list[NDArray[Any]]] = {}
        stopped = False
        loaded = batches(images, items, self.workers, self.hardware.device.type == "cuda")
        with progress_bar(f"features of {side} images", len(entries), shown=rank == 0) as bar:
            try:
                for batch in self.stop.interruptible(loaded):
                    if self.stop.received is not None:
                        raise Stopped
                    if batch.unreadable or batch.inputs is None:
                        raise unreadable_images(images, batch.unreadable)
                    tensors = network_tensors(batch.inputs.by_view(), self.pipeline.preprocessing, self.hardware)
                    with self.hardware.autocast():
                        features = backbone(tensors.pop(PIXELS))
                    arrays = {FEATURES: features.float(), **tensors}
                    for name, tensor in arrays.items():
                        own.setdefault(name, []).append(tensor.cpu().numpy())
                    bar.update(len(batch.rows))
            except Stopped:
                stopped = True
        # all processes stop together, as the others would wait for this one's features
        if distributed.any_rank(stopped, self.hardware.device):
            raise Stopped
        return {name: _gathered(np.concatenate(own.pop(name)), views, rows) for name in list(own)}

    def _identity(self, network: Network) -> str:
        """A hash of all that the features depend on."""
        tables = [self.datasets.train] + ([self.datasets.validation] if self.datasets.validation else [])
        content = {
            "backbone": state_digest(network.backbone),
            "pipeline": self.pipeline.to_dict(),
            "augmentation": list(self.settings.augmentation.items()),
            "views": self.settings.feature_views,
            "seed": self.settings.seed,
            "precision": self.hardware.precision,
            "images": [[table.fingerprint(), len(table)] for table in tables],
        }
        return text_digest(json_text(content))

    def _read(self, identity: str) -> dict[str, Arrays] | None:
        """The saved arrays of each side; None if there are none of this identity."""
        if self.file is None or not self.file.is_file():
            return None
        try:
            with np.load(self.file, allow_pickle=False) as saved:
                if str(saved["identity"]) != identity:
                    return None
                sides: dict[str, Arrays] = {side: {} for side in self.sides}
                for key in saved.files:
                    side, _, name = key.partition(".")
                    if name:
                        sides[side][name] = saved[key]
                return sides
        except Exception as error:  # zipfile, zlib, NumPy and the system raise many kinds of errors for damaged files
            log.warning("%s cannot be read (%s); the features are computed again", self.file, type(error).__name__)
            return None

    def _write(self, identity: str, sides: Mapping[str, Arrays]) -> None:
        """Saves the arrays, on rank 0. Training does not need the file: if it cannot be written, that is logged."""
        if self.file is None or distributed.rank() != 0:
            return
        arrays = {f"{side}.{name}": array for side, by_name in sides.items() for name, array in by_name.items()}
        try:
            with write_beside(self.file) as path, path.open("wb") as file:
                np.savez(file, identity=np.array(identity), **arrays)  # type: ignore[arg-type]  # its allow_pickle
        except OSError as error:
            log.warning("%s cannot be written (%s): a resumed run computes the features again", self.file, error)


def _gathered(own: NDArray[Any], views: int, rows: int) -> NDArray[Any]:
    """The array (views, rows, ...) of all processes, from this one's, view by view with the rows rank, rank + world,
    ... of each."""
    world = distributed.world()
    if world == 1:
        return own.reshape(views, rows, *own.shape[1:])
    whole = np.empty((views, rows, *own.shape[1:]), own.dtype)
    for view, part in enumerate(np.split(own, views)):  # one view at a time limits the memory
        for rank, others in enumerate(distributed.gather(part)):
            whole[view, rank::world] = others
    return whole
