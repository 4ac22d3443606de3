"""The settings of inference.py and inference_TTA.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from model.settings.checks import unknown_encoding
from model.settings.choices import PATHS
from model.settings.fields import setting
from model.settings.prediction import PredictionSettings


@dataclass(frozen=True)
class InferenceSettings(PredictionSettings):
    """What inference reads, where its predictions are written, and how it predicts."""

    MAIN_INPUT: ClassVar[str] = "eval_dir"

    eval_dir: str | None = setting(
        None,
        "Folder of images to predict, with an optional info.csv",
        unset="SM_CHANNEL_EVAL or the eval_dir of the training",
        section=PATHS,
        common=True,
    )
    pictures: list[str] = setting(
        [],
        "Single image files to predict, without a flag; the predictions are printed, and written only if an output is "
        "set",
        positional=True,
        common=True,
        placeholder="IMAGE",
    )
    output_data_dir: str | None = setting(
        None,
        "Folder to write the predictions into",
        unset="the first of SM_OUTPUT_DATA_DIR, model_dir and output",
        common=True,
    )
    output: str | None = setting(
        None,
        "File of the predictions; the other files are written next to it",
        unset="output.csv",
        common=True,
        placeholder="FILE",
    )

    part_size: int = setting(
        0,
        "Rows per part; finished parts survive an interruption. 0: one part per shard, and no parts for images outside "
        "shards",
        low=0,
    )
    resume_from: str | None = setting(
        None,
        "Folder with the parts of an interrupted run; parts of the same model, settings and images are reused",
        placeholder="DIR",
    )

    table: str | None = setting(
        None,
        "Table in the channel that lists the images",
        unset="info.csv or the only table of images",
        section="Data",
        common=True,
        placeholder="FILE",
    )
    picture_column: str | None = setting(
        None,
        "Column with the image names",
        unset="that of the training, or ImageID, image_name, path, filename, ...",
    )
    encoding: str = setting(
        "utf-8",
        "Encoding of the table, such as cp1252 or cp949; a byte-order mark of UTF-8 or UTF-16 overrides it",
    )
    follow_links: bool = setting(
        False, "Read images behind symbolic links that lead out of the channel; refused in a container"
    )
    strict: bool = setting(False, "Exit with code 1 if any image is unreadable", common=True)

    processes: int = setting(
        0,
        "Processes per host, in the image, each with its own GPU; 0: one per GPU, or one without a GPU",
        low=0,
        section="Machine",
    )

    def contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings."""
        if self.models and self.model_dir:
            yield "models and model_dir both name the model; set only one of them"
        if self.pictures and self.eval_dir:
            yield "single images and eval_dir both name what to predict; give only one of them"
        if self.pictures and self.table:
            yield "table is for a folder of images (eval_dir), not for single images"
        if self.pictures and (self.part_size or self.resume_from):
            yield "part_size and resume_from are for a folder of images (eval_dir), not for single images"
        if self.processes > 1 and self.device.startswith("cuda:"):
            yield f"processes {self.processes} requires device cuda, a GPU per process, not {self.device}"
        yield from unknown_encoding(self.encoding)
