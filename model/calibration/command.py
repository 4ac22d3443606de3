"""`python -m model decide`: fits the decision of a saved model or an ensemble on predictions for held-out images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from model.answers.files import answers_file
from model.artifacts.ensemble import Ensemble, load
from model.artifacts.saved_decision import save_decision
from model.artifacts.saved_model import SavedModel
from model.calibration.answers_check import check_answers, warn_of_other_model
from model.calibration.fit import NONE, OPTIMISE, FittedDecision, Goal, fit_decision
from model.calibration.held_out import HeldOut
from model.calibration.prior_correction import read_shares
from model.calibration.score_biases import F1
from model.calibration.tables import fitted_text
from model.decisions import Ask
from model.evaluation.answer_tables import TruthReading
from model.evaluation.matching import match_answers
from model.evaluation.truth import truth_location
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = """python -m model decide MODEL --answers DIR [--promise 0.1] [--optimise f1|gmean|none] [--shares FILE]

Fits the decision of a saved model or an ensemble on predictions for images that it was not trained on, prints scores
with and without it on groups (such as persons) that it was not fitted on, and writes decision.json into MODEL. DIR has
output.csv and probabilities.csv as inference.py writes them, for the same model and number of views. docs/decisions.md
describes the methods.

    python -m model decide runs/faces --answers runs/faces.validation
    python -m model decide runs/faces --answers output --ground_truth data/gt --promise 0.1"""

BIASES_BEFORE = (
    "the model's present decision has other biases (of an earlier decide, or of its training's decision_args), which "
    "are not used any more: predictions change"
)


@dataclass(frozen=True)
class DecideSettings:
    model: list[str] = setting([], "folder of the saved model or ensemble", section="Decision", positional=True)
    answers: str | None = setting(None, "predictions for held-out images: a folder with output.csv, or its path")
    ground_truth: str | None = setting(
        None, "table or folder with the true labels", unset="gt.csv in the folder of the predictions"
    )
    promise: float | None = setting(
        None,
        "share of wrong answers per class above which to ask a person, such as 0.1",
        unset="no person is asked",
        low=0,
        high=1,
    )
    optimise: str | None = setting(
        None,
        "score that class biases are fitted for; " + "; ".join(f"{name}: {text}" for name, text in OPTIMISE.items()),
        choices=OPTIMISE,
        unset="f1; none with promise or shares",
    )
    shares: str | None = setting(
        None, "YAML or JSON file with the share of each class where the model is used", unset="as in the predictions"
    )
    group_column: str | None = setting(None, "column of groups in the true labels", unset="one of a usual name")
    dry_run: bool = setting(False, "print the tables, but write nothing")

    @property
    def goal_score(self) -> str:
        """The setting optimise, or its default."""
        return self.optimise or (F1 if self.promise is None and self.shares is None else NONE)

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if len(self.model) != 1:
            yield f"expected one saved model or ensemble, not {len(self.model)}"
        if not self.answers:
            yield "--answers DIR is missing: predictions for images that the model was not trained on"
        if self.promise is not None and not 0 < self.promise < 1:
            yield f"promise must be above 0 and below 1, not {self.promise:g}"
        if self.shares and self.goal_score != NONE:
            yield f"shares and optimise {self.optimise} both set the biases; set only one of them"
        if self.shares and self.promise is not None:
            yield "promise and shares cannot be combined: the promise holds at the class shares of the predictions"


def fit_on_answers(
    model: SavedModel | Ensemble,
    answers: Path,
    truth: Path,
    goal: Goal,
    group_column: str | None = None,
) -> tuple[FittedDecision, HeldOut]:
    """Fits a decision on a file of predictions.

    Args:
        model: The model that the decision is for.
        answers: Path of output.csv, next to probabilities.csv.
        truth: Table or folder of the true labels, as truth_location returns it.
        goal: What to fit.
        group_column: Column of groups; None for one of a usual name.

    Returns:
        The decision, and the predictions that it was fitted on.

    Raises:
        InputError: What match_answers, check_answers and fit_decision raise.
    """
    matched = match_answers(truth, answers, group_column=group_column, reading=TruthReading())
    check_answers(model, matched, answers, truth)
    warn_of_other_model(model, matched, answers, promises=goal.promise is not None)
    held_out = HeldOut.from_matched(matched)
    fitted = fit_decision(held_out, goal)
    if isinstance(fitted.decision, Ask) and matched.provenance:
        fitted = replace(fitted, decision=replace(fitted.decision, views=matched.provenance.views))
    return fitted, held_out


def main(argv: Sequence[str]) -> int:
    settings = from_flags(DecideSettings, argv, USAGE)
    model, answers = load(Path(settings.model[0])), answers_file(Path(settings.answers or ""))
    truth = truth_location(Path(settings.ground_truth) if settings.ground_truth else answers.parent)
    shares = read_shares(Path(settings.shares), model.scheme) if settings.shares else None
    goal = Goal(settings.goal_score, settings.promise, shares)
    fitted, held_out = fit_on_answers(model, answers, truth, goal, settings.group_column)
    print(fitted_text(fitted, held_out))
    if model.decision.biases not in ((), fitted.decision.biases):
        print(f"\n{BIASES_BEFORE}")
    if not settings.dry_run:
        save_decision(model, fitted.decision)
        print(f"\nwrote {model.folder / 'decision.json'}: {fitted.decision.rule}")
    return 0
