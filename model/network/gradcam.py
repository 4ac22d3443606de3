"""Grad-CAM: which part of an image the prediction of a class depends on (Selvaraju et al., ICCV 2017)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from model.images.inputs import METADATA, PIXELS
from model.network.heads import Heads
from model.network.network import Network
from model.network.pooling import has_channels_last


def grad_cam(
    network: Network, heads: Heads, tensors: Mapping[str, torch.Tensor], classes: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """Maps of the evidence for a class: positive where the image raises its logit.

    The backbone's last feature map is averaged over its channels, weighted by the mean gradient of the logit with
    respect to each channel (equations 1 and 2 of the paper). For an average pooling and a linear classifier this is CAM
    (Zhou et al., CVPR 2016).

    Args:
        network: The network in evaluation mode.
        heads: Its heads.
        tensors: Keyword arguments of its forward, as network_tensors returns them, for N images.
        classes: By head name, the class of that head to explain for each image, int64 (N,). If there are several heads,
            their logits are summed.

    Returns:
        float32 (N, h, w) on the CPU, the size of the last feature map; between 0 and 1, where 1 is the maximum of the
        image's map. A map without positive evidence is 0.
    """
    backbone = network.backbone
    with torch.enable_grad():
        # a gradient of the pixels is requested so that features have one even if all layers are frozen
        pixels = tensors[PIXELS].detach().requires_grad_()
        features, logits = _features_and_logits(network, pixels, tensors.get(METADATA))
        (gradients,) = torch.autograd.grad(_logits_of(heads, logits, classes).sum(), features)
    maps, gradients = _channels_last(backbone, features.detach()), _channels_last(backbone, gradients)
    weights = gradients.mean(dim=(1, 2), keepdim=True)
    evidence = (weights * maps).sum(dim=3).clamp(min=0).float().cpu()
    highest = evidence.amax(dim=(1, 2), keepdim=True)
    return torch.where(highest > 0, evidence / highest.clamp(min=torch.finfo(torch.float32).tiny), 0)


def _features_and_logits(
    network: Network, pixels: torch.Tensor, metadata: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The features to explain with, and the logits (N, outputs).

    The features are those that the backbone pools. A transformer may only use its class token, on which the other
    tokens have no influence after the last block; so its features are those that enter the last block.
    """
    entering: list[torch.Tensor] = []
    blocks = getattr(network.backbone, "blocks", None)
    if hasattr(network.backbone, "num_prefix_tokens") and blocks is not None:
        hook = blocks[-1].register_forward_pre_hook(lambda block, arguments: entering.append(arguments[0]))
    else:
        hook = None
    try:
        features = network.backbone.forward_features(pixels)  # type: ignore[operator]
    finally:
        if hook is not None:
            hook.remove()
    pooled = network.pooled(features)
    return entering[0] if entering else features, network.logits(pooled, metadata)


def _logits_of(heads: Heads, logits: torch.Tensor, classes: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The sum of the logits of these classes, (N,)."""
    total = logits.new_zeros(len(logits))
    for head, own in zip(heads.heads, heads.split(logits)):
        if head.name not in classes:
            continue
        wanted = classes[head.name].to(logits.device)
        if head.outputs == 1:  # a sigmoid, whose logit is that of class 1
            total = total + torch.where(wanted == 1, own[:, 0], -own[:, 0])
        elif head.bins is not None:  # the evidence for a band is the log of the sum over its bins
            is_band = torch.from_numpy(head.bins.bands).to(own.device) == wanted[:, None]
            total = total + own.masked_fill(~is_band, -torch.inf).logsumexp(dim=1)
        else:
            total = total + own.gather(1, wanted[:, None])[:, 0]
    return total


def _channels_last(backbone: nn.Module, features: torch.Tensor) -> torch.Tensor:
    """The features of any timm backbone as (N, h, w, channels): maps with channels first or last, or tokens."""
    if features.ndim == 4:
        is_last = has_channels_last(features, int(backbone.num_features))  # type: ignore[arg-type]
        return features if is_last else features.permute(0, 2, 3, 1)
    tokens = features[:, getattr(backbone, "num_prefix_tokens", 0) :]
    height, width = backbone.patch_embed.grid_size  # type: ignore[union-attr, misc]
    return tokens.reshape(len(tokens), height, width, -1)
