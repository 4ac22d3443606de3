"""The settings of evaluation.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model.settings.checks import unknown_encoding
from model.settings.choices import THUMBNAILS
from model.settings.fields import setting


@dataclass(frozen=True)
class EvaluationSettings:
    """What evaluation compares, where its report goes, and how scores are computed."""

    ground_truth_dir: str | None = setting(
        None,
        "the truth: folder with gt.csv (image, true class, more columns welcome), a table, or a labelled folder as "
        "train.py reads it; else SM_GROUND_TRUTH_DIR",
        section="Where things lie",
    )
    output_data_dir: str | None = setting(
        None, "folder with the answers of inference; else SM_OUTPUT_DATA_DIR, else output"
    )
    answers: str | None = setting(None, "file of the answers; else output.csv, probabilities beside it")
    output: str | None = setting(
        None,
        "folder for evaluation.json and report.html; else SM_OUTPUT_DATA_DIR, else that of the answers",
    )
    pictures: str | None = setting(None, "folder of the images, themselves or in images/; report.html then shows some")
    thumbnails: str = setting(
        "full",
        "thumbnails of these images in report.html; none: names and labels only; blurred: reduced to at most 8 pixels "
        "per side, too few for a face",
        choices=THUMBNAILS,
    )
    compare: str | None = setting(None, "other answers on the same truth: folder or file; tells the paired difference")

    picture_column: str | None = setting(
        None,
        "column that names the images; else that of inference, else ImageID, image_name, path, filename, ...",
        section="Tables",
    )
    encoding: str = setting(
        "utf-8", "encoding of the truth, such as cp1252 or cp949; a byte-order mark of UTF-8 or UTF-16 goes before it"
    )

    labels: str | None = setting(None, "label scheme; else labels.json beside the answers", section="Scores")
    label_values: str | None = setting(
        None,
        "whether the truth holds names of classes or their indices, as `ans` of output.csv does; else decided by the "
        "whole column, and an error where both fit and differ",
        choices=("names", "indices"),
    )
    group_column: str | None = setting(
        None,
        "column of the truth whose groups are resampled together; else group, person, sender or people_path, else the "
        "groups by the group_pattern of the training",
    )
    gmean_classes: list[str] = setting(
        [],
        'classes of the geometric mean of F1, by number or name (as JSON where with spaces: ["none/male"]); else all',
    )
    resamples: int = setting(2000, "bootstrap resamples of the intervals; 0: no intervals", low=0)
    confidence: float = setting(0.95, "probability that an interval covers", low=0.5, high=0.999)
    seed: int = setting(0, "of the resamples", low=0)

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        yield from unknown_encoding(self.encoding)
