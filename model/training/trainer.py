"""The training loop: epochs of forward and backward passes, optimiser steps, validation, checkpoints and resuming.

Plain PyTorch, in one process or in several under torchrun. Training can be stopped and resumed between any two
optimiser steps, and gives the same result as without the stop.
"""

from __future__ import annotations

import logging
import signal
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from timm.utils import ModelEmaV3
from torch import nn

from model.data.datasets import Datasets
from model.data.image_dataset import Batch, ImageDataset, unreadable_images
from model.data.loader import batches
from model.data.sampling import EpochSampler, make_sampler
from model.decisions import Decision
from model.images.pipeline import InputPipeline
from model.metrics.epoch_metrics import CRITERIA, reported
from model.network.freezing import fix_norm
from model.network.heads import Heads
from model.network.network import Network
from model.network.tensors import network_tensors
from model.runtime import distributed
from model.runtime.hardware import Hardware
from model.runtime.seeding import mixed_seed, seed_all
from model.runtime.signals import Stopped, StopSignal
from model.runtime.workers import worker_count
from model.settings.train import TrainSettings
from model.training.augmentation import make_augmentation
from model.training.checkpoints import CRITERION, DYNAMICS, Checkpoints, State, load_states, states_of
from model.training.class_means import set_class_means
from model.training.criterion import Criterion
from model.training.epoch_loss import EpochLoss
from model.training.features import FrozenFeatures
from model.training.kept_epochs import KeptEpochs
from model.training.mixing import make_mixing
from model.training.optim import Accumulation, Schedule, make_optimiser
from model.training.parallel import ParallelNetwork
from model.training.progress import Outcome, Progress, on_cpu
from model.training.targets import Targets
from model.training.tracking.base import EpochResult, Tracker
from model.training.tracking.console import progress_bar
from model.training.training_dynamics import TrainingDynamics
from model.training.validation import Validation, Validator

log = logging.getLogger("rarebird")

FINITE_EVERY = 10  # optimiser steps between two checks that the loss is finite; each check waits for the GPU


@dataclass(frozen=True)
class TrainableModel:
    """A network to train.

    Attributes:
        network: The network.
        heads: What its outputs mean.
        pipeline: Makes its inputs from images.
        decision: Rule that selects the class from its probabilities.
    """

    network: Network
    heads: Heads
    pipeline: InputPipeline
    decision: Decision = Decision()


class Trainer:
    """Trains a network, and validates it after each epoch.

    Args:
        settings: Settings of the training.
        datasets: Training images, and validation images if there are any.
        model: The network to train.
        hardware: Where to train it.
        checkpoints: Where to write checkpoints; None to write none.
        stop: Signals that end training early.
        tracker: Receives the metrics of the run.

    Raises:
        InputError: If a setting is invalid for the data or the network.
    """

    def __init__(
        self,
        settings: TrainSettings,
        datasets: Datasets,
        model: TrainableModel,
        hardware: Hardware,
        checkpoints: Checkpoints | None,
        stop: StopSignal,
        tracker: Tracker,
    ):
        self.settings, self.hardware, self.checkpoints = settings, hardware, checkpoints
        self.stop, self.tracker = stop, tracker
        self.network, self.heads = model.network, model.heads
        self.pipeline, self.decision = model.pipeline, model.decision
        self.rank, self.world = distributed.rank(), distributed.world()
        self.workers = worker_count(settings.num_workers)

        # Input: order of the images, how they are read and augmented, and their targets
        table = datasets.train
        sampler = make_sampler(settings, table)
        self.sampler = EpochSampler(sampler, settings.batch_size, self.rank, self.world)
        augmentation = make_augmentation(settings.augmentation, self.pipeline, settings.seed)
        self.images = ImageDataset.of_table(table, augmentation, self.pipeline)
        self.mixing = make_mixing(settings.augmentation)
        self.features: FrozenFeatures | None = None  # read instead of images
        if settings.feature_views:
            where = (hardware, self.workers, stop, checkpoints.features if checkpoints else None)
            self.features = FrozenFeatures(settings, datasets, self.images, self.pipeline, *where)
        self.targets = Targets.of(self.heads, table)

        # Network, loss, optimiser
        hardware.place(self.network)
        self.criterion = Criterion(settings, self.heads, table, sampler).to(hardware.device)
        self.dynamics = TrainingDynamics(self.heads, table).to(hardware.device) if settings.training_dynamics else None
        self.optimiser = make_optimiser(settings, self.network)
        self.accumulation = Accumulation(self.sampler.steps, settings.accumulate)
        self.schedule = Schedule(settings, self.optimiser, self.accumulation.optimiser_steps)
        self.scaler = torch.amp.GradScaler(hardware.device.type, enabled=hardware.precision == "fp16")
        self.ema = ModelEmaV3(self.network, decay=settings.ema, use_warmup=True) if settings.ema else None
        self.scored: nn.Module = self.ema.module if self.ema else self.network  # validated and saved
        self.validator: Validator | None = None
        if datasets.validation is not None:
            parts = (self.decision, self.pipeline, hardware, self.criterion)
            reading = (settings.batch_size, self.workers, stop, self.features)
            self.validator = Validator(datasets.validation, *parts, *reading)

        self.parts = {
            "network": self.network,
            "ema": self.ema.module if self.ema else None,
            "optimiser": self.optimiser,
            "schedule": self.schedule,
            "scaler": self.scaler,
            CRITERION: self.criterion,
            DYNAMICS: self.dynamics,
        }
        self.progress = Progress()
        self.kept_epochs: KeptEpochs | None = None  # set by fit
        self.best_probabilities: np.ndarray | None = None  # of the validation images, from the best weights
        self.is_between_updates = False  # at the start there is nothing to save
        self.rate = 0.0  # images per second in the current epoch
        # comes after the optimiser, which must have the parameters of all parts, because it freezes some
        self.parallel = ParallelNetwork(self.network, settings, hardware)

    def train(self, state: State | None = None) -> Outcome:
        """Trains until the last epoch, early stopping or a signal.

        Args:
            state: Checkpoint to resume from; None to start from scratch.

        Returns:
            The best weights by best_criterion; without validation the last ones, averaged over steps if `ema` is set.

        Raises:
            Failure: If the loss is not finite, or an image can no longer be read.
        """
        if state is not None:
            self._restore(state)
            if self.progress.epoch < self.settings.epochs:
                log.info("resumed epoch=%d step=%d", self.progress.epoch + 1, self.progress.batches)
        self.tracker.begin(self.progress.first_logged_step(self.sampler.steps))
        self.started = self.saved_at = time.monotonic()
        stopped_by = None
        try:
            if state is None and self.settings.classifier_init == "class_means":
                self._start_from_class_means()
            if self.features and self.progress.epoch < self.settings.epochs:
                self.features.prepare(self.network)
            while self.progress.epoch < self.settings.epochs and not self._is_stale():
                self._train_epoch()
                self._finish_epoch(self.validator(self.scored) if self.validator else None)
        except Stopped:
            stopped_by = self.stop.received or signal.SIGTERM
            # within an accumulated step, batch norm has seen more than the weights: the last checkpoint is kept
            if self.is_between_updates:
                self._save()
        best = self.progress.best
        weights = best.weights if best else on_cpu(self.scored.state_dict())
        parts = (self.settings, self.heads, self.pipeline, self.decision)
        dynamics = self.dynamics.frame() if self.dynamics is not None else None
        return Outcome(*parts, weights, self.progress, stopped_by, self.best_probabilities, dynamics)

    def _start_from_class_means(self) -> None:
        parts = (self.images, self.targets, self.pipeline, self.hardware, self.workers, self.stop)
        set_class_means(self.settings, self.network, self.heads, *parts)
        if self.ema:
            self.ema.set(self.network)
        self.is_between_updates = True  # a run that is stopped now resumes from the means

    def _is_stale(self) -> bool:
        patience = self.settings.early_stopping
        if patience and self.progress.stale >= patience:
            log.info("early stopping: no better %s in the last %d epochs", self.settings.best_criterion, patience)
            return True
        return False

    def _train_epoch(self) -> None:
        """Trains on the remaining batches of the current epoch."""
        progress, device, steps = self.progress, self.hardware.device, self.sampler.steps
        self.parallel.prepare(progress.epoch)
        self.network.train()
        if self.settings.freeze_norm:
            fix_norm(self.network.backbone)
        began = time.monotonic()
        first = progress.batches
        self.loss = EpochLoss(progress.loss_sum, device)
        items = self.sampler.batches(progress.epoch, first)
        if self.features:
            loaded = self.features.batches("train", items)
        else:
            loaded = batches(self.images, items, self.workers, device.type == "cuda")
        size = self.sampler.pictures_per_step
        title = f"epoch {progress.epoch + 1}/{self.settings.epochs}"
        with progress_bar(title, steps * size, first * size) as bar:
            for step, batch in enumerate(self.stop.interruptible(loaded), first):
                self.is_between_updates = False
                # forward and backward pass; gradients accumulate until the optimiser step
                self.loss.add(self._accumulate_gradients(batch, step), step)
                bar.update(size)
                if not self.accumulation.ends_group(step):
                    continue
                # optimiser step, learning rate, averaged weights
                self._update()
                progress.batches = step + 1
                self.loss.after_update()
                self.is_between_updates = True
                # check the loss, log it, write a checkpoint, or stop
                self._after_update()
        self.rate = (steps - first) * size / max(time.monotonic() - began, 1e-9)

    def _accumulate_gradients(self, batch: Batch, step: int) -> torch.Tensor:
        """Forward and backward pass of a batch. Returns its loss, a scalar on the device.

        Args:
            batch: Images of this process.
            step: Position of the batch in the epoch.
        """
        device, epoch = self.hardware.device, self.progress.epoch
        if batch.unreadable or batch.inputs is None:
            raise unreadable_images(self.images, batch.unreadable)
        # dropout and mixing depend only on the position, so a resumed run draws the same numbers
        seed_all(mixed_seed(self.settings.seed, 2, epoch, step, self.rank))
        tensors = network_tensors(batch.inputs.by_view(), self.pipeline.preprocessing, self.hardware)
        targets, partner, own = self.targets.take(torch.as_tensor(batch.rows)), None, 1.0
        if self.mixing is not None:
            tensors, partner, own = self.mixing(tensors, targets.classes)
        targets = targets.to(device)
        # processes average their gradients only in the last backward pass before the optimiser step
        with self.parallel.exchange(self.accumulation.ends_group(step)):
            with self.hardware.autocast():
                logits = self.parallel(**tensors)
            loss = self.criterion(logits, targets, partner, own)
            if self.dynamics is not None:
                self.dynamics.record(logits.detach(), targets, is_mixed=own < 1)
            self.scaler.scale(loss / self.accumulation.group_size(step)).backward()
        return loss.detach()

    def _update(self) -> None:
        """An optimiser step, followed by the learning rate and the averaged weights."""
        self.progress.lr = max(group["lr"] for group in self.optimiser.param_groups)
        # clip the gradients, unscaled if fp16 scales them
        if self.settings.clip_grad:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_grad)
        # update the weights
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad(set_to_none=True)
        # learning rate of the next step, average of the weights
        self.progress.updates += 1
        self.schedule.after_step(self.progress.updates)
        if self.ema:
            self.ema.update(self.network, self.progress.updates)

    def _after_update(self) -> None:
        """Between two optimiser steps: checks that the loss is finite, logs it, writes a checkpoint, or stops."""
        settings, progress = self.settings, self.progress
        is_last = progress.batches == self.sampler.steps
        is_check = is_last or progress.updates % FINITE_EVERY == 0
        # several processes must agree on stopping, which takes time: they check less often than a single process
        stopping = (is_check or self.world == 1) and distributed.any_rank(
            self.stop.received is not None, self.hardware.device
        )
        is_due = time.monotonic() - self.saved_at >= settings.checkpoint_seconds
        if stopping or is_due or is_check:
            self.loss.require_finite(progress.epoch, progress.lr, self.hardware.precision)
        if settings.log_interval and progress.updates % settings.log_interval == 0 and not is_last:
            self.tracker.step(progress, self.loss.sum() / progress.batches)
        if stopping:
            raise Stopped
        if is_due:
            self._save()

    def _finish_epoch(self, validation: Validation | None) -> None:
        """Records the epoch, keeps its weights if they are the best so far, and writes a checkpoint."""
        progress = self.progress
        if self.dynamics is not None:
            self.dynamics.end_epoch()
        # mean training loss over all processes, validation scores
        loss_sum = float(np.mean(distributed.gather(self.loss.sum())))
        metrics = validation.metrics if validation else {}
        better = validation is not None and progress.keep_best(validation, self.settings.best_criterion, self.scored)
        if validation and better:
            self.best_probabilities = validation.probabilities
        entry: dict[str, Any] = {
            "epoch": progress.epoch + 1,
            **{CRITERIA[name].name: value for name, value in metrics.items() if name in CRITERIA},
            "train_loss": loss_sum / self.sampler.steps,
            "lr": progress.lr,
            "pictures_per_second": self.rate,
        }
        # log the epoch
        progress.history.append(entry)
        shown = {name: value for name, value in entry.items() if reported(name, self.settings.best_criterion)}
        self.tracker.epoch(EpochResult(progress.updates, shown, validation, better))
        # go to the next epoch
        progress.epoch, progress.batches, progress.loss_sum = progress.epoch + 1, 0, 0.0
        self.schedule.after_epoch(metrics.get(self.settings.best_criterion))
        if self.kept_epochs:  # before the checkpoint: a run that resumes after the epoch does not write it again
            self.kept_epochs.save(progress, metrics, self.scored)
        self._save()

    def _save(self) -> None:
        """Writes a checkpoint. Only called between two optimiser steps."""
        now = time.monotonic()
        self.progress.seconds += now - self.started
        self.started = self.saved_at = now
        if self.progress.batches:
            self.progress.loss_sum = self.loss.sum()
        if self.rank == 0 and self.checkpoints is not None:
            self.checkpoints.save(self.state())

    def state(self) -> State:
        """The state that training resumes from. Random generators are not in it: seeds depend only on the position."""
        return {**self.progress.to_state(), "finished": False, **states_of(self.parts)}

    def _restore(self, state: State) -> None:
        self.progress = Progress.from_state(state)
        load_states(self.parts, state)
