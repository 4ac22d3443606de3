"""The training loop: plain PyTorch, one process or several under torchrun, to be stopped and gone on with anywhere."""

from __future__ import annotations

import logging
import math
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from PIL import Image
from timm.utils import ModelEmaV3
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from model.data.datasets import Datasets
from model.data.loader import ImageDataset, batches, unreadable_images
from model.data.sampling import EpochSampler
from model.errors import Failure, InputError
from model.images.augmentation import Augmentation, make_augmentation, make_mixing
from model.images.preprocessing import Preprocessing
from model.network.freezing import fix_norm, freeze, unfreeze
from model.network.heads import Heads
from model.network.network import Network
from model.runtime import distributed
from model.runtime.hardware import Hardware, compiled, worker_count
from model.runtime.seeding import mixed_seed, seed_all
from model.runtime.signals import Stopped, StopSignal
from model.settings.train import TrainSettings
from model.training.checkpoints import Checkpoints, State
from model.training.criterion import Criterion, head_targets
from model.training.optim import Schedule, make_optimiser
from model.training.progress import Best, Outcome, Progress
from model.training.tracking.base import EpochResult, Tracker
from model.training.tracking.console import progress_bar
from model.training.validation import Validation, Validator

log = logging.getLogger("rarebird")

FINITE_EVERY = 10  # optimiser steps between looks at the loss, each of which waits for a GPU


class Augmented:
    """A training picture, changed at random by a seed of its own: the run's and the draw's."""

    def __init__(self, augmentation: Augmentation, seed: int):
        self.augmentation, self.seed = augmentation, seed

    def __call__(self, picture: Image.Image, draw: int) -> torch.Tensor:
        seed_all(mixed_seed(self.seed, 1, draw))
        return self.augmentation(picture)


class Trainer:
    """Trains a network on a table and scores it on another after each epoch.

    InputError where a setting names nothing that there is; Failure where the loss is not finite, or where a picture
    cannot be read any more.
    """

    def __init__(
        self,
        settings: TrainSettings,
        data: Datasets,
        heads: Heads,
        preprocessing: Preprocessing,
        network: Network,
        hardware: Hardware,
        checkpoints: Checkpoints,
        identity: Mapping[str, Any],
        stop: StopSignal,
        tracker: Tracker,
    ):
        """checkpoints, identity: where states are written, and what a run must share to go on with them; stop: the
        signals that end training early; tracker: what follows the run."""
        self.settings, self.heads, self.preprocessing, self.hardware = settings, heads, preprocessing, hardware
        self.checkpoints, self.identity, self.stop, self.tracker = checkpoints, identity, stop, tracker
        self.network, table = network, data.train
        self.rank, self.world = distributed.rank(), distributed.world()
        self.workers = worker_count(settings.num_workers)
        self.sampler = EpochSampler(
            table.classes(), settings.sampler_power, settings.batch_size, settings.seed, self.rank, self.world
        )
        augmentation = make_augmentation(settings.augmentation, preprocessing)
        self.mixing = make_mixing(settings.augmentation)
        self.pictures = ImageDataset(
            table.root,
            table.locations,
            preprocessing.channels,
            augmentation.draft,
            Augmented(augmentation, settings.seed),
        )
        self.targets = head_targets(heads, table)
        hardware.place(network)
        self.criterion = Criterion(settings, heads, table).to(hardware.device)
        self.optimiser = make_optimiser(settings, network)
        self.updates_per_epoch = math.ceil(self.sampler.steps / settings.accumulate)
        self.schedule = Schedule(settings, self.optimiser, self.updates_per_epoch)
        self.scaler = torch.amp.GradScaler(hardware.device.type, enabled=hardware.precision == "fp16")
        self.ema = ModelEmaV3(network, decay=settings.ema, use_warmup=True) if settings.ema else None
        self.scored: nn.Module = self.ema.module if self.ema else network
        self.validator: Validator | None = None
        if data.validation is not None:
            size = settings.batch_size
            self.validator = Validator(
                data.validation, heads, preprocessing, hardware, self.criterion, size, self.workers, stop
            )
        self.progress = Progress()
        self.is_between_updates = True
        self.rate = 0.0  # pictures a second of the epoch at hand
        self._frozen: bool | None = None
        self._parallel()

    def train(self, state: State | None = None) -> Outcome:
        """From the beginning, or on from a checkpoint. What is to be saved is the best by best_criterion, or the
        last or averaged weights where there is no validation."""
        if state is not None:
            self._restore(state)
            if self.progress.epoch < self.settings.epochs:
                log.info("resumed epoch=%d step=%d", self.progress.epoch + 1, self.progress.batches)
        self.tracker.begin(self._first_point())
        self.saved_at = time.monotonic()
        stopped_by = None
        try:
            while self.progress.epoch < self.settings.epochs and not self._is_stale():
                self._learn()
                self._close_epoch(self.validator(self.scored) if self.validator else None)
        except Stopped:
            stopped_by = self.stop.received or signal.SIGTERM
            if self.is_between_updates:  # else batch norm has seen more than the weights; the last checkpoint stands
                self._save()
        best = self.progress.best
        return Outcome(best.weights if best else _on_cpu(self.scored.state_dict()), self.progress, stopped_by)

    def _first_point(self) -> int:
        """The optimiser step from which on there is something to tell: at an epoch's last one nothing but the epoch is
        told, once it is closed."""
        closing = self.progress.batches == self.sampler.steps
        return self.progress.updates + (self.progress.updates > 0 and not closing)

    def _is_stale(self) -> bool:
        patience = self.settings.early_stopping
        if patience and self.progress.stale >= patience:
            log.info("no better %s for %d epochs: training ends", self.settings.best_criterion, patience)
            return True
        return False

    def _learn(self) -> None:
        """The batches of an epoch that are still to do."""
        settings, progress, epoch = self.settings, self.progress, self.progress.epoch
        device, steps = self.hardware.device, self.sampler.steps
        model, forward = self._parallel()
        self.network.train()
        if settings.freeze_norm:
            fix_norm(self.network.backbone)
        self.started = began = time.monotonic()
        first = progress.batches
        self.loss_sum = torch.tensor(progress.loss_sum, device=device)
        loss_since_update = torch.zeros_like(self.loss_sum)
        bad_step = torch.tensor(math.inf, device=device)
        loaded = batches(
            self.pictures, self.sampler.batches(epoch, progress.batches), self.workers, device.type == "cuda"
        )
        size = self.sampler.pictures_per_step
        with progress_bar(f"epoch {epoch + 1}/{settings.epochs}", steps * size, progress.batches * size) as bar:
            for step, batch in enumerate(self.stop.outlived(loaded), progress.batches):
                self.is_between_updates = False
                if batch.unreadable or batch.pixels is None:
                    raise unreadable_images(self.pictures, batch.unreadable)
                seed_all(mixed_seed(settings.seed, 2, epoch, step, self.rank))
                inputs = self.preprocessing.normalised(self.hardware.pictures(batch.pixels))
                partner, own = None, 1.0
                if self.mixing is not None:
                    inputs, partner, own = self.mixing(inputs)
                targets = [codes[batch.rows].to(device, non_blocking=True) for codes in self.targets]
                first_of_group = step - step % settings.accumulate
                group = min(settings.accumulate, steps - first_of_group)
                last_of_group = step == first_of_group + group - 1
                wait = nullcontext() if last_of_group or self.world == 1 else model.no_sync()  # type: ignore[operator]
                with wait:
                    with self.hardware.autocast():
                        logits = _normalisable(forward, inputs)
                    loss = self.criterion(logits, targets, partner, own)
                    self.scaler.scale(loss / group).backward()
                loss_since_update += loss.detach()
                bad_step = torch.where(torch.isfinite(loss.detach()), bad_step, bad_step.clamp(max=step + 1))
                bar.update(size)
                if not last_of_group:
                    continue
                progress.lr = max(group["lr"] for group in self.optimiser.param_groups)
                self._update()
                progress.batches = step + 1
                self.loss_sum += loss_since_update
                loss_since_update.zero_()
                self.is_between_updates = True
                look = progress.batches == steps or progress.updates % (FINITE_EVERY if self.world > 1 else 1) == 0
                stopping = look and distributed.any_of(self.stop.received is not None, device)
                due = time.monotonic() - self.saved_at >= settings.checkpoint_seconds
                if stopping or due or progress.batches == steps or progress.updates % FINITE_EVERY == 0:
                    self._require_finite(bad_step, epoch)
                if settings.log_interval and progress.updates % settings.log_interval == 0 and step + 1 < steps:
                    self.tracker.step(progress, self.loss_sum.item() / (step + 1))
                if stopping:
                    raise Stopped
                if due:
                    self._save()

        self.rate = (steps - first) * size / max(time.monotonic() - began, 1e-9)

    def _parallel(self) -> tuple[nn.Module, Callable[[torch.Tensor], torch.Tensor]]:
        """The network as this epoch trains it: for its gradients, and for its forward pass. Made anew where other
        parts learn than in the epoch before; the optimiser knows them all and passes over those without gradient."""
        after = self.settings.freeze_epochs
        frozen = not after or self.progress.epoch < after
        if self._frozen != frozen:
            self._frozen = frozen
            unfreeze(self.network)
            if frozen:
                freeze(self.network, self.settings.freeze)
            self._model: nn.Module = self.network
            if self.world > 1:
                devices = [self.hardware.device] if self.hardware.device.type == "cuda" else None
                self._model = DistributedDataParallel(self.network, device_ids=devices)
            self._forward = compiled(self._model) if self.settings.compile else self._model
        return self._model, self._forward

    def _update(self) -> None:
        """An optimiser step, and what follows each."""
        if self.settings.clip_grad:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_grad)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad(set_to_none=True)
        self.progress.updates += 1
        self.schedule.after_step(self.progress.updates)
        if self.ema:
            self.ema.update(self.network, self.progress.updates)

    def _require_finite(self, bad_step: torch.Tensor, epoch: int) -> None:
        if math.isfinite(bad_step.item()):
            precision = " or --precision fp32" if self.hardware.precision != "fp32" else ""
            raise Failure(
                f"the loss is not finite at epoch {epoch + 1}, step {int(bad_step)}, learning rate "
                f"{self.progress.lr:.3g}: try a lower --lr, a longer --warmup_epochs, --clip_grad 1{precision}"
            )

    def _close_epoch(self, validation: Validation | None) -> None:
        """What an epoch was worth: best so far or not, told, kept in a checkpoint."""
        progress, criterion = self.progress, self.settings.best_criterion
        loss_sum = float(np.mean(distributed.gather(self.loss_sum.item())))
        entry: dict[str, Any] = {"epoch": progress.epoch + 1}
        found = validation.metrics if validation else {}
        better = False
        if validation:
            if not math.isfinite(validation.loss):
                place = f"epoch {progress.epoch + 1}, step {progress.batches}, learning rate {progress.lr:.3g}"
                raise Failure(
                    f"the validation loss is not finite after {place}: try a lower --lr, a longer --warmup_epochs or "
                    "--clip_grad 1"
                )
            entry |= {f"val_{name}": value for name, value in found.items() if name != "per_class"}
            score = -found["loss"] if criterion == "loss" else found[criterion]
            better = progress.best is None or score > progress.best.score
            progress.stale = 0 if better else progress.stale + 1
            if better:
                kept = {**found, "intervals": validation.intervals()}
                progress.best = Best(progress.epoch + 1, score, kept, _on_cpu(self.scored.state_dict()))
        entry["train_loss"] = loss_sum / self.sampler.steps
        entry["lr"] = progress.lr
        entry["pictures_per_second"] = self.rate
        progress.history.append(entry)
        self.tracker.epoch(EpochResult(progress.updates, entry, validation, better))
        progress.epoch, progress.batches, progress.loss_sum = progress.epoch + 1, 0, 0.0
        self.schedule.after_epoch(found.get(criterion))
        self._save()

    def _save(self) -> None:
        """A checkpoint of the moment, between two optimiser steps."""
        now = time.monotonic()
        self.progress.seconds += now - self.started
        self.started = self.saved_at = now
        if self.progress.batches:
            self.progress.loss_sum = self.loss_sum.item()
        if self.rank == 0:
            self.checkpoints.save(self.state())

    def state(self) -> State:
        """Everything that training needs to go on. What is random is a function of the seed and the position."""
        return {
            **self.progress.to_state(),
            "finished": False,
            "identity": dict(self.identity),
            "network": self.network.state_dict(),
            "ema": self.ema.module.state_dict() if self.ema else None,
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def _restore(self, state: State) -> None:
        self.progress = Progress.of(state)
        self.network.load_state_dict(state["network"])
        if self.ema:
            self.ema.module.load_state_dict(state["ema"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])


def _normalisable(forward: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
    """forward(inputs). InputError where there are too few pictures or pixels for batch norm."""
    try:
        return forward(inputs)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise InputError(
            f"batch norm cannot learn from a batch of {len(inputs)} at this size: a larger batch_size, a larger "
            "input_size or more pictures are needed"
        ) from None


def _on_cpu(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().to("cpu", copy=True) for name, value in weights.items()}
