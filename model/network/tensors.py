"""Converts inputs from numpy arrays to the tensors that a network's forward takes."""

from __future__ import annotations

import torch

from model.images.inputs import PIXELS, Inputs
from model.images.preprocessing import Preprocessing
from model.runtime.hardware import Hardware

MIN_IMAGE_STD = 1 / 255  # avoids division by 0 for an image of one colour


def network_tensors(inputs: Inputs, preprocessing: Preprocessing, hardware: Hardware) -> dict[str, torch.Tensor]:
    """Makes the keyword arguments of a network's forward.

    Args:
        inputs: A batch in which each view is an own row, (N, ...).
        preprocessing: Normalisation of the pixels.
        hardware: The device, and the memory format of images.

    Returns:
        Tensors on the device: `pixels`, if the inputs have them, normalised, float32 (N, channels, height, width), and
        the other arrays unchanged.
    """
    device = hardware.device
    tensors = {name: torch.from_numpy(array).to(device, non_blocking=True) for name, array in inputs.arrays.items()}
    if PIXELS in tensors:
        pixels = tensors[PIXELS].permute(0, 3, 1, 2)  # channels_last without a copy
        tensors[PIXELS] = normalise(pixels if hardware.channels_last else pixels.contiguous(), preprocessing)
    return tensors


def normalise(pixels: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Normalises pixels from 0 to 255, uint8 or float (N, channels, height, width), to float32 of the same shape."""
    batch = pixels.float()
    # by fixed mean and deviation of each channel; without them by each image's own
    if preprocessing.mean:
        mean = torch.tensor(preprocessing.mean, device=batch.device).view(1, -1, 1, 1) * 255
        std = torch.tensor(preprocessing.std, device=batch.device).view(1, -1, 1, 1) * 255
        return (batch - mean) / std
    mean = batch.mean((1, 2, 3), keepdim=True)
    std = batch.std((1, 2, 3), keepdim=True, correction=0).clamp(min=MIN_IMAGE_STD * 255)
    return (batch - mean) / std
