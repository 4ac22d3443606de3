"""The ensembles of a job with several models: folds, or one model per attribute."""

from __future__ import annotations

from pathlib import Path

from model.artifacts.ensemble import SOFT, save_ensemble
from model.artifacts.files import is_ensemble, is_saved_model
from model.runtime.signals import Stopped, StopSignal
from model.settings.train import TrainSettings
from model.training.out_of_fold import answer_out_of_fold
from model.training.plan import Plan


def save_ensembles(
    plan: Plan, models: Path, settings: TrainSettings, output: Path, stop: StopSignal, stopped_by: int | None
) -> int | None:
    """Saves the ensembles of the trained models; with folds, first writes the out-of-fold predictions.

    If training was stopped, an ensemble that averages its members is saved with the models trained so far.

    Args:
        plan: The models and ensembles of the job.
        models: Folder of the trained models.
        settings: Batch size, workers, device and precision of the out-of-fold predictions.
        output: Output folder of the run.
        stop: Signals that end the job early.
        stopped_by: The signal that stopped training; None if it is finished.

    Returns:
        The signal that stopped training or the out-of-fold predictions; None if both are finished.
    """
    if stopped_by is None and plan.folds is not None:
        try:
            answer_out_of_fold(plan, models, settings, output, stop)
        except Stopped:
            stopped_by = stop.received
    for ensemble in plan.ensembles:
        folder = models / ensemble.folder
        members = [name for name in ensemble.members if is_saved_model(folder / name) or is_ensemble(folder / name)]
        if members == ensemble.members or (members and ensemble.combine == SOFT):
            weights, is_finished = [1.0] * len(members), stopped_by is None
            save_ensemble(folder, members, weights, ensemble.combine, ensemble.decision, finished=is_finished)
    return stopped_by
