"""timm backbones: names, the preprocessing that their weights expect, creation with or without pretrained weights."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import timm
import torch
from torch import nn

from model.errors import InputError, WeightsUnavailable, did_you_mean, listing
from model.images.preprocessing import Preprocessing
from model.settings.aliases import BACKBONES
from model.settings.train import TrainSettings

log = logging.getLogger("rarebird")

# What a training can start from if timm's pretrained weights are missing
OTHER_STARTS = "start from a file (--weights FILE) or from random weights (--pretrained false)"


def backbone_name(name: str) -> str:
    """Resolves a backbone's name, in any letter case or as in another system, to timm's. Raises InputError with the
    nearest name if there is none."""
    known = timm.list_models()
    plain = name.lower().replace("-", "_")
    for candidate in (name, plain, BACKBONES.get(plain, plain)):
        architecture, dot, _ = candidate.partition(".")
        if architecture not in known:
            continue
        tagged = timm.list_pretrained(f"{architecture}.*")
        if dot and candidate not in tagged:
            tags = listing(tagged) or "no pretrained weights"
            raise InputError(
                f"model {name!r}: there is no such tag; timm {timm.__version__} has {tags} for {architecture}"
                f"{did_you_mean(candidate, tagged)}"
            )
        return candidate
    raise InputError(f"model {name!r}: timm {timm.__version__} has no such backbone{did_you_mean(name, known)}")


def make_preprocessing(settings: TrainSettings) -> Preprocessing:
    """The preprocessing that the settings define. Size and normalisation default to those of the backbone's pretrained
    weights."""
    config = timm.get_pretrained_cfg(backbone_name(settings.model), allow_unregistered=False)
    size = settings.input_size or list(config.input_size[1:] if config else (224, 224))
    height, width = size if len(size) == 2 else size * 2
    mean, std = tuple(settings.mean), tuple(settings.std)
    if settings.normalisation == "backbone":
        mean, std = (config.mean, config.std) if config else ((0.5,) * 3, (0.5,) * 3)
        # grey, and a fourth channel, by the mean over the colours
        if settings.channels == 1:
            mean, std = (sum(mean) / 3,), (sum(std) / 3,)
        if settings.channels == 4:
            mean, std = (*mean, sum(mean) / 3), (*std, sum(std) / 3)
    return Preprocessing(
        height=height,
        width=width,
        channels=settings.channels,
        fit=settings.fit,
        crop_pct=settings.crop_pct,
        interpolation=settings.interpolation,
        mean=tuple(mean),
        std=tuple(std),
        pixel_range=tuple(settings.pixel_range),
    )


def make_backbone(
    name: str,
    preprocessing: Preprocessing,
    drop_path: float = 0.0,
    pretrained: bool = False,
    model_args: Mapping[str, Any] | None = None,
    alternatives: str = OTHER_STARTS,
) -> nn.Module:
    """Creates a timm backbone without its classifier.

    Args:
        name: Any name that backbone_name accepts.
        preprocessing: Channels and size of its input.
        drop_path: Rate of stochastic depth; 0 for timm's default.
        pretrained: Whether to load timm's pretrained weights, which are downloaded if they are not cached.
        model_args: Further arguments of timm.create_model.
        alternatives: What to do if there are no pretrained weights, for the error message.

    Raises:
        InputError: If timm cannot create it with these arguments, or has no weights. The message says what to do
            instead.
        WeightsUnavailable: Its weights cannot be downloaded.
    """
    name = backbone_name(name)
    arguments = _timm_arguments(name, preprocessing, model_args)
    if drop_path:
        arguments["drop_path_rate"] = drop_path
    try:
        backbone = timm.create_model(name, pretrained=False, **arguments)
        # whether the input is too small shows only in a forward pass
        with torch.inference_mode():
            backbone.eval()(torch.zeros(1, preprocessing.channels, preprocessing.height, preprocessing.width))
    except (TypeError, AssertionError, RuntimeError) as error:
        size = f"{preprocessing.height}x{preprocessing.width}"
        raise InputError(f"model {name!r} cannot be created for an input of {size} pixels: {error}") from None
    if not pretrained:
        return backbone
    config = timm.get_pretrained_cfg(name, allow_unregistered=False)
    if config is None or not config.has_weights:
        raise InputError(f"model {name!r}: timm has no pretrained weights for it; {alternatives}")
    log.info("loading timm's pretrained weights of %s; they are downloaded if they are not cached", name)
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # hides its retries; the error below has the reason
    try:
        return timm.create_model(name, pretrained=True, **arguments)
    except Exception as error:  # urllib, huggingface_hub, httpx and os errors, by version
        reason = " ".join(str(error).split())[:200]
        raise WeightsUnavailable(
            f"the pretrained weights of {name} cannot be downloaded ({type(error).__name__}: {reason}); {alternatives}"
        ) from None


def convert_weights(
    name: str,
    preprocessing: Preprocessing,
    weights: Mapping[str, torch.Tensor],
    model_args: Mapping[str, Any] | None = None,
) -> dict[str, torch.Tensor] | None:
    """Converts weights with timm's checkpoint filter for the backbone: original names (DINOv2, CLIP, SigLIP in
    open_clip's files) to timm's, and position embeddings and patches to the input size.

    Args:
        name: Any name that backbone_name accepts.
        preprocessing: Channels and size of the backbone's input.
        weights: Tensors by name.
        model_args: Further arguments of timm.create_model.

    Returns:
        The state_dict of a backbone made by make_backbone; None if the weights do not belong to this backbone.
    """
    name = backbone_name(name)
    arguments = _timm_arguments(name, preprocessing, model_args)
    # timm filters and loads these tensors like a file of its own; it is strict, as num_classes is 0 on both sides.
    # timm's filter makes a classifier of CLIP's projection to the space of texts, but a backbone has no classifier
    tensors = {key: value for key, value in weights.items() if key != "visual.proj"}
    overlay: dict[str, Any] = {"state_dict": tensors, "num_classes": 0, "custom_load": False}
    if preprocessing.channels not in (1, 3):
        overlay["input_size"] = (preprocessing.channels, preprocessing.height, preprocessing.width)
    try:
        with torch.random.fork_rng(devices=[]):  # its random initial weights are replaced anyway
            backbone = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **arguments)
    except (RuntimeError, AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
        log.debug("timm cannot convert the weights: %s", error)
        return None
    return backbone.state_dict()


def _timm_arguments(name: str, preprocessing: Preprocessing, model_args: Mapping[str, Any] | None) -> dict[str, Any]:
    """Arguments of timm.create_model for a backbone without classifier. name: timm's name, from backbone_name."""
    arguments: dict[str, Any] = {**(model_args or {}), "num_classes": 0, "in_chans": preprocessing.channels}
    config = timm.get_pretrained_cfg(name, allow_unregistered=False)
    if config is not None and config.fixed_input_size:
        arguments["img_size"] = (preprocessing.height, preprocessing.width)
    return arguments
