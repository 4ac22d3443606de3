"""The start of classifiers from class means: the initial backbone's mean features of each class (`--classifier_init`).

As a nearest-mean classifier of the features, it is also a start for classes with few images (Qi et al., Low-shot
learning with imprinted weights, CVPR 2018; Shi et al., Long-tail learning with foundation model, ICML 2024).
"""

from __future__ import annotations

import logging

import torch
from torch.nn import functional

from model.data.image_dataset import ImageDataset, unreadable_images
from model.data.loader import batches
from model.images.pipeline import InputPipeline
from model.images.tta import Views
from model.network.classifiers import set_class_vectors
from model.network.heads import Heads
from model.network.network import Network
from model.network.tensors import network_tensors
from model.runtime import distributed
from model.runtime.hardware import Hardware
from model.runtime.signals import Stopped, StopSignal
from model.settings.train import TrainSettings
from model.training.targets import Targets

log = logging.getLogger("rarebird")


def set_class_means(
    settings: TrainSettings,
    network: Network,
    heads: Heads,
    images: ImageDataset,
    targets: Targets,
    pipeline: InputPipeline,
    hardware: Hardware,
    workers: int,
    stop: StopSignal,
) -> None:
    """Sets the class vectors of each classifier to the means of its normalised inputs by class.

    Each image is read once, without augmentation. The processes of a training divide the images and get equal vectors.
    The vectors of a linear layer are as long as gives logits of about `classifier_scale` times the cosine. A class
    without images keeps its random vector, and so does a head whose outputs are not its classes.

    Args:
        settings: Batch size and scale.
        network: The network on its device; it is in evaluation mode while the features are computed.
        heads: Its heads.
        images: The training images; its transform is not used.
        targets: Their targets.
        pipeline: Makes the network's inputs.
        hardware: Where the network is.
        workers: Number of processes that read images.
        stop: Signals that end it early.

    Raises:
        Stopped: If a signal arrived, on any process.
        Failure: If an image can no longer be read.
    """
    rank, world = distributed.rank(), distributed.world()
    size = max(1, settings.batch_size // world)
    rows = range(rank, len(images), world)
    items = [[(row, row) for row in rows[first : first + size]] for first in range(0, len(rows), size)]
    views = ImageDataset(images.root, images.locations, Views(pipeline), arrays=images.arrays)
    sums: list[torch.Tensor] = []  # of normalised inputs by class, float64 (classes, features), for each head
    norms: list[float] = []  # sum of the lengths of the inputs, for each head
    stopped = False
    network.eval()
    loaded = batches(views, items, workers, hardware.device.type == "cuda")
    try:
        for batch in stop.interruptible(loaded):
            if stop.received is not None:
                raise Stopped
            if batch.unreadable or batch.inputs is None:
                raise unreadable_images(views, batch.unreadable)
            tensors = network_tensors(batch.inputs.by_view(), pipeline.preprocessing, hardware)
            classes = targets.take(torch.from_numpy(batch.rows)).classes
            for number, inputs in enumerate(_classifier_inputs(network, tensors, hardware)):
                if number == len(sums):
                    sums.append(torch.zeros(heads.heads[number].classes, inputs.shape[1], dtype=torch.float64))
                    norms.append(0.0)
                norms[number] += inputs.norm(dim=1).sum().item()
                known = classes[number] >= 0
                sums[number].index_add_(0, classes[number][known], functional.normalize(inputs, dim=1)[known])
    except Stopped:
        stopped = True
    # all processes stop together, as the others would wait in gather
    if distributed.any_rank(stopped, hardware.device):
        raise Stopped
    parts = [(part_sums, part_norms) for part_sums, part_norms in distributed.gather((sums, norms)) if part_sums]
    for number, (head, classifier) in enumerate(zip(heads.heads, network.heads)):
        if head.outputs != head.classes and (head.outputs, head.classes) != (1, 2):
            log.info("classifier %s: starts from random weights, because its outputs are not its classes", head.name)
            continue
        total = torch.stack([part_sums[number] for part_sums, _ in parts]).sum(dim=0)
        mean_norm = sum(part_norms[number] for _, part_norms in parts) / len(images)
        scale = settings.classifier_scale / max(mean_norm, torch.finfo(torch.float32).tiny)
        count = set_class_vectors(classifier, total, scale)  # type: ignore[arg-type]
        log.info("classifier %s: %d of %d class vectors start from class means", head.name, count, head.outputs)
    network.train()  # some backbones then drop values that they cached from these weights


@torch.inference_mode()
def _classifier_inputs(network: Network, tensors: dict[str, torch.Tensor], hardware: Hardware) -> list[torch.Tensor]:
    """The inputs of each classifier's last layer, float64 (N, features) on the CPU."""
    with hardware.autocast():
        inputs = network.classifier_inputs(**tensors)
        return [head[:-1](inputs).double().cpu() for head in network.heads]  # type: ignore[index]
