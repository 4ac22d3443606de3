"""The settings of inference.py and inference_TTA.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from model.settings.checks import unknown_encoding
from model.settings.fields import setting
from model.settings.prediction import PredictionSettings


@dataclass(frozen=True)
class InferenceSettings(PredictionSettings):
    """What inference reads, where its answers go, and how it predicts."""

    MAIN_INPUT: ClassVar[str] = "eval_dir"

    eval_dir: str | None = setting(
        None,
        "the images, with info.csv where there is one; else SM_CHANNEL_EVAL, else what the model was made with",
        section="Where things lie",
    )
    pictures: list[str] = setting(
        [],
        "single image files, as words without a flag; where nothing names an output, the answers are printed and no "
        "file is written",
        positional=True,
    )
    output_data_dir: str | None = setting(
        None, "where the answers go; else SM_OUTPUT_DATA_DIR, else the folder that model_dir names, else output"
    )
    output: str | None = setting(
        None, "file of the answers, the probabilities beside it; else output.csv and probabilities.csv"
    )

    part_size: int = setting(
        0,
        "rows of a part, which is kept where the job is stopped; 0: a part a shard, none for images in no shard",
        low=0,
    )
    resume_from: str | None = setting(
        None, "parts of an earlier run that was stopped; those of the same model, settings and images are taken over"
    )

    table: str | None = setting(
        None, "path of the table in the channel; else info.csv or the only one that names images", section="Data"
    )
    picture_column: str | None = setting(
        None,
        "column that names the images; else that of the training, else ImageID, image_name, path, filename, ...",
    )
    encoding: str = setting(
        "utf-8", "encoding of the table, such as cp1252 or cp949; a byte-order mark of UTF-8 or UTF-16 goes before it"
    )
    follow_links: bool = setting(
        False, "read images behind symbolic links that lead out of the channel; on your own machine, not in a container"
    )
    strict: bool = setting(False, "exit with 1 where an image could not be read")

    processes: int = setting(
        0,
        "processes on each host, in the image, each with a GPU of its own; 0: one a GPU, else one",
        low=0,
        section="Machine",
    )

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if self.models and self.model_dir:
            yield "models and model_dir both name what answers; give one of them"
        if self.pictures and self.eval_dir:
            yield "images and eval_dir both name what to answer; give one of them"
        if self.pictures and self.table:
            yield "table is of a folder, not of single images"
        if self.pictures and (self.part_size or self.resume_from):
            yield "part_size and resume_from are of a folder, not of single images"
        if self.processes > 1 and self.device.startswith("cuda:"):
            yield f"{self.processes} processes use a GPU each, not all {self.device}: set device cuda"
        yield from unknown_encoding(self.encoding)
