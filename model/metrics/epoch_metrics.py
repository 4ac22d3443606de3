"""The metrics that training reports after each epoch (val_f1, train_loss, lr, ...), one entry per metric.

All code that names, prints, parses or compares metrics uses these entries: the setting best_criterion, validation, the
log, TensorBoard, the model card, the report, SageMaker's metric definitions, tuning. It reads them when it needs them,
so that entries can be added later. Imports nothing of the project, so that the launcher can use it without torch or
numpy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

VALIDATION = "val_"  # prefix of the metrics of the validation images
# In the validation of metrics.json: ATTRIBUTE_SCORES of each attribute by its name, if there are several
ATTRIBUTES = "attributes"
NUMBER_ERRORS = "mean_absolute_error"  # in the same place: of each learned number, by the name of its attribute
ATTRIBUTE_SCORES = {"f1": "macro_f1", "accuracy": "accuracy"}  # with their keys in `model.metrics.scores.SCORES`
# Meaning of scores if the label scheme is_large: there are too many combinations of attributes to score each
SCORE_OF_MANY = (
    "the mean of the attribute scores, each computed only over the values that occur; for accuracy, a prediction is "
    "correct only if all attributes are correct"
)


@dataclass(frozen=True)
class EpochMetric:
    """One number of an epoch.

    Attributes:
        name: Key in the history of metrics.json, in the metric line of the log (`val_f1=0.8123;`), in SageMaker's
            metric definitions, and a tuning job's objective.
        label: Its name in texts.
        curve: Its curve in TensorBoard and Weights & Biases.
        format: Format specification of the terminal's table. The metric line has no thousands separators.
        higher_is_better: None if neither direction is better.
        score: Key in `model.metrics.scores.SCORES`, for metrics that are computed from counts of predictions.
        header: Column header of the terminal's table; the label if empty.
        on_request: Whether an epoch reports it only if it is best_criterion.
    """

    name: str
    label: str
    curve: str
    format: str = ".4f"
    higher_is_better: bool | None = None
    score: str = ""
    header: str = ""
    on_request: bool = False

    @property
    def criterion(self) -> str | None:
        """Value of the setting best_criterion, and key in the validation of metrics.json; None for other metrics."""
        return self.name.removeprefix(VALIDATION) if self.name.startswith(VALIDATION) else None

    @property
    def column(self) -> str:
        """Header in the terminal's table of epochs."""
        return self.header or self.label

    def text(self, value: float) -> str:
        """The value in a table: `1,234.6`."""
        return f"{value:{self.format}}"

    def assignment(self, value: float) -> str:
        """The value in the metric line: `val_f1=0.8123;`. `jobs.spec.metrics` has the regular expression for it."""
        return f"{self.name}={value:{self.format.lstrip(',')}};"


def _by_name(*metrics: EpochMetric) -> dict[str, EpochMetric]:
    return {metric.name: metric for metric in metrics}


EPOCH_METRICS: dict[str, EpochMetric] = _by_name(
    EpochMetric("val_f1", "macro F1", "score/macro_f1", higher_is_better=True, score="macro_f1"),
    EpochMetric("val_acc", "accuracy", "score/accuracy", higher_is_better=True, score="accuracy"),
    EpochMetric("val_loss", "loss", "loss/validation", higher_is_better=False, header="val loss"),
    EpochMetric(
        "val_gmean",
        "geometric mean of F1",
        "score/gmean_f1",
        higher_is_better=True,
        score="gmean_f1",
        header="gmean F1",
        on_request=True,
    ),
    EpochMetric("train_loss", "train loss", "loss/train", higher_is_better=False),
    EpochMetric("lr", "lr", "lr", ".3g"),
    EpochMetric("pictures_per_second", "images/s", "pictures_per_second", ",.1f"),
)


class Criteria(Mapping[str, EpochMetric]):
    """The metrics of the validation images by the values of best_criterion, in the order of --help."""

    def __getitem__(self, criterion: str) -> EpochMetric:
        return self._by_criterion()[criterion]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_criterion())

    def __len__(self) -> int:
        return len(self._by_criterion())

    @staticmethod
    def _by_criterion() -> dict[str, EpochMetric]:
        return {metric.criterion: metric for metric in EPOCH_METRICS.values() if metric.criterion}


CRITERIA = Criteria()


def attribute_assignments(attributes: Mapping[str, Mapping[str, float]]) -> list[str]:
    """`val_f1_mask=0.8123;` for each attribute, for the end of the metric line.

    No regular expression of a metric matches this, for any name of an attribute.

    Args:
        attributes: ATTRIBUTE_SCORES by the name of the attribute.
    """
    f1 = EPOCH_METRICS[VALIDATION + "f1"]
    return [f"{f1.name}_{_key(name)}={scores['f1']:{f1.format}};" for name, scores in attributes.items()]


def number_assignments(errors: Mapping[str, float]) -> list[str]:
    """`val_mae_age=4.213;` for each learned number, like attribute_assignments. errors: mean absolute error by name."""
    return [f"{VALIDATION}mae_{_key(name)}={error:.4g};" for name, error in errors.items()]


def _key(name: str) -> str:
    """The name of an attribute in the metric line."""
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def metrics_of_line() -> list[EpochMetric]:
    """The metrics in the order of the metric line, which SageMaker's regular expressions read. A line has only those
    that its epoch reports."""
    scores, losses, others = _kinds()
    return [*scores, *losses, *others]


def metrics_of_table() -> list[EpochMetric]:
    """The metrics in the order of the terminal's table."""
    scores, losses, others = _kinds()
    return [*reversed(losses), *scores, *others]


def reported(name: str, best_criterion: str) -> bool:
    """Whether log, tables and curves show a value of an epoch's record; the record itself has all.

    Args:
        name: Key in the record, of a metric or another value.
        best_criterion: The setting of the training.
    """
    metric = EPOCH_METRICS.get(name)
    return metric is None or not metric.on_request or metric.criterion == best_criterion


def _kinds() -> tuple[list[EpochMetric], list[EpochMetric], list[EpochMetric]]:
    """Scores, losses, and metrics for which neither direction is better."""
    metrics = EPOCH_METRICS.values()
    return (
        [metric for metric in metrics if metric.score],
        [metric for metric in metrics if not metric.score and metric.higher_is_better is not None],
        [metric for metric in metrics if not metric.score and metric.higher_is_better is None],
    )
