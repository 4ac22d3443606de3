"""The settings of evaluation.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model.settings.checks import unknown_encoding
from model.settings.choices import PATHS, THUMBNAILS
from model.settings.fields import setting


@dataclass(frozen=True)
class EvaluationSettings:
    """What evaluation compares, where its report is written, and how scores are computed."""

    ground_truth_dir: str | None = setting(
        None,
        "Folder with the true labels: gt.csv, another table, or any labelled folder that train.py reads",
        unset="SM_GROUND_TRUTH_DIR",
        section=PATHS,
        common=True,
        placeholder="PATH",
    )
    output_data_dir: str | None = setting(
        None, "Folder with the predictions of inference.py", unset="SM_OUTPUT_DATA_DIR or output", common=True
    )
    answers: str | None = setting(
        None,
        "File with the predictions; probabilities.csv is read from the same folder",
        unset="output.csv",
        common=True,
        placeholder="FILE",
    )
    output: str | None = setting(
        None,
        "Folder to write evaluation.json and report.html into",
        unset="SM_OUTPUT_DATA_DIR or the folder of the predictions",
        common=True,
        placeholder="DIR",
    )
    pictures: str | None = setting(
        None,
        "Folder with the images, or with a subfolder images/, to show in report.html",
        unset="the ground truth if it is a folder of labelled images",
        common=True,
        placeholder="DIR",
    )
    compare: str | None = setting(
        None,
        "Other predictions of the same images to compare with: a folder or a file",
        common=True,
        placeholder="PATH",
    )
    thumbnails: str = setting(
        "full",
        "How these images are shown in report.html; none: only names and labels, blurred: reduced to at most "
        "8 pixels per side, full: thumbnails",
        choices=THUMBNAILS,
    )

    picture_column: str | None = setting(
        None,
        "Column with the image names",
        unset="the column used by inference.py, or ImageID, image_name, path, filename, ...",
        section="Tables",
    )
    encoding: str = setting(
        "utf-8",
        "Encoding of the ground truth, such as cp1252 or cp949; ignored for a file with a byte-order mark of "
        "UTF-8 or UTF-16",
    )

    corrections: str | None = setting(
        None,
        "File with corrections of the true labels, as the review page writes it. A file that is not found in the "
        "working folder is looked for next to the true labels",
        common=True,
        placeholder="FILE",
    )

    labels: str | None = setting(
        None,
        "File with the label scheme",
        unset="labels.json next to the predictions",
        section="Scores",
        common=True,
        placeholder="FILE",
    )
    label_values: str | None = setting(
        None,
        "Whether the true labels are class names or class indices; required if both are possible with "
        "different results",
        choices=("names", "indices"),
        unset="detected",
        common=True,
    )
    group_column: str | None = setting(
        None,
        "Column of the ground truth with the group of each image, such as its person or sender; the "
        "confidence intervals are computed by resampling groups",
        unset="group, person, sender or people_path, otherwise the group_pattern of the training",
        common=True,
    )
    gmean_classes: list[str] = setting(
        [],
        "Classes whose F1 scores enter the geometric mean, by number or name; as JSON if a name contains "
        'spaces: ["none/male"]',
        unset="all",
    )
    resamples: int = setting(
        2000, "Number of bootstrap resamples for the confidence intervals; 0: no intervals", low=0, common=True
    )
    confidence: float = setting(0.95, "Confidence level of the intervals", low=0.5, high=0.999, common=True)
    seed: int = setting(0, "Random seed of the resamples", low=0, common=True)

    def contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings."""
        yield from unknown_encoding(self.encoding)
