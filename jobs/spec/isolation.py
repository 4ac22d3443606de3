"""Checks that a job without network access (--isolated) does not need the network."""

from __future__ import annotations

from model.settings.train import TrainSettings


def isolation_problem(settings: TrainSettings) -> str | None:
    """Returns an error message if a training needs the network, otherwise None. Weights are downloaded if `pretrained`
    is true and `weights` names no file."""
    defaults = {"pretrained": settings.pretrained, "weights": settings.weights}
    own = [{**defaults, **values} for values in settings.separate.values() if isinstance(values, dict)]
    for values in [defaults, *own]:
        if values["pretrained"] and not values["weights"]:
            return (
                f"isolated and pretrained {str(values['pretrained']).lower()}: a training without network access "
                "cannot download timm's weights; set --weights FILE or --pretrained false"
            )
    return None
