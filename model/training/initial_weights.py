"""The weights that training starts from: a file or saved model (setting `weights`), timm's pretrained, or random."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from model.artifacts.archive import opened_model
from model.artifacts.files import WEIGHTS, is_ensemble
from model.errors import InputError, did_you_mean, listing
from model.images.preprocessing import Preprocessing
from model.network.backbone import log, make_backbone
from model.network.heads import Heads
from model.network.network import BACKBONE, Network
from model.settings.train import TrainSettings

HEADS_PREFIX = "heads."  # prefix of a network's own classifiers


def make_network(settings: TrainSettings, heads: Heads, preprocessing: Preprocessing) -> Network:
    """The network with its initial weights: `weights`, otherwise timm's if `pretrained`, otherwise random from torch's
    global generator."""
    fetch = settings.pretrained and not settings.weights
    backbone = make_backbone(settings.model, preprocessing, settings.drop_path, fetch, settings.model_args)
    network = Network(backbone, heads, settings.hidden_layers, settings.dropout)
    if settings.weights:
        load_weights(network, Path(settings.weights))
    return network


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Reads tensors by name.

    Args:
        path: .safetensors, .pth (loaded with weights_only), a saved model's folder, a model.tar.gz, or a folder with
            one of the latter two.

    Raises:
        InputError: If the file cannot be read, or holds anything but tensors.
    """
    if (path / WEIGHTS).is_file():
        path = path / WEIGHTS
    elif path.is_dir() or path.name.endswith(".tar.gz"):
        with opened_model(path) as folder:
            if is_ensemble(folder):
                raise InputError(f"weights {path}: it is an ensemble; name one of the models in it")
            return read_weights(folder / WEIGHTS)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise InputError(f"weights {path}: there is no such file{did_you_mean(path.name, beside)}") from None
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError) as error:
        raise InputError(f"weights {path}: cannot be read: {error}") from None
    except Exception as error:  # pickle.UnpicklingError, and others that a damaged pickle raises
        raise InputError(f"weights {path}: not tensors alone ({type(error).__name__}); save its state_dict") from None
    # Training scripts often save the state_dict under one of these keys, beside other things
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise InputError(f"weights {path}: expected tensors by name, a state_dict")
    return {str(key).removeprefix("module."): value for key, value in content.items()}


def load_weights(network: Network, path: Path) -> None:
    """Loads a file's weights into the network. A classifier of another shape is left out and logged.

    Raises:
        InputError: If keys are missing or unknown or have another shape; the message lists them, and nothing is loaded.
    """
    weights = read_weights(path)
    state = network.state_dict()
    classifier = getattr(network.backbone, "default_cfg", {}).get("classifier") or "classifier"
    classifiers = tuple(f"{name}." for name in ([classifier] if isinstance(classifier, str) else classifier))
    # A bare backbone's weights get our prefix
    if not any(key.startswith(BACKBONE) for key in weights):
        weights = {key if key.startswith(classifiers) else BACKBONE + key: value for key, value in weights.items()}
    # Leave classifiers of another shape out
    left_out = {
        key
        for key, value in weights.items()
        if key.startswith((*classifiers, HEADS_PREFIX)) and (key not in state or state[key].shape != value.shape)
    }
    if left_out:
        shapes = listing(f"{key} {list(weights[key].shape)}" for key in sorted(left_out))
        log.info("weights %s: the classifier is left out and begins anew: %s", path.name, shapes)
    kept = {key: value for key, value in weights.items() if key not in left_out}
    mismatches = _mismatches(kept, state)
    if mismatches:
        raise InputError(
            "\n".join([f"weights {path}: do not fit the network; is `model` the one they are for?", *mismatches])
        )
    network.load_state_dict({**state, **kept})


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
