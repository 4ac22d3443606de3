"""Features of a network: the pooled output of its backbone, before any classifier.

The only module of model.embeddings that imports torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from model.artifacts.archive import opened_model
from model.artifacts.files import is_ensemble
from model.artifacts.saved_model import load_model
from model.data.image_dataset import ImageDataset, Item
from model.data.loader import batches
from model.embeddings.embedders import Computed, Embedder
from model.embeddings.requests import saved_model_path
from model.errors import InputError
from model.images.inputs import PIXELS, Inputs
from model.images.pipeline import InputPipeline
from model.network.adapters import add_adapters
from model.network.backbone import backbone_name, make_backbone, make_preprocessing
from model.network.tensors import network_tensors
from model.runtime.hardware import Hardware, find_hardware
from model.runtime.workers import worker_count
from model.settings.choices import METADATA_ONLY
from model.settings.embedder import THUMBNAIL, EmbedderSettings
from model.settings.train import TrainSettings
from model.weights.initial_weights import load_backbone

# Images per forward pass. On two cores with 1 MB of L2 cache each, 16 images take 0.7 times the time of 64
CPU_BATCH, GPU_BATCH = 16, 128
MAX_FLOAT16 = float(np.finfo(np.float16).max)

WAYS_OUT = (
    "name a file of weights (--weights FILE) or a saved model (--model FOLDER), or do without a network "
    f"(--model {THUMBNAIL})"
)


class NetworkEmbedder(Embedder):
    """A timm backbone without classifier.

    Args:
        model: Name of the backbone or the saved model.
        weights: Where the weights are from.
        backbone: Maps images to features (N, features); it is moved to the hardware.
        architecture: Name and arguments of the backbone.
        pipeline: Makes its inputs.
        hardware: Where it runs.
    """

    def __init__(
        self,
        model: str,
        weights: str,
        backbone: nn.Module,
        architecture: dict[str, Any],
        pipeline: InputPipeline,
        hardware: Hardware,
    ):
        features = int(getattr(backbone, "head_hidden_size", None) or backbone.num_features)  # type: ignore[arg-type]
        is_gpu = hardware.device.type == "cuda"
        super().__init__(model, weights, pipeline, features, GPU_BATCH if is_gpu else CPU_BATCH)
        self._identity = {**architecture, "weights": state_digest(backbone), "precision": hardware.precision}
        self.network, self.hardware = hardware.place(backbone).eval(), hardware

    @torch.inference_mode()
    def __call__(self, inputs: Inputs) -> NDArray[np.float32]:
        pixels = network_tensors(inputs, self.pipeline.preprocessing, self.hardware)[PIXELS]
        with self.hardware.autocast():
            features = self.network(pixels)
        return features.float().clamp(-MAX_FLOAT16, MAX_FLOAT16).cpu().numpy()

    def identity(self) -> dict[str, Any]:
        return self._identity

    def computed(self, dataset: ImageDataset, items: Iterable[list[Item]], workers: int) -> Iterator[Computed]:
        if self.hardware.device.type == "cuda":
            read = batches(dataset, items, worker_count(workers), pin_memory=True)
            yield from map(self.of_batch, read)
            return
        threads = torch.get_num_threads()
        try:
            yield from super().computed(dataset, items, workers)
        finally:
            torch.set_num_threads(threads)  # what start_thread set is also the default of later threads

    def start_thread(self) -> None:
        # Threads that share a batch wait for each other after each layer. If other processes use the cores too, that
        # takes most of the time: 15 images/s instead of 190 on two cores
        torch.set_num_threads(1)

    def __str__(self) -> str:
        return str(self.hardware)


def make_networks(settings: EmbedderSettings) -> Iterator[NetworkEmbedder]:
    """The network of each input size.

    Args:
        settings: `model` is a timm backbone or a saved model.

    Raises:
        InputError: The model or its weights cannot be loaded, or there is no such device or precision.
    """
    path = saved_model_path(settings.model)
    if path is None:
        name = backbone_name(settings.model)
        chosen = TrainSettings(model=name, weights=settings.weights)
        preprocessing = make_preprocessing(chosen)
        yield from _sized(settings, name, chosen, InputPipeline(preprocessing))
        return
    if settings.weights:
        raise InputError(f"weights is for a timm backbone; --model {settings.model} is a saved model with its own")
    with opened_model(path) as folder:
        if is_ensemble(folder):
            raise InputError(f"model {path}: this is an ensemble; name one of the models in it")
        saved = load_model(folder)
        if saved.settings.fusion == METADATA_ONLY:
            raise InputError(f"model {path}: it reads only metadata and has no features of images")
        chosen = replace(saved.settings, weights=str(folder))
        yield from _sized(settings, path.name.removesuffix(".tar.gz"), chosen, saved.pipeline)


def _sized(
    settings: EmbedderSettings, model: str, chosen: TrainSettings, pipeline: InputPipeline
) -> Iterator[NetworkEmbedder]:
    """The network of each input size. chosen: backbone, its arguments and weights."""
    hardware = find_hardware(settings.device, settings.precision, chosen.channels_last)
    own = pipeline.preprocessing
    for height, width in settings.inputs(own.height, own.width):
        preprocessing = replace(own, height=height, width=width)
        fetch = not chosen.weights
        backbone = make_backbone(chosen.model, preprocessing, 0.0, fetch, chosen.model_args, WAYS_OUT)
        add_adapters(chosen, backbone, preprocessing)
        if chosen.weights:
            load_backbone(backbone, Path(chosen.weights), chosen, preprocessing)
        weights = Path(settings.weights).name if settings.weights else model if chosen.weights else "timm's pretrained"
        architecture = {"model": backbone_name(chosen.model), "model_args": dict(chosen.model_args)}
        sized = replace(pipeline, preprocessing=preprocessing)
        yield NetworkEmbedder(model, weights, backbone, architecture, sized, hardware)


def state_digest(network: nn.Module) -> str:
    """BLAKE2b of all weights and buffers but batch counters, by name, as hexadecimal text."""
    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(network.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue
        digest.update(f"{name} {value.dtype} {list(value.shape)}\0".encode())
        digest.update(value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
