"""Settings that inference and the server share: saved model, test-time augmentation and machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from model.settings.choices import PATHS, PRECISIONS
from model.settings.fields import setting


@dataclass(frozen=True)
class PredictionSettings:
    """Base of InferenceSettings and ServeSettings."""

    SECTIONS: ClassVar[tuple[str, ...]] = (PATHS, "Data", "Prediction", "Requests", "Machine")

    model_dir: str | None = setting(
        None,
        "Folder of the saved model, or a folder that contains one",
        unset="SM_CHANNEL_MODEL or the newest finished run in runs",
        section=PATHS,
        common=True,
    )
    models: list[str] = setting(
        [],
        "Several saved models that predict together, each as PATH or PATH:WEIGHT",
        common=True,
        placeholder="PATH ...",
    )

    num_tta: int = setting(
        1,
        "Views of each image whose predictions are combined (test-time augmentation); 1: only the image",
        low=1,
        high=64,
        section="Prediction",
        common=True,
    )
    tta_mode: str = setting(
        "soft",
        "How views are combined; soft: average the probabilities of fixed views, vote: random views vote",
        choices=("soft", "vote"),
    )
    seed: int = setting(0, "Random seed of the views of tta_mode vote", low=0)

    max_pixels: int = setting(
        0,
        "Largest image to read; 0: as in the training, or 178,956,970 if it was not set there",
        unit="pixels",
        low=0,
    )

    batch_size: int = setting(64, "Images per forward pass, counting each view", low=1, section="Machine", common=True)
    precision: str = setting(
        "auto",
        "Floating-point format; auto: bf16 if the hardware supports it well, fp16 on older GPUs, otherwise fp32",
        choices=PRECISIONS,
    )
    device: str = setting("auto", "Device: auto, cpu, cuda or cuda:N", common=True)
    num_workers: int = setting(
        -1,
        "Processes that read images; 0: the job's own process, -1: by the number of cores",
        low=-1,
        common=True,
    )
