"""What a job without network (--isolated) cannot do."""

from __future__ import annotations

from model.settings.train import TrainSettings


def isolation_problem(settings: TrainSettings) -> str | None:
    """Why a training cannot run without network, None if it can: initial weights are downloaded where `pretrained` is
    true and `weights` names none."""
    defaults = {"pretrained": settings.pretrained, "weights": settings.weights}
    own = [{**defaults, **values} for values in settings.separate.values() if isinstance(values, dict)]
    for values in [defaults, *own]:
        if values["pretrained"] and not values["weights"]:
            return (
                f"isolated and pretrained {str(values['pretrained']).lower()}: a training without network cannot fetch "
                "timm's weights; give them by --weights, or --pretrained false"
            )
    return None
