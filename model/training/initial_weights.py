"""The weights that training starts from: a file or saved model (setting `weights`), timm's pretrained, or random."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from model.errors import InputError, listing
from model.images.preprocessing import Preprocessing
from model.network.backbone import convert_weights, log, make_backbone
from model.network.heads import Heads
from model.network.network import BACKBONE, Network
from model.settings.train import TrainSettings
from model.training.classifier_rows import HEADS_PREFIX, match_classifiers
from model.training.weights_file import Weights, read_weights


def make_network(settings: TrainSettings, heads: Heads, preprocessing: Preprocessing) -> Network:
    """The network with its initial weights: `weights`, otherwise timm's if `pretrained`, otherwise random from torch's
    global generator."""
    fetch = settings.pretrained and not settings.weights
    backbone = make_backbone(settings.model, preprocessing, settings.drop_path, fetch, settings.model_args)
    network = Network(backbone, heads, settings.hidden_layers, settings.dropout)
    if settings.weights:
        load_weights(network, Path(settings.weights), heads, settings, preprocessing)
    return network


def load_weights(
    network: Network, path: Path, heads: Heads, settings: TrainSettings, preprocessing: Preprocessing
) -> None:
    """Loads weights into the network.

    A saved model's classifiers are matched by class name; those of another file are taken over where they have the
    network's shape. A backbone's weights for another input size, or under their original names (DINOv2, CLIP, SigLIP),
    are converted by timm. All of that is logged.

    Args:
        network: The network.
        path: What `weights` names.
        heads: Heads of the network.
        settings: Name and arguments of the backbone.
        preprocessing: Size and channels of its input.

    Raises:
        InputError: If keys are missing or unknown or have another shape; the message lists them, and nothing is loaded.
    """
    weights = read_weights(path)
    state = network.state_dict()
    classifier = getattr(network.backbone, "default_cfg", {}).get("classifier") or "classifier"
    foreign = tuple(f"{name}." for name in ([classifier] if isinstance(classifier, str) else classifier))
    # A bare backbone's weights get our prefix
    tensors = weights.tensors
    if not any(key.startswith(BACKBONE) for key in tensors):
        tensors = {key if key.startswith(foreign) else BACKBONE + key: value for key, value in tensors.items()}
    classifiers = {key: value for key, value in tensors.items() if key.startswith((*foreign, HEADS_PREFIX))}
    kept = {key: value for key, value in tensors.items() if key not in classifiers}
    mismatches = _mismatches(kept, state)
    if mismatches:
        bare = {key.removeprefix(BACKBONE): value for key, value in kept.items()}
        converted = convert_weights(settings.model, preprocessing, bare, settings.model_args)
        if converted is not None:
            log.info("weights %s: converted by timm to its names and this input size", weights.name)
            kept = {BACKBONE + key: value for key, value in converted.items()}
            mismatches = _mismatches(kept, state)
    if mismatches:
        raise InputError(
            "\n".join([f"weights {path}: do not fit the network; is `model` the one they are for?", *mismatches])
        )
    network.load_state_dict({**state, **kept, **_classifiers(weights, classifiers, state, heads)})


def _classifiers(
    weights: Weights, classifiers: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor], heads: Heads
) -> dict[str, torch.Tensor]:
    """The classifiers to load, by the network's parameter names. Logs what is taken over and what is left out.

    Args:
        weights: Name, and heads if they are known.
        classifiers: All classifiers of the file.
        state: State of the network.
        heads: Heads of the network.
    """
    if weights.heads is not None:
        matched = match_classifiers(classifiers, weights.heads, state, heads)
        for line in matched.lines:
            log.info("weights %s: %s", weights.name, line)
        return matched.tensors
    kept = {key: value for key, value in classifiers.items() if key in state and state[key].shape == value.shape}
    if left_out := classifiers.keys() - kept.keys():
        shapes = listing(f"{key} {list(classifiers[key].shape)}" for key in sorted(left_out))
        log.info("weights %s: the classifier is left out and begins anew: %s", weights.name, shapes)
    if kept:
        log.info(
            "weights %s: the classifier is taken over row by row, as the file does not name its classes; for other "
            "classes of the same number, name a saved model, or leave it out of the file",
            weights.name,
        )
    return kept


def _mismatches(weights: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]) -> list[str]:
    """A line for each kind of mismatch between weights and a network's state, with the keys. Heads may be missing, and
    the batch counters of batch norm."""
    missing = [
        key
        for key in state
        if key not in weights and not key.startswith(HEADS_PREFIX) and not key.endswith("num_batches_tracked")
    ]
    unknown = [key for key in weights if key not in state]
    reshaped = [
        f"{key} {list(weights[key].shape)}, the network has {list(state[key].shape)}"
        for key in weights
        if key in state and weights[key].shape != state[key].shape
    ]
    kinds = {"missing in the file": missing, "unknown to the network": unknown, "of another shape": reshaped}
    return [f"  {kind} ({len(keys):,}): {listing(keys)}" for kind, keys in kinds.items() if keys]
