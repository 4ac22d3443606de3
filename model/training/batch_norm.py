"""Batch-norm statistics of averaged weights, renewed by a pass over training images.

The mean of the members' statistics is not that of the averaged network's activations (Izmailov et al., Averaging
Weights Leads to Wider Optima and Better Generalization, UAI 2018, section 3.3). torch.optim.swa_utils.update_bn
computes them: the mean over batches of each batch's mean and variance.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from model.data.image_dataset import ImageDataset, Item, unreadable_images
from model.data.loader import batches
from model.data.table import Table
from model.errors import InputError
from model.images.pipeline import InputPipeline
from model.network.tensors import network_tensors
from model.runtime.hardware import Hardware
from model.runtime.seeding import mixed_seed, seed_all
from model.settings.train import TrainSettings
from model.training.augmentation import make_augmentation

PURPOSE = 5  # of random numbers, in mixed_seed; the training loop uses 0 to 2


class _ByName(nn.Module):
    """A network that takes its inputs as a mapping, as update_bn passes a batch in one argument."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, tensors: dict[str, torch.Tensor]) -> torch.Tensor:
        logits: torch.Tensor = self.network(**tensors)
        return logits


def has_batch_norm(network: nn.Module) -> bool:
    """Whether a network has batch norms with running statistics."""
    return any(
        isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
        for module in network.modules()
    )


def renew_batch_norm(
    network: nn.Module,
    table: Table,
    pipeline: InputPipeline,
    settings: TrainSettings,
    hardware: Hardware,
    batch_size: int,
    workers: int,
) -> None:
    """Replaces the statistics of all batch norms by those of the images, augmented as in training but not mixed.

    Each image is used once, in random order. No batch has fewer than batch_size images, unless there are fewer: the
    images that remain are divided among the batches, because all batches count alike.

    Args:
        network: The network, changed in place; it is moved to the hardware.
        table: The images.
        pipeline: Makes the network's inputs.
        settings: Augmentation and seed.
        hardware: Where to compute.
        batch_size: Images per batch.
        workers: Number of processes that read images.

    Raises:
        InputError: There are fewer than two images, of which batch norm can compute no variance.
        Failure: An image cannot be read.
    """
    if len(table) < 2:
        raise InputError(f"{table.root}: batch-norm statistics need at least 2 training images, not {len(table)}")
    seed = mixed_seed(settings.seed, PURPOSE)
    order = np.random.default_rng(seed).permutation(len(table))
    parts = np.array_split(order, max(1, len(table) // batch_size))
    items: list[list[Item]] = [[(int(row), int(row)) for row in part] for part in parts]
    images = ImageDataset.of_table(table, make_augmentation(settings.augmentation, pipeline, seed), pipeline)
    hardware.place(network)

    def tensors() -> Iterator[dict[str, torch.Tensor]]:
        loaded = batches(images, items, workers, hardware.device.type == "cuda")
        for number, batch in enumerate(loaded):
            if batch.unreadable or batch.inputs is None:
                raise unreadable_images(images, batch.unreadable)
            seed_all(mixed_seed(seed, number))  # dropout draws the same numbers with any number of workers
            yield network_tensors(batch.inputs.by_view(), pipeline.preprocessing, hardware)

    update_bn(tensors(), _ByName(network))
    network.eval()
