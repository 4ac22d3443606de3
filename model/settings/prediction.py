"""Settings that inference and the server share: which saved model, test-time augmentation, and the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from model.settings.choices import PRECISIONS
from model.settings.fields import setting


@dataclass(frozen=True)
class PredictionSettings:
    """Base of InferenceSettings and ServeSettings."""

    SECTIONS: ClassVar[tuple[str, ...]] = ("Where things lie", "Data", "Prediction", "Requests", "Machine")

    model_dir: str | None = setting(
        None,
        "the saved model, or a folder with one in it; else SM_CHANNEL_MODEL, else the newest run in runs",
        section="Where things lie",
    )
    models: list[str] = setting([], "several saved models that answer together instead of one, PATH[:WEIGHT]")

    num_tta: int = setting(
        1,
        "views of each image whose answers are joined; 1: the image as it is",
        low=1,
        high=64,
        section="Prediction",
    )
    tta_mode: str = setting(
        "soft",
        "soft: probabilities of fixed views averaged; vote: each of random views votes",
        choices=("soft", "vote"),
    )
    seed: int = setting(0, "of the random views", low=0)

    max_pixels: int = setting(
        0, "largest image that is read, in pixels; 0: as in training, where it was set, else 178,956,970", low=0
    )

    batch_size: int = setting(64, "images of a forward pass, their views counted", low=1, section="Machine")
    precision: str = setting(
        "auto", "arithmetic; auto: bf16 where the hardware gains, fp16 on older GPUs, else fp32", choices=PRECISIONS
    )
    device: str = setting("auto", "auto, cpu, cuda or cuda:N")
    num_workers: int = setting(-1, "processes that read images; 0: the job itself; -1: by the number of cores", low=-1)
