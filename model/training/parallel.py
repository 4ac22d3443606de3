"""The network in training: with frozen parts, distributed over the processes of torchrun, compiled."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from model.errors import InputError
from model.network.freezing import freeze, freeze_for_adapters, unfreeze
from model.network.network import Network
from model.runtime import distributed
from model.runtime.hardware import Hardware, compiled
from model.settings.train import TrainSettings


class ParallelNetwork:
    """A network whose gradients are averaged over all processes (DistributedDataParallel), if there are several.

    Args:
        network: The network, on its device.
        settings: adapter, freeze, freeze_epochs and compile.
        hardware: The device.

    Raises:
        InputError: If `freeze` has a name that no part of the network has.
    """

    def __init__(self, network: Network, settings: TrainSettings, hardware: Hardware):
        self.network, self.settings, self.hardware = network, settings, hardware
        self.world = distributed.world()
        self._frozen: bool | None = None
        self.prepare(epoch=0)

    def prepare(self, epoch: int) -> None:
        """Freezes the parts that are not trained in an epoch, and wraps the network again if they have changed.

        The optimiser has the parameters of all parts and skips those without gradients.

        Args:
            epoch: The epoch, from 0.
        """
        freeze_epochs = self.settings.freeze_epochs
        frozen = not freeze_epochs or epoch < freeze_epochs
        if self._frozen == frozen:
            return
        self._frozen = frozen
        # freeze, then wrap: DistributedDataParallel registers the parameters that need gradients
        unfreeze(self.network)
        if self.settings.adapter != "none":
            freeze_for_adapters(self.network)
        elif frozen:
            freeze(self.network, self.settings.freeze)
        self._model: nn.Module = self.network
        if self.world > 1:
            devices = [self.hardware.device] if self.hardware.device.type == "cuda" else None
            self._model = DistributedDataParallel(self.network, device_ids=devices)
        self._forward: Callable[..., torch.Tensor] = compiled(self._model) if self.settings.compile else self._model

    def __call__(self, **tensors: torch.Tensor) -> torch.Tensor:
        """Returns logits (N, outputs) from the tensors of network_tensors, (N, ...).

        Raises:
            InputError: If the batch has too few images or pixels for batch norm.
        """
        try:
            return self._forward(**tensors)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            size = len(next(iter(tensors.values())))
            raise InputError(
                f"batch norm needs more than one value per channel, which a batch of {size} at this input_size does "
                "not have: use a larger batch_size, a larger input_size or more images"
            ) from None

    def exchange(self, enabled: bool) -> AbstractContextManager[Any]:
        """The context of a forward and backward pass. If enabled, the backward pass averages the gradients over all
        processes; otherwise they accumulate in each process."""
        if enabled or self.world == 1:
            return nullcontext()
        return self._model.no_sync()  # type: ignore[operator]
