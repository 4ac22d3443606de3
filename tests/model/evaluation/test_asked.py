"""Error and coverage of answers with advice to ask a person."""

import json
import re

import numpy as np
import pytest

from model.attributes import Attribute
from model.evaluation.asked import asked_scores, read_asked
from model.evaluation.evaluate import evaluate
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.matching import match_answers
from model.evaluation.report.render import render_report
from model.evaluation.summary import summary
from model.labels import Scheme
from model.metrics.proportions import share_intervals

KINDS = Scheme((Attribute("kind", ("cat", "dog", "owl")),))


def test_error_and_coverage_are_counted_per_predicted_class():
    truth, answers = np.array([0, 0, 1, 1, 2, 0]), np.array([0, 0, 0, 1, 1, -1])
    asked = np.array([False, False, True, True, True, True])
    scores = asked_scores(KINDS.class_names, truth, answers, asked, None, 0.95)
    assert list(scores.per_class) == ["cat", "dog"]  # owl is never predicted
    cat, dog, everything = scores.per_class["cat"], scores.per_class["dog"], scores.everything
    assert (cat.pictures, cat.answered, cat.error_of_all.value, cat.error.value) == (3, 2, pytest.approx(1 / 3), 0)
    assert cat.coverage.value == pytest.approx(2 / 3)
    assert (dog.pictures, dog.answered, dog.error, dog.error_of_all.value) == (2, 0, None, 0.5)
    assert (everything.pictures, everything.answered) == (5, 2)  # the image without a prediction is not counted
    assert everything.error_of_all.value == pytest.approx(2 / 5) and everything.coverage.value == pytest.approx(2 / 5)
    assert json.dumps(scores.to_dict())


def test_intervals_are_over_groups():
    generator = np.random.default_rng(0)
    groups, truth = np.repeat(np.arange(30), 5), np.zeros(150, np.int64)
    answers = np.repeat((generator.random(30) < 0.2).astype(np.int64), 5)
    asked = generator.random(150) < 0.3
    scores = asked_scores(KINDS.class_names, truth, answers, asked, groups, 0.9)
    from scipy import sparse

    own = ~asked[:, None]
    (expected,) = share_intervals(
        sparse.csr_array((own & (answers != 0)[:, None]).astype(float)),
        sparse.csr_array(own.astype(float)),
        groups,
        0.9,
    )
    assert scores.everything.error == expected
    single = asked_scores(KINDS.class_names, truth, answers, asked, None, 0.9).everything.error
    assert expected.high - expected.low > 1.5 * (single.high - single.low)


def table(column: str, rows: list[str]) -> str:
    return "\n".join([f"ImageID,predicted,{column},error", *rows, ""])


def test_the_advice_is_read_by_name(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text("\ufeff" + table("ask_person", ["b,cat,no,", "a,cat,yes,", "c,,,not an image"]), "utf-8")
    output = tmp_path / "output.csv"
    assert read_asked([output], ["a", "b", "c"]).tolist() == [True, False, True]
    assert read_asked([output], ["a", "x"]) is None
    path.write_text(table("ask_person", ["a,cat,perhaps,"]))
    assert read_asked([output], ["a"]) is None
    path.write_text(table("probability", ["a,cat,0.5,"]))
    assert read_asked([output], ["a"]) is None
    path.unlink()
    assert read_asked([output], ["a"]) is None


def test_an_evaluation_of_files_has_it_only_if_the_predictions_do(files):
    truth, answers = "ImageID,ans\nb,0\na,0\nc,1\n", "ImageID,ans\na,0\nb,1\nc,1\n"
    advice = table("ask_person", ["a,x,no,", "b,x,yes,", "c,x,no,"])
    paths = files(truth, answers, predictions=advice)
    matched = match_answers(*paths)
    assert matched.asked.tolist() == [True, False, False]
    content = evaluate(matched, resamples=0).to_dict()["ask_person"]
    assert content["answered"] == 2 and content["error"]["value"] == 0 and content["error_without"]["value"] == 1 / 3
    (paths[1].parent / "predictions.csv").unlink()
    without = evaluate(match_answers(*paths), resamples=0)
    assert "ask_person" not in without.to_dict() and "asking a person" not in summary(without)


def matched_images(asked: bool) -> MatchedAnswers:
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet([3, 1, 1], 120)
    truth = np.array([generator.choice(3, p=row) for row in probabilities])
    answers = np.zeros(120, np.int64)
    advice = probabilities[:, 0] < 0.6
    names = [f"{row}.jpg" for row in range(120)]
    return MatchedAnswers(
        KINDS, names, truth, answers, probabilities, groups=np.arange(120) // 4, group_column="person",
        group_names=[str(group) for group in range(30)], asked=advice if asked else None,
    )  # fmt: skip


def test_the_summary_and_the_page_show_it():
    matched = matched_images(asked=True)
    evaluation = evaluate(matched, resamples=50)
    asked = evaluation.asked.everything
    lines = next(part for part in summary(evaluation).split("\n\n") if part.startswith("asking a person")).splitlines()
    assert f"{asked.error.value:.4f}" in lines[-1] and f"{asked.coverage.value:.4f}" in lines[-1]
    page = render_report(evaluation, matched)
    assert '<h2 id="asking">' in page and "Error against coverage" in page
    # the table has the whole width of the page, and begins with what asking leaves
    section = page[page.index('<h2 id="asking">') :].split("</section>")[0]
    chart, table = section[section.index('<div class="side">') :].split("</figure>")
    assert table.strip().startswith("</div>") and "<table" in table and "<table" not in chart
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", table)
    assert cells[:4] == ["class", "answered, %", "error of these, %", "error of all, %"]
    (own,) = evaluation.asked.per_class.values()
    assert cells[9:12] == [f"{100 * one.value:.1f}" for one in (own.coverage, own.error, own.error_of_all)]
    assert '<h2 id="asking">' not in render_report(evaluate(matched_images(asked=False), resamples=50), matched)
