"""report.html: the whole evaluation as one page that needs no network and no other file."""

from __future__ import annotations

import base64
import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from model import __version__
from model.artifacts.provenance import Provenance
from model.data.readers.channel_files import ChannelFiles
from model.evaluation.evaluate import Evaluation, Scores
from model.evaluation.matching import MatchedAnswers
from model.evaluation.report import charts, sentences
from model.evaluation.report.confusion import Matrix, make_matrix
from model.evaluation.report.picture_lists import PictureLists
from model.evaluation.report.thumbnails import Thumbnail, thumbnails
from model.evaluation.subgroups import MOST_VALUES, Subgroup
from model.evaluation.summary import LABELS, intervals, labelled_scores, notes_of, verdict
from model.labels import JOIN, Scheme
from model.metrics.scores import NO_ANSWER
from model.settings.fields import value_text

TEMPLATES = Path(__file__).parent / "templates"
JOINT = "All attributes together"
MISTAKES = 24
WORST_GROUPS = 10
ROWS_UNFOLDED = 24  # classes; with more the better ones are folded away
FEW, MANY = 6, 12  # classes: a matrix of at most FEW has large cells, one of more than MANY takes the page's width
ROOM = 1_600_000  # characters of all thumbnails


@dataclass(frozen=True)
class Target:
    """The joint class or an attribute. worst_first: its classes with truth by rising F1, then those without."""

    name: str
    scores: Scores
    matrix: Matrix
    worst_first: list[str]


@dataclass(frozen=True)
class Mistake:
    """truth, answer: each attribute's value and whether the two differ in it. confidence: of the answer."""

    row: int
    name: str
    truth: list[tuple[str, bool]]
    answer: list[tuple[str, bool]]
    confidence: float
    thumbnail: Thumbnail | None


@dataclass(frozen=True)
class Group:
    slice: Subgroup
    key: str


def report(
    evaluation: Evaluation,
    joined: MatchedAnswers,
    pictures: ChannelFiles | None = None,
    compared: str | None = None,
    made_on: datetime.date | None = None,
) -> str:
    """HTML. pictures: where the pictures lie, for thumbnails (thumbnails.picture_folder); compared: what to call the
    answers compared with; made_on: the day that the page tells."""
    lists = PictureLists(joined)
    scheme = joined.scheme
    joint = scheme.names[0] if len(scheme.attributes) == 1 else JOINT
    targets = [_target(joint, scheme, evaluation.joint, joined, lists)]
    targets += [_target(name, scheme.only(name), of, joined, lists) for name, of in evaluation.attributes.items()]
    groups = _worst_groups(evaluation.by_group, joined, lists)
    rows = _surest_mistakes(joined, lists.confidence)
    shown = [joined.names[row] for row in rows]
    small = thumbnails(pictures, list(dict.fromkeys([*shown, *lists.by_interest()])), ROOM) if pictures else {}
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    template = _environment().get_template("report.html.j2")
    return template.render(
        evaluation=evaluation,
        joined=joined,
        made=joined.provenance,
        settings=_settings(joined.provenance) if joined.provenance else {},
        title=f"Evaluation of {joined.provenance.model}" if joined.provenance else "Evaluation",
        subject=sentences.subject(evaluation, scheme, joined.group_column),
        intervals=intervals(evaluation),
        confidence=f"{100 * evaluation.confidence:g}{sentences.SPACE}%",
        notes=notes_of(evaluation),
        held_back_by=sentences.held_back_by(evaluation.joint),
        targets=targets,
        points=charts.reliability_points(evaluation.reliability),
        bars=charts.spread(evaluation.by_group) if evaluation.by_group else [],
        groups=groups,
        noun=sentences.groups_noun(joined.group_column),
        columns_left_out=[name for name in joined.metadata if name not in evaluation.by_metadata],
        mistakes=[_mistake(row, joined, lists.confidence[row], small) for row in rows],
        with_pictures=pictures is not None,
        compared=compared or "the others",
        differences={LABELS[name]: gap for name, gap in (evaluation.compare or {}).items()},
        scores=labelled_scores(evaluation),
        content=lists.content(small, set(shown)),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        version=__version__,
        made_on=made_on,
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}
    environment.filters.update(
        count=sentences.count,
        percent=sentences.percent,
        score=sentences.score,
        span=sentences.span,
        points=sentences.points,
        difference=sentences.difference,
        breakable=breakable,
    )
    environment.globals.update(
        sentences=sentences,
        widest=charts.widest,
        verdict=verdict,
        rows_unfolded=ROWS_UNFOLDED,
        few=FEW,
        many=MANY,
        most_values=MOST_VALUES,
    )
    return environment


def _target(name: str, scheme: Scheme, scores: Scores, joined: MatchedAnswers, lists: PictureLists) -> Target:
    truth, answers = joined.truth, joined.answers
    if scheme.names != joined.scheme.names:
        truth = joined.scheme.split(truth)[scheme.names[0]]
        answers = np.where(answers == NO_ANSWER, NO_ANSWER, joined.scheme.split(answers)[scheme.names[0]])
    ordered = sorted(scores.per_class, key=lambda of: (not scores.per_class[of].support, scores.per_class[of].f1.value))
    return Target(name, scores, make_matrix(name, scheme, scores, truth, answers, lists), ordered)


def _worst_groups(slices: Sequence[Subgroup], joined: MatchedAnswers, lists: PictureLists) -> list[Group]:
    worst = sorted((of for of in slices if of.correct < of.pictures), key=lambda of: (of.accuracy.value, -of.pictures))
    found = []
    for of in worst[:WORST_GROUPS]:
        wrong = (joined.groups == joined.group_names.index(of.name)) & ~joined.correct
        title = f"{joined.group_column} {of.name}, answered wrong"
        found.append(Group(of, lists.add(f"group {of.name}", title, wrong, wrong=True)))
    return found


def _surest_mistakes(joined: MatchedAnswers, confidence: np.ndarray) -> list[int]:
    """Rows of the wrong answers with the highest probabilities; none where there are no probabilities."""
    wrong = np.flatnonzero(~joined.correct & ~np.isnan(confidence))
    return wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES].tolist()


def _mistake(row: int, joined: MatchedAnswers, confidence: float, small: dict[str, Thumbnail]) -> Mistake:
    truth, answer = (joined.scheme.split(int(classes[row])) for classes in (joined.truth, joined.answers))
    values = {attribute.name: attribute.values for attribute in joined.scheme.attributes}
    differs = {name: truth[name] != answer[name] for name in values}
    name = joined.names[row]
    return Mistake(
        row,
        name,
        [(values[of][truth[of]], differs[of]) for of in values],
        [(values[of][answer[of]], differs[of]) for of in values],
        float(confidence),
        small.get(name),
    )


def _settings(made: Provenance) -> dict[str, list[str]]:
    """By setting, its value in each member; "default" where a member has the default."""
    names = dict.fromkeys(name for member in made.members for name in member.settings)
    return {
        name: [value_text(of.settings[name]) if name in of.settings else "default" for of in made.members]
        for name in names
    }


def breakable(name: str) -> Markup:
    """A name that may be broken between the values of its attributes."""
    return Markup(f"{JOIN}<wbr>").join(name.split(JOIN))
