"""A timm backbone with heads on it, and the weights that it begins with."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import timm
import torch
from torch import nn

from model.errors import InputError, did_you_mean, listing
from model.images.preprocessing import Preprocessing
from model.network.heads import Heads
from model.settings.train import TrainSettings

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
