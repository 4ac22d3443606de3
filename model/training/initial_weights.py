"""pretrained, --weights, random."""

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


def make_network(settings: TrainSettings, heads: Heads, preprocessing: Preprocessing) -> Network:
    """The network with the weights that training begins from: `weights`, else timm's where `pretrained`, else
    random from torch's global generator."""
    fetch = settings.pretrained and not settings.weights
    backbone = make_backbone(settings.model, preprocessing, settings.drop_path, fetch, settings.model_args)
    network = Network(backbone, heads, settings.hidden_layers, settings.dropout)
    if settings.weights:
        load_weights(network, Path(settings.weights))
    return network


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by name from .safetensors, .pth (weights only), a saved model's folder or a model.tar.gz (or a folder
    with one of these). InputError where that fails."""
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
    except Exception as error:  # pickle.UnpicklingError and what a damaged pickle raises
        raise InputError(f"weights {path}: not tensors alone ({type(error).__name__}); save its state_dict") from None
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise InputError(f"weights {path}: expected tensors by name, a state_dict")
    return {str(key).removeprefix("module."): value for key, value in content.items()}


def load_weights(network: Network, path: Path) -> None:
    """A file's weights into the network. A classifier of another shape is left out and told; any other mismatch is
    an InputError that lists the keys, so that nothing is half loaded."""
    found = read_weights(path)
    wanted = network.state_dict()
    classifier = getattr(network.backbone, "default_cfg", {}).get("classifier") or "classifier"
    classifiers = tuple(f"{name}." for name in ([classifier] if isinstance(classifier, str) else classifier))
    if not any(key.startswith(BACKBONE) for key in found):
        found = {key if key.startswith(classifiers) else BACKBONE + key: value for key, value in found.items()}
    left_out = {
        key
        for key, value in found.items()
        if (key.startswith(classifiers) or key.startswith("heads."))
        and (key not in wanted or wanted[key].shape != value.shape)
    }
    if left_out:
        shapes = listing(f"{key} {list(found[key].shape)}" for key in sorted(left_out))
        log.info("weights %s: the classifier is left out and begins anew: %s", path.name, shapes)
    kept = {key: value for key, value in found.items() if key not in left_out}
    missing = [key for key in wanted if key not in kept and not key.startswith("heads.")]
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    unknown = [key for key in kept if key not in wanted]
    shaped = [
        f"{key} {list(kept[key].shape)}, the network has {list(wanted[key].shape)}"
        for key in kept
        if key in wanted and kept[key].shape != wanted[key].shape
    ]
    faults = [
        f"  {what} ({len(keys):,}): {listing(keys)}"
        for what, keys in (
            ("missing in the file", missing),
            ("unknown to the network", unknown),
            ("of another shape", shaped),
        )
        if keys
    ]
    if faults:
        raise InputError(
            "\n".join([f"weights {path}: do not fit the network; is `model` the one they are for?", *faults])
        )
    network.load_state_dict({**wanted, **kept})
