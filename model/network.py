"""A timm backbone with heads on it, and the weights that it begins with."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from model.archive import opened_model
from model.faults import InputError, did_you_mean, listing
from model.finding import WEIGHTS, is_ensemble
from model.heads import Heads
from model.preprocessing import Preprocessing
from model.settings import TrainSettings

log = logging.getLogger("rarebird")

BACKBONE = "backbone."
OTHERS_NAMES = {
    "seresnet26d_32x4d": "seresnext26d_32x4d",
    "se_resnext50": "seresnext50_32x4d",
    "se_resnext50_32x4d": "seresnext50_32x4d",
    "se_resnext101_32x4d": "seresnext101_32x4d",
    "inceptionv3": "inception_v3",
}


class Network(nn.Module):
    """Pictures (N, channels, height, width), normalised, to the logits of all heads (N, outputs)."""

    def __init__(self, backbone: nn.Module, heads: Heads, hidden_layers: Sequence[int] = (), dropout: float = 0.0):
        super().__init__()
        self.backbone = backbone
        features = int(getattr(backbone, "head_hidden_size", None) or backbone.num_features)  # type: ignore[arg-type]
        self.heads = nn.ModuleList(_classifier(features, hidden_layers, head.outputs, dropout) for head in heads.heads)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        features = self.backbone(pictures)
        return torch.cat([head(features) for head in self.heads], dim=1)


def _classifier(features: int, hidden_layers: Sequence[int], outputs: int, dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in hidden_layers:
        layers += [nn.Dropout(dropout), nn.Linear(features, width), nn.ReLU(inplace=True)]
        features = width
    last = nn.Linear(features, outputs)
    nn.init.trunc_normal_(last.weight, std=0.01)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, nn.Dropout(dropout), last)


def model_name(name: str) -> str:
    """timm's name for a backbone, in any letter case or as another system calls it; InputError names the nearest."""
    known = timm.list_models()
    plain = name.lower().replace("-", "_")
    for candidate in (name, plain, OTHERS_NAMES.get(plain, plain)):
        bare, dot, _ = candidate.partition(".")
        if bare not in known:
            continue
        tagged = timm.list_pretrained(f"{bare}.*")
        if dot and candidate not in tagged:
            tags = listing(tagged) or "no pretrained weights"
            raise InputError(
                f"model {name!r}: timm {timm.__version__} has {tags} of it{did_you_mean(candidate, tagged)}"
            )
        return candidate
    raise InputError(f"model {name!r}: timm {timm.__version__} has no such backbone{did_you_mean(name, known)}")


def make_preprocessing(settings: TrainSettings) -> Preprocessing:
    """Size and normalisation as set, else those of the backbone's pretrained weights."""
    known = timm.get_pretrained_cfg(model_name(settings.model), allow_unregistered=False)
    size = settings.input_size or list(known.input_size[1:] if known else (224, 224))
    height, width = size if len(size) == 2 else size * 2
    mean, std = tuple(settings.mean), tuple(settings.std)
    if settings.normalisation == "backbone":
        mean, std = (known.mean, known.std) if known else ((0.5,) * 3, (0.5,) * 3)
        if settings.channels == 1:
            mean, std = (sum(mean) / 3,), (sum(std) / 3,)
    return Preprocessing(
        height,
        width,
        settings.channels,
        settings.fit,
        settings.crop_pct,
        settings.interpolation,
        tuple(mean),
        tuple(std),
    )


def make_backbone(
    name: str,
    preprocessing: Preprocessing,
    drop_path: float = 0.0,
    pretrained: bool = False,
    model_args: Mapping[str, Any] | None = None,
) -> nn.Module:
    """timm's backbone without its classifier. InputError where timm cannot make it so, or where its weights cannot
    be had; the latter names the ways out."""
    name = model_name(name)
    arguments: dict[str, Any] = {**(model_args or {}), "num_classes": 0, "in_chans": preprocessing.channels}
    if drop_path:
        arguments["drop_path_rate"] = drop_path
    known = timm.get_pretrained_cfg(name, allow_unregistered=False)
    if known is not None and known.fixed_input_size:
        arguments["img_size"] = (preprocessing.height, preprocessing.width)
    try:
        backbone = timm.create_model(name, pretrained=False, **arguments)
        with torch.inference_mode():
            backbone.eval()(torch.zeros(1, preprocessing.channels, preprocessing.height, preprocessing.width))
    except (TypeError, AssertionError, RuntimeError) as error:
        size = f"{preprocessing.height}x{preprocessing.width}"
        raise InputError(f"model {name!r} cannot be made for {size} pixels: {error}") from None
    if not pretrained:
        return backbone
    ways = "begin with a file (--weights FILE) or with random weights (--pretrained false)"
    if known is None or not known.has_weights:
        raise InputError(f"model {name!r}: timm has no pretrained weights for it; {ways}")
    log.info("fetching timm's pretrained weights of %s, where they are not cached", name)
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # its retries; what comes of them is told below
    try:
        return timm.create_model(name, pretrained=True, **arguments)
    except Exception as error:  # urllib, huggingface_hub, httpx and os errors, by version
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"the pretrained weights of {name} cannot be fetched ({type(error).__name__}: {reason}); {ways}"
        ) from None


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


def freeze(network: Network, parts: Sequence[str]) -> None:
    """Parameters that do not learn: `backbone`, or those of the backbone whose names begin with a part. InputError
    where a part names nothing."""
    for part in parts:
        found = False
        for name, parameter in network.backbone.named_parameters():
            if part == "backbone" or name.startswith(part):
                parameter.requires_grad = False
                found = True
        if not found:
            blocks = sorted({name.split(".")[0] for name, _ in network.backbone.named_parameters()})
            raise InputError(
                f"freeze: the backbone has no {part!r}, it has {listing(blocks)}{did_you_mean(part, blocks)}"
            )


def unfreeze(network: Network) -> None:
    """Every parameter learns."""
    for parameter in network.parameters():
        parameter.requires_grad = True


def fix_norm(network: nn.Module) -> None:
    """Batch norms use their saved statistics, also while training."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
