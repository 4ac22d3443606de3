"""The settings of inference.py and inference_TTA.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from model.settings.aliases import INFERENCE_PY, settings_by_alias
from model.settings.checks import unknown_encoding
from model.settings.choices import MISSING_METADATA, PATHS
from model.settings.fields import setting
from model.settings.prediction import PredictionSettings


@dataclass(frozen=True)
class InferenceSettings(PredictionSettings):
    """What inference reads, where its predictions are written, and how it predicts."""

    MAIN_INPUT: ClassVar[str] = "eval_dir"
    ALIASES: ClassVar[Mapping[str, str]] = settings_by_alias(INFERENCE_PY)

    eval_dir: str | None = setting(
        None,
        "Folder of images to predict, with an optional info.csv",
        unset="SM_CHANNEL_EVAL or the eval_dir of the training",
        section=PATHS,
        common=True,
    )
    pictures: list[str] = setting(
        [],
        "Image files to predict, given without a flag. The predictions are printed; they are written to "
        "files only if an output is set",
        positional=True,
        common=True,
        placeholder="IMAGE",
    )
    output_data_dir: str | None = setting(
        None,
        "Folder to write the predictions into",
        unset="SM_OUTPUT_DATA_DIR, otherwise model_dir if it is set, otherwise output",
        common=True,
    )
    output: str | None = setting(
        None,
        "File to write the predictions to; the other files are written next to it",
        unset="output.csv",
        common=True,
        placeholder="FILE",
    )

    part_size: int = setting(
        0,
        "Number of rows per part; after an interruption, finished parts are reused. 0: one part per shard; "
        "images outside shards are not divided into parts",
        low=0,
    )
    resume_from: str | None = setting(
        None,
        "Folder with the parts of an interrupted run; parts with the same model, settings and images are reused",
        placeholder="DIR",
    )

    table: str | None = setting(
        None,
        "Table in eval_dir that lists the images",
        unset="info.csv, otherwise the only table with image names",
        section="Data",
        common=True,
        placeholder="FILE",
    )
    picture_column: str | None = setting(
        None,
        "Column with the image names",
        unset="the column used in training, or ImageID, image_name, path, filename, ...",
    )
    encoding: str = setting(
        "utf-8",
        "Encoding of the table, such as cp1252 or cp949; ignored for a file with a byte-order mark of UTF-8 or UTF-16",
    )
    missing_metadata: str = setting(
        "error",
        "If the model was trained with --fusion and the table lacks a column of metadata that it reads; error: stop, "
        "unknown: predict without that column",
        choices=MISSING_METADATA,
    )
    follow_links: bool = setting(
        False, "Read images through symbolic links that point outside the data folder; not allowed in a container"
    )
    strict: bool = setting(False, "Exit with code 1 if any image is unreadable", common=True)

    processes: int = setting(
        0,
        "Number of processes per host that the container starts, each with its own GPU; 0: one per GPU, or "
        "one if there is no GPU",
        low=0,
        section="Machine",
    )

    def contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings."""
        if self.models and self.model_dir:
            yield "models and model_dir both set the model; use only one of them"
        if self.pictures and self.eval_dir:
            yield "single images and eval_dir both set the images to predict; use only one of them"
        if self.pictures and self.table:
            yield "table can be used only with a folder of images (eval_dir), not with single images"
        if self.pictures and (self.part_size or self.resume_from):
            yield "part_size and resume_from can be used only with a folder of images (eval_dir), not with single "
            "images"
        if self.processes > 1 and self.device.startswith("cuda:"):
            yield f"processes {self.processes} requires device cuda (one GPU per process), not {self.device}"
        yield from unknown_encoding(self.encoding)
