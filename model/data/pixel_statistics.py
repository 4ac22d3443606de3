"""Mean and standard deviation of each colour channel over the training images, for `--normalisation dataset`.

Imports no torch.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from model.data.image_dataset import ImageDataset, thread_batches, unreadable_images
from model.data.table import Table
from model.images.inputs import PIXELS
from model.images.pipeline import InputPipeline
from model.images.preprocessing import Preprocessing
from model.images.tta import Views
from model.runtime import distributed
from model.runtime.terminal import counted

SAMPLE = 2000  # maximum number of images to read
BATCH = 32  # images in memory at once for each worker
MIN_STD = 1 / 255  # a channel of one value would be divided by 0

log = logging.getLogger("rarebird")


def normalised_by_data(preprocessing: Preprocessing, table: Table, seed: int, workers: int = 0) -> Preprocessing:
    """The preprocessing with the mean and the standard deviation of a table's images.

    They are those of all pixels that the network reads of the images at prediction, without augmentation. Of more than
    SAMPLE images, a random sample is read. With several processes, each reads a share, and all get the same numbers,
    which do not depend on the number of processes and workers.

    Args:
        preprocessing: Fits the images; the colour of padding does not count.
        table: The training images.
        seed: Seed of the sample.
        workers: Number of threads that read images; 0: images are read in this thread.

    Raises:
        Failure: An image can no longer be read.
    """
    rows = np.arange(len(table))
    if len(table) > SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(len(table), SAMPLE, replace=False))
    own = rows[distributed.rank() :: distributed.world()].tolist()
    # stretched instead of padded: the padding would have the colour that is to be computed
    fitted = replace(preprocessing, fit="stretch") if preprocessing.fit == "pad" else preprocessing
    images = ImageDataset(table.root, table.locations, Views(InputPipeline(fitted)))
    items = [[(row, row) for row in own[first : first + BATCH]] for first in range(0, len(own), BATCH)]
    # whole numbers, whose sums do not depend on their order: images, sum and sum of squares by channel
    totals = np.zeros((2, preprocessing.channels), np.int64)
    for batch in thread_batches(images, items, workers):
        if batch.unreadable or batch.inputs is None:
            raise unreadable_images(images, batch.unreadable)
        pixels = batch.inputs.arrays[PIXELS].reshape(-1, preprocessing.channels).astype(np.int64)
        totals += [pixels.sum(axis=0), (pixels**2).sum(axis=0)]
    totals = np.sum(distributed.gather(totals), axis=0)
    mean, square = totals / (max(1, len(rows)) * preprocessing.height * preprocessing.width)
    std = np.maximum(np.sqrt(np.maximum(square - mean**2, 0)) / 255, MIN_STD)
    mean = mean / 255
    if distributed.rank() == 0:
        shown = " and ".join(" ".join(f"{value:.3f}" for value in values) for values in (mean, std))
        log.info("normalisation by mean and standard deviation of %s: %s", counted(len(rows), "training image"), shown)
    return replace(preprocessing, mean=tuple(mean.tolist()), std=tuple(std.tolist()))
