"""The weights that training starts from: a file or saved model (setting `weights`), timm's pretrained, or random."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from model.errors import InputError, listing
from model.images.preprocessing import Preprocessing
from model.images.vocabulary import Vocabulary
from model.network.adapters import ADAPTER
from model.network.backbone import convert_weights, log
from model.network.fusion import METADATA_PREFIX, make_image_network
from model.network.heads import Heads
from model.network.network import BACKBONE, Network
from model.settings.train import TrainSettings
from model.weights.classifier_rows import HEADS_PREFIX, match_classifiers
from model.weights.weights_file import Weights, read_weights


def make_network(
    settings: TrainSettings, heads: Heads, preprocessing: Preprocessing, vocabulary: Vocabulary | None = None
) -> Network:
    """Makes the network with its initial weights: those of the setting `weights`, otherwise timm's if `pretrained` is
    set, otherwise random ones from torch's global generator. Embeddings of metadata are always random."""
    fetch = settings.pretrained and not settings.weights
    backbone = make_image_network(settings, preprocessing, fetch)
    network = Network.of(settings, backbone, heads, preprocessing, vocabulary)
    if settings.weights:
        load_weights(network, Path(settings.weights), heads, settings, preprocessing, vocabulary)
    return network


def load_weights(
    network: Network,
    path: Path,
    heads: Heads,
    settings: TrainSettings,
    preprocessing: Preprocessing,
    vocabulary: Vocabulary | None = None,
) -> None:
    """Loads weights into the network, and logs what was loaded.

    The classifiers of a saved model are matched by class name; those of other files are loaded if they have the
    network's shape. Embeddings of metadata, and classifiers that read them, are loaded if the vocabulary is the same.
    timm converts a backbone's weights that are for another input size or have their original names (DINOv2, CLIP,
    SigLIP).

    Args:
        network: The network.
        path: The setting `weights`.
        heads: Heads of the network.
        settings: Name and arguments of the backbone.
        preprocessing: Size and channels of the backbone's input.
        vocabulary: The metadata that the network reads.

    Raises:
        InputError: If keys are missing, unknown or have another shape. The message lists them; nothing is loaded.
    """
    weights = read_weights(path)
    state = network.state_dict()
    kept, classifiers = _separated(weights, network.backbone)
    kept = _fitted(kept, state, path, settings, preprocessing)
    network.load_state_dict({**state, **kept, **_classifiers(weights, classifiers, state, heads, vocabulary)})


def load_backbone(backbone: nn.Module, path: Path, settings: TrainSettings, preprocessing: Preprocessing) -> None:
    """Loads the weights of a file or saved model into a backbone without classifier. Its classifiers are ignored.

    Arguments and errors are those of load_weights.
    """
    state = {BACKBONE + key: value for key, value in backbone.state_dict().items()}
    kept, _ = _separated(read_weights(path), backbone)
    kept = {key: value for key, value in kept.items() if key.startswith(BACKBONE)}
    kept = _fitted(kept, state, path, settings, preprocessing)
    backbone.load_state_dict({key.removeprefix(BACKBONE): value for key, value in {**state, **kept}.items()})


def _separated(weights: Weights, backbone: nn.Module) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The tensors of a backbone, with our prefix, and those of classifiers and of the embeddings that only they read.
    backbone: has timm's name of its own."""
    classifier = getattr(backbone, "default_cfg", {}).get("classifier") or "classifier"
    foreign = tuple(f"{name}." for name in ([classifier] if isinstance(classifier, str) else classifier))
    # Add our prefix to the weights of a bare backbone
    tensors = weights.tensors
    if not any(key.startswith(BACKBONE) for key in tensors):
        tensors = {key if key.startswith(foreign) else BACKBONE + key: value for key, value in tensors.items()}
    # Separate classifiers from the rest, which has to fit the network
    classifiers = {
        key: value for key, value in tensors.items() if key.startswith((*foreign, HEADS_PREFIX, METADATA_PREFIX))
    }
    return {key: value for key, value in tensors.items() if key not in classifiers}, classifiers


def _fitted(
    kept: dict[str, torch.Tensor],
    state: Mapping[str, torch.Tensor],
    path: Path,
    settings: TrainSettings,
    preprocessing: Preprocessing,
) -> dict[str, torch.Tensor]:
    """The tensors of a backbone, converted by timm if they do not fit as they are.

    Args:
        kept: The tensors, as _separated returns them.
        state: Tensors of the network, with our prefix.
        path, settings, preprocessing: As in load_weights, and so is the error.
    """
    mismatches = _mismatches(kept, state)
    if mismatches:
        own = {key: value for key, value in kept.items() if ADAPTER in key or not key.startswith(BACKBONE)}
        bare = {key.removeprefix(BACKBONE): value for key, value in kept.items() if key not in own}
        converted = convert_weights(settings.model, preprocessing, bare, settings.model_args)
        if converted is not None:
            log.info("weights %s: converted by timm to its parameter names and to this input size", path.name)
            kept = {**{BACKBONE + key: value for key, value in converted.items()}, **own}
            mismatches = _mismatches(kept, state)
    if mismatches:
        raise InputError("\n".join([f"weights {path}: do not fit the network; check the setting `model`", *mismatches]))
    return kept


def _classifiers(
    weights: Weights,
    classifiers: Mapping[str, torch.Tensor],
    state: Mapping[str, torch.Tensor],
    heads: Heads,
    vocabulary: Vocabulary | None,
) -> dict[str, torch.Tensor]:
    """The classifiers to load, with their embeddings of metadata, by the network's parameter names. Logs which are
    loaded and which are not.

    Args:
        weights: Their name, and their heads and vocabulary if they are known.
        classifiers: All classifiers in the file, and embeddings.
        state: State of the network.
        heads: Heads of the network.
        vocabulary: The metadata that the network reads.
    """
    embeddings = {key: value for key, value in classifiers.items() if key.startswith(METADATA_PREFIX)}
    if (embeddings or vocabulary) and weights.vocabulary != vocabulary:
        log.info("weights %s: the classifier is trained from scratch, because it reads other metadata", weights.name)
        return {}
    if weights.heads is not None:
        matched = match_classifiers(classifiers, weights.heads, state, heads)
        for line in matched.lines:
            log.info("weights %s: %s", weights.name, line)
        return {**matched.tensors, **embeddings}
    kept = {key: value for key, value in classifiers.items() if key in state and state[key].shape == value.shape}
    if unused := classifiers.keys() - kept.keys():
        shapes = listing(f"{key} {list(classifiers[key].shape)}" for key in sorted(unused))
        log.info("weights %s: the classifier has another shape and is trained from scratch: %s", weights.name, shapes)
    if kept:
        log.info(
            "weights %s: the file has no class names, so its classifier is loaded row by row; if its classes are "
            "different ones, use a saved model or remove the classifier from the file",
            weights.name,
        )
    return kept


def _mismatches(weights: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]) -> list[str]:
    """A line with the keys for each kind of mismatch between weights and a network's state. What is not of timm's
    backbone (heads, pooling, adapters) and the batch counters of batch norm may be missing."""
    missing = [
        key
        for key in state
        if key not in weights
        and key.startswith(BACKBONE)
        and ADAPTER not in key
        and not key.endswith("num_batches_tracked")
    ]
    unknown = [key for key in weights if key not in state]
    reshaped = [
        f"{key} {list(weights[key].shape)}, the network has {list(state[key].shape)}"
        for key in weights
        if key in state and weights[key].shape != state[key].shape
    ]
    kinds = {"missing in the file": missing, "not in the network": unknown, "with another shape": reshaped}
    return [f"  {kind} ({len(keys):,}): {listing(keys)}" for kind, keys in kinds.items() if keys]
