"""From inputs in numpy to the tensors that a network's forward takes."""

from __future__ import annotations

import torch

from model.images.inputs import PIXELS, Inputs
from model.images.preprocessing import Preprocessing
from model.runtime.hardware import Hardware

MIN_IMAGE_STD = 1 / 255  # an image of one colour has no deviation to divide by


def network_tensors(inputs: Inputs, preprocessing: Preprocessing, hardware: Hardware) -> dict[str, torch.Tensor]:
    """The keyword arguments of a network's forward.

    Args:
        inputs: A batch with the views merged, (N, ...).
        preprocessing: Normalises the pixels.
        hardware: The device, and the memory format of images.

    Returns:
        Tensors on the device. `pixels` are normalised float32 (N, channels, height, width), the other arrays as given.
    """
    device = hardware.device
    tensors = {name: torch.from_numpy(array).to(device, non_blocking=True) for name, array in inputs.arrays.items()}
    pixels = tensors[PIXELS].permute(0, 3, 1, 2)  # channels_last without a copy
    tensors[PIXELS] = normalise(pixels if hardware.channels_last else pixels.contiguous(), preprocessing)
    return tensors


def normalise(pixels: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Normalised float32 images from uint8 (or float, 0 to 255) pixels, both (N, channels, height, width)."""
    batch = pixels.float()
    if preprocessing.mean:
        mean = torch.tensor(preprocessing.mean, device=batch.device).view(1, -1, 1, 1) * 255
        std = torch.tensor(preprocessing.std, device=batch.device).view(1, -1, 1, 1) * 255
        return (batch - mean) / std
    mean = batch.mean((1, 2, 3), keepdim=True)
    std = batch.std((1, 2, 3), keepdim=True, correction=0).clamp(min=MIN_IMAGE_STD * 255)
    return (batch - mean) / std
