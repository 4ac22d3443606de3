"""Model cards, the README.md of a saved model or ensemble: data, scores, settings, and how to use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from model.artifacts.ensemble_file import EnsembleMember
from model.artifacts.files import CARD
from model.images.preprocessing import Preprocessing
from model.labels import Scheme
from model.metrics.epoch_metrics import CRITERIA
from model.network.heads import Heads
from model.settings.fields import differences
from model.settings.train import TrainSettings

USE = (
    "## Use",
    "",
    "```",
    "SM_CHANNEL_MODEL=<this folder> SM_CHANNEL_EVAL=<pictures> SM_OUTPUT_DATA_DIR=output python inference.py",
    "```",
)


def model_card(settings: TrainSettings, heads: Heads, preprocessing: Preprocessing, metrics: Mapping[str, Any]) -> str:
    """Markdown from what metrics.json holds (saved_model.METRICS)."""
    data, validation = metrics["data"], metrics.get("validation")
    scheme = heads.scheme
    size = (
        f"{preprocessing.height} x {preprocessing.width} pixels, {'colour' if preprocessing.channels == 3 else 'grey'}"
    )
    lines = [
        f"# {settings.name}",
        "",
        f"Tells {', '.join(scheme.names)} of a picture: {scheme.num_classes} classes, a `{settings.model}` with "
        f"{'one head' if len(heads.heads) == 1 else f'{len(heads.heads)} heads'}, pictures seen at {size}.",
        "",
        "" if metrics["finished"] else "Training was stopped before its end; these are the best weights until then.\n",
        "## Scores",
        "",
    ]
    if validation:
        lines += [
            f"On the validation pictures ({data['validation']['pictures']:,}), after epoch {metrics['epoch']}, the one "
            f"that scored best by {settings.best_criterion}:",
            "",
            tabulate(
                [
                    [metric.label, validation[name]]
                    for name, metric in sorted(CRITERIA.items())
                    if metric.score and name in validation
                ],
                headers=["score", "value"],
                tablefmt="pipe",
                floatfmt=".4f",
            ),
            "",
            "They chose the weights and are therefore a little too good; `evaluation.py` scores pictures that nothing "
            "was chosen by.",
        ]
    else:
        why = "Training ended before the first" if data["validation"] else "There was no"
        lines.append(f"{why} validation: nothing is known of how good it is. `evaluation.py` tells.")
    rows = []
    for code, name in enumerate(scheme.class_names):
        row: list[Any] = [code, cell_text(name), data["train"]["class_counts"][code]]
        if validation:
            by_class = validation["per_class"]
            row += [
                int(by_class["support"][code]),
                by_class["f1"][code],
                by_class["precision"][code],
                by_class["recall"][code],
            ]
        rows.append(row)
    headers = ["class", "name", "training pictures"]
    headers += ["validation pictures", "F1", "precision", "recall"] if validation else []
    chosen = {key: value for key, value in differences(settings).items() if value is not None}
    lines += [
        "",
        "## Classes",
        "",
        tabulate(rows, headers=headers, tablefmt="pipe", floatfmt=".3f"),
        "",
        "## Data",
        "",
        f"{data['train']['pictures']:,} pictures"
        + (f" of {data['train']['groups']:,} groups by {data['grouped_by']}" if data["grouped_by"] else "")
        + f", read from {data['source']}.",
        "",
        "## Settings",
        "",
        "Those that differ from the defaults; settings.yaml holds all.",
        "",
        *(f"- `{key}`: `{value}`" for key, value in chosen.items()),
        "",
        *USE,
        "",
        "```python",
        "from model.prediction import predict",
        'predict("<this folder>", ["picture.jpg"])  # a DataFrame: class, name, probabilities',
        "```",
        "",
        "The score of a class with few training pictures is uncertain; look at its interval before relying on it. "
        "Pictures that differ from the training data (another camera, other people) are answered as surely as those "
        "that do not.",
        "",
        "## Made with",
        "",
        ", ".join(f"{name} {version}" for name, version in metrics["versions"].items())
        + f"; {metrics['hardware']}; {metrics['seconds']:.0f} s of training.",
    ]
    return "\n".join(lines) + "\n"


def ensemble_card(name: str, scheme: Scheme, combination: str, members: Sequence[EnsembleMember]) -> str:
    """The README.md of an ensemble.

    Args:
        name: title of the card.
        scheme: labels of the ensemble's answer.
        combination: how the members' answers become one, in words.
        members: folders and weights.
    """
    lines = [
        f"# {name}",
        "",
        f"Tells {', '.join(scheme.names)} of a picture: {scheme.num_classes} classes. Its answer is {combination}.",
        "",
        "| member | weight |",
        "| --- | --- |",
        *(f"| [{member.path}]({member.path}/{CARD}) | {member.weight:g} |" for member in members),
        "",
        *USE,
    ]
    return "\n".join(lines) + "\n"


def cell_text(text: str) -> str:
    """Text in a Markdown table."""
    return text.replace("|", "\\|")
