"""Model cards, the README.md of a saved model or ensemble: data, scores, settings, and how to use it.

The text is in templates/; this module fills it in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model.artifacts.ensemble_file import EnsembleMember
from model.artifacts.files import CARD
from model.artifacts.provenance import chosen_settings
from model.data.corrections import PENDING
from model.data.crops import CROPS, crops_text
from model.decisions import Decision
from model.errors import listing
from model.images.preprocessing import Preprocessing
from model.labels import Scheme
from model.metrics.epoch_metrics import ATTRIBUTES, CRITERIA, SCORE_OF_MANY
from model.network.heads import Heads
from model.runtime.terminal import text_table
from model.settings.choices import METADATA_ONLY, NO_FUSION
from model.settings.train import TrainSettings

TEMPLATES = Path(__file__).parent / "templates"
MOST_CLASSES = 1_000  # rows of the table of classes; if there are more, it has SHOWN_CLASSES
SHOWN_CLASSES = 30
SIDES = ("train", "validation")  # keys of the data in metrics.json
AVERAGE = "average"  # key in metrics.json of a model whose weights are the mean of those of others


def model_card(
    settings: TrainSettings,
    heads: Heads,
    preprocessing: Preprocessing,
    metrics: Mapping[str, Any],
    decision: Decision = Decision(),
) -> str:
    """The README.md of a saved model, as Markdown.

    Args:
        settings: Settings of the run.
        heads: Heads of the network, with the label scheme.
        preprocessing: Size and channels of its images.
        metrics: Content of metrics.json.
        decision: How its probabilities become a class; the card names it if it is not the default.
    """
    validation = metrics.get("validation")
    return _render(
        "model_card.md.j2",
        name=settings.name,
        network="network without a backbone" if settings.fusion == METADATA_ONLY else f"`{settings.model}`",
        metadata=_metadata_text(settings),
        scheme=heads.scheme,
        heads=len(heads.heads),
        preprocessing=preprocessing,
        decision=_decision_text(decision),
        average=_average_text(metrics.get(AVERAGE)),
        metrics=metrics,
        data=metrics["data"],
        crops=crops_text(metrics["data"][CROPS]) if CROPS in metrics["data"] else "",
        validation=validation,
        best_criterion=settings.best_criterion,
        scores=_scores_table(validation) if validation else "",
        intervals=_intervals_text(validation, metrics["data"]["grouped_by"]) if validation else "",
        corrections=[_corrections_text(record) for record in metrics["data"].get("corrections", ())],
        cleaning=_cleaning_text(metrics["data"].get("cleaning")),
        split=_split_table(metrics["data"]),
        attributes=_attributes_table(validation[ATTRIBUTES]) if validation and ATTRIBUTES in validation else "",
        score_of_many=SCORE_OF_MANY if heads.scheme.is_large else "",
        classes=_classes_table(heads.scheme.class_names, metrics["data"]["train"]["class_counts"], validation),
        settings=chosen_settings(settings),
    )


def ensemble_card(
    name: str, scheme: Scheme, combination: str, members: Sequence[EnsembleMember], decision: Decision = Decision()
) -> str:
    """The README.md of an ensemble, as Markdown.

    Args:
        name: Title of the card.
        scheme: Labels of the ensemble's predictions.
        combination: How the members' predictions are combined, as text.
        members: Folders and weights.
        decision: How the probabilities become a class; the card names it if it is not the default.
    """
    return _render(
        "ensemble_card.md.j2",
        name=name,
        scheme=scheme,
        combination=combination,
        decision=_decision_text(decision),
        members=members,
        card=CARD,
    )


def _decision_text(decision: Decision) -> str:
    """The decision as text, "" for the default."""
    return "" if decision == Decision() else str(decision)


def _average_text(record: Mapping[str, Any] | None) -> str:
    """Of which models the weights are the mean, "" if they are of one training. record: AVERAGE of metrics.json."""
    if not record:
        return ""
    members = listing(f"{own['model']} (run {own['run']}, epoch {own['epoch']})" for own in record["members"])
    images = record["renewed_on"]
    renewed = f" The batch-norm statistics are of {images:,} training images." if images else ""
    return f"The weights are the mean of those of {len(record['members'])} models: {members}.{renewed}"


def _metadata_text(settings: TrainSettings) -> str:
    """Which metadata the network reads, "" if none."""
    if settings.fusion == NO_FUSION:
        return ""
    reads = "It reads only" if settings.fusion == METADATA_ONLY else "Beside the image it reads"
    columns = listing(settings.metadata_columns, len(settings.metadata_columns))
    return f"{reads} metadata, the columns {columns}; values that training did not have are unknown to it."


def cell_text(text: str) -> str:
    """The text as a value of a Markdown table."""
    return text.replace("|", "\\|")


def _render(template: str, **variables: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # takes 0.1 s, only needed here

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(variables)


def _scores_table(validation: Mapping[str, Any]) -> str:
    """The scores, with a column of intervals if there are any."""
    intervals = validation.get("intervals", {})
    rows = []
    for name, metric in sorted(CRITERIA.items()):
        if metric.score and name in validation:
            bounds = "{:.4f} to {:.4f}".format(*intervals[name]) if name in intervals else ""
            rows.append([metric.label, f"{validation[name]:.4f}", bounds])
    headers = ["score", "value", "95 % interval"]
    columns = len(headers) if intervals else len(headers) - 1
    return text_table(headers[:columns], [row[:columns] for row in rows], right=[1], style="pipe")


def _intervals_text(validation: Mapping[str, Any], grouped_by: str | None) -> str:
    """A sentence on the intervals: what they are computed over, or why there are none."""
    if validation.get("intervals"):
        return f"The intervals are computed over {f'groups of images by {grouped_by}' if grouped_by else 'images'}."
    why = "the validation images are from too few groups" if grouped_by else "there are too few validation images"
    return f"There are no intervals: {why}."


def _split_table(data: Mapping[str, Any]) -> str:
    """Images and groups of each side with their shares. data: as in metrics.json."""
    sides = {name: data[name] for name in SIDES if data[name]}
    keys = {"images": "pictures"} | ({"groups": "groups"} if data["grouped_by"] else {})
    rows = []
    for name, side in sides.items():
        row = [name]
        for key in keys.values():
            share = side[key] / max(sum(other[key] for other in sides.values()), 1)
            row += [f"{side[key]:,}", f"{100 * share:.1f}"]
        rows.append(row)
    headers = ["split", *(text for header in keys for text in (header, "%"))]
    return text_table(headers, rows, right=range(1, len(headers)), style="pipe")


def _corrections_text(record: Mapping[str, Any]) -> str:
    """What a log of corrections changed. record: CorrectionRecord.to_dict."""
    labels = listing(f"{name} {count:,}" for name, count in record["relabelled"].items() if count) or "none"
    changes = f"labels changed: {labels}; images left out: {record['deleted']:,}"
    pending = sum(record["rows"].get(action, 0) for action in PENDING)
    undecided = f"; reviewed without a decision: {pending:,}" if pending else ""
    return f"Labels were corrected by {record['file']} (BLAKE2b {record['hash']}): {changes}{undecided}."


def _cleaning_text(record: Mapping[str, Any] | None) -> str:
    """What --clean changed, "" without it. record: `cleaning` of the data in metrics.json."""
    if not record:
        return ""
    counts = ((name, own["relabelled"], own["dropped"]) for name, own in record["attributes"].items())
    changes = "; ".join(
        f"{name}: {relabelled:,} relabelled, {dropped:,} dropped" for name, relabelled, dropped in counts
    )
    seen, is_list = record["seen_validation"], record["predictions"] == "suspects"
    judges = "It was found with" if is_list else "Their models were trained on"
    leak = f" {judges} {seen:,} validation images too, so the scores may be too high." if seen else ""
    reason = "a list of suspects doubts" if is_list else "out-of-fold predictions contradict"
    return (
        f"Labels of training images were changed where {reason} them (BLAKE2b {record['hash']}), {changes}; "
        f"images left out: {record['left_out']:,}. Labels of validation images were not changed.{leak}"
    )


def _attributes_table(by_attribute: Mapping[str, Mapping[str, float]]) -> str:
    """Scores of each attribute; by_attribute: as in the validation of metrics.json."""
    rows = [
        [cell_text(name), f"{scores['accuracy']:.4f}", f"{scores['f1']:.4f}"] for name, scores in by_attribute.items()
    ]
    return text_table(["attribute", "accuracy", "macro F1"], rows, right=[1, 2], style="pipe")


def _classes_table(
    class_names: Sequence[str], class_counts: Sequence[int], validation: Mapping[str, Any] | None
) -> str:
    """Number of images of each class, and its scores if there was a validation. If there are more than MOST_CLASSES
    classes, the SHOWN_CLASSES with the most images."""
    headers = ["class", "name", "training images"]
    rows = [[str(code), cell_text(name), str(class_counts[code])] for code, name in enumerate(class_names)]
    if validation:
        headers += ["validation images", "F1", "precision", "recall"]
        per_class = validation["per_class"]
        for code, row in enumerate(rows):
            row.append(str(int(per_class["support"][code])))
            row += [f"{per_class[score][code]:.3f}" for score in ("f1", "precision", "recall")]
    if len(rows) > MOST_CLASSES:
        most = sorted(range(len(rows)), key=lambda code: -class_counts[code])[:SHOWN_CLASSES]
        others = f"... and {len(rows) - len(most):,} more, which metrics.json lists"
        rows = [rows[code] for code in most] + [["", others, *[""] * (len(headers) - 2)]]
    return text_table(headers, rows, right=[n for n in range(len(headers)) if n != 1], style="pipe")
