"""Scores predictions against the ground truth and writes a report.

Examples:
  python evaluation.py --ground_truth_dir data/gt --pictures data/eval
  python evaluation.py --ground_truth_dir data/gt --compare output/before
  SM_GROUND_TRUTH_DIR=data/gt SM_OUTPUT_DATA_DIR=output python evaluation.py

Reads:
  SM_GROUND_TRUTH_DIR/gt.csv     the true labels, in the columns ImageID and ans, or image_name and label, or one column
                                 per attribute. If there is a column for persons or senders (group, person, sender,
                                 people_path), the confidence intervals are computed by resampling these groups. Other
                                 columns are ignored. Instead of gt.csv, the folder can contain any labelled data that
                                 train.py reads (another table, class folders, folders per person, .lst, a manifest)
  SM_OUTPUT_DATA_DIR/output.csv  the predictions of inference.py or inference_TTA.py, matched by image name; labels.json
                                 and probabilities.csv are read from the same folder
  --corrections FILE             corrections of the true labels, as the review page writes them (docs/data.md)
  --pictures DIR                 the images to show in the report, in DIR or DIR/images
Writes next to the predictions, or into --output DIR:
  report.html                    all results on one page, which needs no network and can be printed
  evaluation.json                SageMaker's multiclass_classification_metrics and, under the key `rarebird`, accuracy,
                                 macro_f1, gmean_f1, balanced_accuracy, per_class, ... For each score, low and high are
                                 the limits of its confidence interval
  suspects.csv                   wrong predictions that may be errors in the ground truth, if there are any
  compared.csv                   with --compare: images that only one of the two models predicts correctly
Prints:
  {"accuracy": 0.5711, "f1": 0.5213} on stdout, where f1 is macro F1, and a summary on stderr

The true labels are either class names, or class indices like those in the column `ans` of output.csv. If they can be
read as both with different results (for example, if the classes are named 1, 2 and 3), set --label_values. An image
without a prediction counts as wrong, and a prediction without a true label is ignored; the summary shows the numbers of
both. A duplicate image name, an unknown class or a missing column ends the job with exit code 2.
"""

from __future__ import annotations

from container import job_script
from container.job_types import EVALUATION

if __name__ == "__main__":
    job_script.check_command_line(EVALUATION, __doc__ or "")  # --help and errors need no pandas

# isort: split
import datetime
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from container import settings_layers
from container.locations import Locations
from model.answers.files import OUTPUT, answers_file
from model.atomic_write import write_json, write_text
from model.errors import ExitCode, InputError
from model.evaluation.answer_tables import TruthReading
from model.evaluation.evaluate import Evaluation, evaluate
from model.evaluation.files import EVALUATION_JSON, REPORT_HTML
from model.evaluation.matching import match_answers
from model.evaluation.report.render import render_report
from model.evaluation.report.thumbnails import picture_folder
from model.evaluation.summary import summary
from model.evaluation.suspects import write_lists
from model.evaluation.truth import truth_location
from model.labels import MAX_COMBINATIONS
from model.metrics.bootstrap import Interval
from model.settings.evaluation import EvaluationSettings


def main(argv: Sequence[str] | None = None) -> int:
    settings, env = settings_layers.read(EVALUATION, argv, __doc__ or "")
    locations = Locations(env)
    truth = truth_location(locations.ground_truth_dir(settings.ground_truth_dir))
    output = locations.answers_dir(settings.output_data_dir)
    answers = in_output(output, settings.answers or OUTPUT)
    folder = locations.evaluation_dir(settings.output, settings.output_data_dir) or answers.parent
    evaluated = score(settings, truth, answers, folder, compared_answers(settings, output))
    # after the files are written: the reader of the text may close the pipe
    print(f"{answers} against {truth}\n{summary(evaluated)}", file=sys.stderr)
    print(f"\nwrote {folder / EVALUATION_JSON} and {folder / REPORT_HTML}", file=sys.stderr)
    scores = evaluated.joint.scores
    print(json.dumps({"accuracy": round(scores["accuracy"].value, 4), "f1": round(scores["macro_f1"].value, 4)}))
    return ExitCode.DONE


def score(
    settings: EvaluationSettings, truth: Path, answers: Path, folder: Path, other: Path | None = None
) -> Evaluation:
    """Scores predictions and writes evaluation.json, report.html and lists of images.

    Args:
        settings: Settings of the job.
        truth: Table or folder with the true labels, as truth_location returns it.
        answers: Path of output.csv.
        folder: Folder to write into.
        other: Path of the output.csv to compare with; None for no comparison.

    Returns:
        All scores.

    Raises:
        InputError: The predictions or the true labels are invalid, or do not fit each other.
    """
    matched = match_answers(
        truth,
        answers,
        labels=Path(settings.labels) if settings.labels else None,
        group_column=settings.group_column,
        other_file=other,
        label_values=settings.label_values,
        reading=TruthReading(settings.picture_column, settings.encoding, settings.corrections),
    )
    pictures = picture_folder(Path(settings.pictures), matched.names) if settings.pictures else None
    if pictures is None and truth.is_dir():
        with suppress(InputError):  # images of a labelled folder whose names are not those of the predictions
            pictures = picture_folder(truth, matched.names)
    evaluated = evaluate(
        matched,
        settings.gmean_classes,
        settings.resamples,
        settings.confidence,
        settings.seed,
        settings.label_values,
    )
    compared = Path(settings.compare).name if settings.compare else None
    content = {"multiclass_classification_metrics": model_monitor(evaluated), "rarebird": evaluated.to_dict()}
    write_json(folder / EVALUATION_JSON, content)
    write_lists(folder, matched)
    today = datetime.date.today()
    page = render_report(evaluated, matched, pictures, compared, today, settings.thumbnails)
    write_text(folder / REPORT_HTML, page)
    return evaluated


def compared_answers(settings: EvaluationSettings, output: Path) -> Path | None:
    """File of the predictions that the setting `compare` names; None without it. output: folder of a bare file name."""
    return answers_file(in_output(output, settings.compare)) if settings.compare else None


def in_output(output: Path, answers: str) -> Path:
    """Path of predictions, a file or a folder. A file name without a folder is in the output directory, where inference
    writes it."""
    is_bare_file = Path(answers).parent == Path() and answers.lower().endswith(".csv")
    return output / answers if is_bare_file else Path(answers)


def model_monitor(evaluation: Evaluation) -> dict[str, Any]:
    """The scores in the format that SageMaker's model registry and pipelines read.

    Format: Developer Guide, "Model quality metrics and Amazon CloudWatch monitoring". The best constant classifier
    always predicts the most frequent class. With more than MAX_COMBINATIONS joint classes, or combinations of
    attributes, the confusion matrix contains only counts above 0.
    """
    scores = evaluation.joint
    names = scores.class_names
    matrix: dict[str, dict[str, int]] = {}
    if len(names) > MAX_COMBINATIONS or evaluation.is_large:  # too many zeros to list
        counts = scores.confusion.tocoo()
        for row, column, count in zip(counts.row.tolist(), counts.col.tolist(), counts.data.tolist(), strict=True):
            matrix.setdefault(names[row], {})[names[column]] = count
    else:
        for actual, row_counts in zip(names, scores.confusion.toarray().tolist(), strict=True):
            matrix[actual] = dict(zip(names, row_counts, strict=True))
    metrics: dict[str, Any] = {"confusion_matrix": matrix}
    for name, score in scores.weighted.items():
        metrics[name] = _with_deviation(score)
        metrics[f"{name}_best_constant_classifier"] = _with_deviation(scores.constant[name])
    return metrics


def _with_deviation(score: Interval) -> dict[str, Any]:
    deviation = "NaN" if score.deviation is None else score.deviation  # the format has "NaN" for a missing deviation
    return {"value": score.value, "standard_deviation": deviation}


if __name__ == "__main__":
    job_script.run(main, log_to=sys.stderr)
