"""report.html as text: what it holds, and what it must not hold."""

import base64
import datetime
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from model.artifacts.provenance import Provenance
from model.attributes import Attribute
from model.evaluation.report.render import LARGE_CHARACTERS, SMALL_CHARACTERS
from model.evaluation.report.thumbnails import picture_folder
from model.evaluation.suspects import suspected_label_errors
from model.labels import Scheme, mask_scheme
from model.settings.choices import THUMBNAILS

SCRIPT = "<script>alert(1)</script>"
MOST = 5_000_000  # bytes


@pytest.fixture(scope="module")
def page(make_page):
    other = np.zeros(300, np.int64)
    return make_page(other=other, compared="before", made_on=datetime.date(2026, 11, 21))


def interval(score, form=".3f"):
    return f"{score.low:{form}} to {score.high:{form}}"


def test_the_page_begins_with_accuracy_macro_f1_and_the_weakest_classes(page):
    top = page.html[: page.html.index('id="confusion"')]
    accuracy, macro_f1 = (page.evaluation.joint.scores[name] for name in ("accuracy", "macro_f1"))
    assert f'<p class="big">{100 * accuracy.value:.1f}\u00a0%</p>' in top
    assert f"95\u00a0% interval {100 * accuracy.low:.1f}\u00a0% to {100 * accuracy.high:.1f}\u00a0%" in top
    assert f'<p class="big">{macro_f1.value:.3f}</p>' in top and f"interval {interval(macro_f1)}" in top
    worst = min(page.evaluation.joint.per_class.items(), key=lambda item: item[1].f1.value)
    assert f"<dt>{worst[0].replace('/', '/<wbr>')}</dt><dd>F1 {worst[1].f1.value:.2f} (" in top


def test_the_numbers_are_those_of_evaluation_json(page):
    block = json.loads(json.dumps(page.evaluation.to_dict()))
    rows = {row[0]: row[1:] for row in page.tables["Of all 300 images"]}
    for name, label in (("accuracy", "accuracy"), ("macro_f1", "macro F1"), ("gmean_f1", "geometric mean of F1")):
        assert rows[label] == [f"{block[name]['value']:.4f}", f"{block[name]['low']:.4f} to {block[name]['high']:.4f}"]
    by_class = {row[0]: row[2:] for row in page.tables["Lowest F1 first"]}
    for name, of in block["per_class"].items():
        f1, low, high = (f"{of['f1'][key]:.3f}" for key in ("value", "low", "high"))
        rest = [f"{of['precision']['value']:.3f}", f"{of['recall']['value']:.3f}", str(of["support"])]
        assert by_class[name] == [f1, f"{low} to {high}", *rest]
    ordered = [row[2] for row in page.tables["Lowest F1 first"][1:]]
    assert ordered == sorted(ordered)


@pytest.mark.parametrize("target", ["All attributes together", "mask", "age"])
def test_a_matrix_has_counts_and_shares_of_each_row(page, target):
    of = page.evaluation.attributes.get(target, page.evaluation.joint)
    rows = page.tables[f"{target}: rows are the true classes, columns the predicted classes"][2:]
    assert [row[0] for row in rows] == of.class_names
    for row, counts, name in zip(rows, of.confusion.toarray(), of.class_names, strict=True):
        support = of.per_class[name].support
        unanswered = support - counts.sum()
        message = [f"{n}{100 * n / support:.0f}" if n else "" for n in (*counts, unanswered)]
        assert [cell.replace("<1", "0") for cell in row[1:]] == [*message, str(support)]


def test_a_cell_lists_its_images_with_the_most_confident_mistakes_first(page):
    content = json.loads(re.search(r'<script type="application/json" id="content">(.*?)</script>', page.html)[1])
    matched, confusion = page.matched, page.evaluation.joint.confusion.toarray()
    cells = r'<td class="[^"]*(right|wrong) l[1-9]" data-list="All attributes together-(\d+)-(\d+)"'
    keys = re.findall(cells, page.html)
    assert len(keys) == np.count_nonzero(confusion)
    for kind, row, column in keys:
        title, total, order, shown = content["lists"][f"All attributes together-{row}-{column}"]
        row, column = int(row), int(column)
        assert title == f"{matched.scheme.class_names[row]}, predicted as {matched.scheme.class_names[column]}"
        assert total == confusion[row, column] and len(shown) == min(total, 12)
        assert all(matched.truth[p] == row and matched.answers[p] == column for p in shown)
        sure = [matched.probabilities[p, column] for p in shown]
        assert sure == sorted(sure, reverse=kind == "wrong")
        assert (order == "most confident first") == (kind == "wrong") == (row != column)
        assert [content["pictures"][str(p)][0] for p in shown] == [matched.names[p] for p in shown]


def test_groups_and_metadata_have_tables(page):
    worst = page.tables["Lowest accuracy"][1:]
    slices = {of.name: of for of in page.evaluation.by_group}
    assert len(worst) == 10
    assert [f"{100 * slices[row[0]].accuracy.value:.0f}\u00a0%" for row in worst] == [row[1] for row in worst]
    lowest = sorted(of.accuracy.value for of in slices.values())[:10]
    assert sorted(slices[row[0]].accuracy.value for row in worst) == lowest
    for row, of in zip(page.tables["site"][1:], page.evaluation.by_metadata["site"], strict=True):
        inside = f"{100 * of.accuracy.low:.1f} to {100 * of.accuracy.high:.1f}"
        assert [row[0], *row[2:]] == [of.name, f"{100 * of.accuracy.value:.1f}", inside, f"{of.pictures}"]


def test_the_reliability_curve_has_a_table_of_its_numbers(page):
    rows = page.tables["Bins of the curve"][1:]
    assert len(rows) == len(page.evaluation.reliability) > 3
    assert sum(int(row[3]) for row in rows) == 300
    assert f"The calibration error is {page.evaluation.calibration_error.value:.3f} (" in page.html


def test_a_comparison_names_the_other_predictions_and_its_verdict(page):
    gap = page.evaluation.compare["macro_f1"]
    table = page.tables["Difference: the scores of these predictions minus those of before, on the same resamples"]
    rows = {row[0]: row[2:] for row in table}
    assert rows["macro F1"] == [f"{gap.value:+.4f}", f"{gap.low:+.4f} to {gap.high:+.4f}", "better"]
    assert "is higher than that of before" in page.html


def test_the_page_says_how_the_model_was_trained(page):
    assert "<h1>Evaluation of exp</h1>" in page.html and "on 21 November 2026 with Rarebird" in page.html
    for text in ("1,890 images of 270 persons, profile folders", "highest macro F1 on 210 images of 30 other persons"):
        assert text in page.html
    assert "4 epochs, 71\u00a0s on CPU, 2 threads, fp32; the saved weights are those after epoch 3" in page.html
    settings = {row[0]: row[1] for row in page.tables["Settings that differ from their defaults"]}
    assert settings["input_size"] == "64 48" and settings["augmentation"] == "flip, erasing (p 0.25)"


def test_several_models_are_shown_next_to_each_other(make_page, page):
    one = page.matched.provenance.members[0]
    other = replace(one, name="fold1", settings={**one.settings, "sampler": "none", "lr": 0.01})
    result = make_page(provenance=Provenance("folds", 4, "their mean", (replace(one, name="fold0"), other)))
    settings = result.tables["Settings that differ from their defaults"]
    assert settings[0] == ["setting", "fold0", "fold1"]
    assert ["sampler", "imbalanced", "none"] in settings and ["input_size", "64 48"] in settings
    assert ["lr", "default", "0.01"] in settings
    assert "2 models. The prediction is their mean." in result.html and "4 views per image, combined" in result.html


def test_parts_without_data_are_left_out(make_page):
    result = make_page(probabilities=None, groups=None, group_column=None, group_names=[], metadata={}, provenance=None)
    parts = ("coverage", "calibration", "groups", "metadata", "mistakes", "examples", "comparison", "learning", "model")
    for part in parts:
        assert f'id="{part}"' not in result.html and f'href="#{part}"' not in result.html
    assert "<h1>Evaluation</h1>" in result.html
    without = make_page(resamples=0)
    assert "no intervals: resamples is 0" in without.html.lower() and "None" not in without.html


def test_the_first_lines_say_which_images_these_are(make_page):
    result = make_page(
        truth_source="gt/gt.csv",
        answers_source="validation/output.csv",
        held_out="validation",
        made_on=datetime.date(2026, 11, 21),
    )
    top = result.html[: result.html.index("<nav")]
    assert "True labels: gt/gt.csv. Predictions: validation/output.csv. Evaluated on 21 November 2026." in top
    assert "300 images of" in top and "They were also used to choose the epoch whose weights were saved" in top
    assert "did not learn from it" in make_page(held_out="out_of_fold").html
    plain = make_page().html
    assert '<p class="images">' not in plain and "selected the epoch" not in plain


def test_accuracy_against_coverage_has_a_sentence_and_a_table(page):
    points = page.evaluation.coverage
    eighty = next(point for point in points if point.coverage == pytest.approx(0.8))
    sentence = f"accuracy of the 80\u00a0% most confident predictions is {100 * eighty.accuracy.value:.1f}\u00a0%"
    assert sentence in page.html
    rows = page.tables["The most confident predictions"][1:]
    assert [row[0] for row in rows] == [str(share) for share in range(10, 101, 10)]
    assert [row[1] for row in rows] == [f"{100 * point.accuracy.value:.1f}" for point in points[1::2]]


def test_learning_curves_are_drawn_if_there_is_a_history(make_page, page):
    assert 'id="learning"' not in page.html
    member = page.matched.provenance.members[0]
    history = tuple({"epoch": n, "train_loss": 1 / n, "val_loss": 1 / n, "val_f1": 0.5, "val_acc": 0.5} for n in (1, 2))
    result = make_page(provenance=Provenance("exp", 1, "", (replace(member, history=history),))).html
    assert result.count('<svg class="lines"') == 1 + 2 and "Losses by epoch: train loss, val loss." in result


def test_two_models_are_compared_image_by_image(page):
    right, other_right = page.matched.correct, page.matched.truth == 0
    only = page.tables["Correct in this set of predictions, wrong in the compared set, the most confident"][1:]
    counts = [(right & other_right).sum(), (right & ~other_right).sum(), (~right & other_right).sum()]
    sentence = (
        f"Both are correct for {counts[0]} images, only these predictions for {counts[1]}, only before for {counts[2]}"
    )
    assert sentence in page.html and '<a href="compared.csv">' in page.html and len(only) == 20
    rows = [page.matched.names.index(row[0]) for row in only]
    assert all(right[row] and not other_right[row] for row in rows)


def test_suspected_label_errors_are_counted_and_linked(page, make_page):
    count = len(suspected_label_errors(page.matched))
    assert count > 1 and f"lists {count} suspected label errors" in page.html
    assert 'href="suspects.csv"' not in make_page(probabilities=None).html


def test_nothing_is_loaded_from_elsewhere(page):
    assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", page.html, re.IGNORECASE)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|<link", page.html)
    assert "default-src 'none'" in page.html


def test_names_from_the_data_are_escaped_everywhere(make_page):
    names = (SCRIPT, "</script><b>", 'a"onclick="x', "plain")
    matched = make_page(Scheme((Attribute("kind", names),))).matched
    hostile = '"><img src=x onerror=alert(2)>'
    member = replace(matched.provenance.members[0], settings={hostile: hostile}, hardware=hostile, source=SCRIPT)
    page = make_page(
        Scheme((Attribute("kind", names),)),
        names=[f"{SCRIPT}{hostile}{row}.jpg" for row in range(300)],
        group_names=[f"{hostile}{row}" for row in range(len(matched.group_names))],
        metadata={SCRIPT: [hostile, SCRIPT] * 150},
        provenance=Provenance(SCRIPT, 1, "", (member,)),
        notes=[SCRIPT],
        other=matched.truth,
        compared=SCRIPT,
    )
    assert page.html.count("<script") == 2 and page.html.count("</script>") == 2
    assert "<img" not in page.html and 'onclick="' not in page.html and "<b>" not in page.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.html
    content = re.search(r'id="content">(.*?)</script>', page.html)[1]
    assert "<" not in content and SCRIPT in json.loads(content)["pictures"]["0"][0]


@pytest.mark.parametrize(("classes", "table"), [(18, True), (200, False)])
def test_20_000_images_stay_under_5_mb(make_page, classes, table):
    scheme = mask_scheme() if classes == 18 else Scheme((Attribute("kind", tuple(f"kind {i:03}" for i in range(200))),))
    page = make_page(scheme, pictures=20_000, resamples=5)
    assert len(page.html.encode()) < MOST - LARGE_CHARACTERS - SMALL_CHARACTERS  # the thumbnails' room
    assert ('<table class="matrix' in page.html) == table == ('class="heat-map"' not in page.html)
    assert len(page.tables["Most frequent confusions"]) == (11 if table else 26)
    assert len(page.tables["Lowest F1 first"][1:]) == classes


def test_images_that_lack_labels_are_in_the_tables_of_their_attributes_only(make_page):
    joint = make_page(pictures=60).matched.truth
    parts = mask_scheme().split(joint)
    parts["age"] = np.where(np.arange(60) % 3 == 0, -1, parts["age"])
    truth = np.where(parts["age"] < 0, -1, joint)
    page = make_page(pictures=60, truth=truth, truth_by_attribute=parts)
    assert page.evaluation.partial == 20 and "40 images with a label" in page.html
    content = json.loads(page.html.split('id="content">')[1].split("</script>")[0])
    lists = [rows for key, (_, _, _, rows) in content["lists"].items() if key.startswith("mask-")]
    lacking = {row for rows in lists for row in rows if row % 3 == 0}
    names = {content["classes"][content["pictures"][str(row)][2]] for row in lacking}
    assert lacking and all(name.endswith("/no label") for name in names)
    others = [rows for key, (_, _, _, rows) in content["lists"].items() if not key.startswith(("mask-", "gender-"))]
    assert not [row for rows in others for row in rows if row % 3 == 0]
    on_page = [int(row) for row in re.findall(r'data-picture="(\d+)"', page.html)]
    assert not [row for row in on_page if row % 3 == 0]


def embedded_images(html):
    """Every image of a page, decoded: those of the HTML and those that its script shows."""
    uris = re.findall(r"data:image/[a-z]+;base64,([A-Za-z0-9+/=]+)", html)
    return [Image.open(io.BytesIO(base64.b64decode(uri))) for uri in uris]


@pytest.fixture(scope="module")
def pages_by_thumbnails(make_page, tmp_path_factory):
    """The same evaluation, compared with another, as a page of each kind of thumbnails."""
    root = tmp_path_factory.mktemp("images")
    matched = make_page(pictures=200).matched
    for row, name in enumerate(matched.names):
        Image.effect_noise((64, 48), 90).convert("RGB").save(root / name, quality=90 - row % 5)
    given = {"pictures": 200, "folder": picture_folder(root, matched.names), "other": np.zeros(200, np.int64)}
    return {kind: make_page(**given, thumbnails=kind, resamples=5) for kind in THUMBNAILS}


def test_blurred_thumbnails_have_at_most_8_pixels_per_side_everywhere(pages_by_thumbnails):
    """In galleries, in tables of the comparison, and in the lists that cells open."""
    full, blurred = (pages_by_thumbnails[kind].html for kind in ("full", "blurred"))
    assert min(max(image.size) for image in embedded_images(full)) == 64
    assert max(max(image.size) for image in embedded_images(blurred)) == 8
    assert len(embedded_images(full)) == len(embedded_images(blurred)) > 48
    for page in (full, blurred):
        content = json.loads(page.split('id="content">')[1].split("</script>")[0])
        gallery, comparison = (
            page.split(f'id="{name}"')[1].split("</section>")[0] for name in ("mistakes", "comparison")
        )
        assert content["thumbnails"] and 'width="64"' in gallery and 'width="64"' in comparison
    assert "The images are blurred." in blurred and "images are blurred" not in full


def test_without_thumbnails_there_are_names_and_labels_and_no_image_or_empty_frame(pages_by_thumbnails):
    full, none = (pages_by_thumbnails[kind] for kind in ("full", "none"))
    assert "data:image" not in none.html and "<img" not in none.html and '<p class="no-picture"' not in none.html
    assert "--pictures DIR" not in none.html and none.tables == full.tables
    names = [re.findall(r'<p class="file">([^<]*)</p>', page.html) for page in (none, full)]
    assert names[0] == names[1] and len(names[0]) == 48
    content = json.loads(none.html.split('id="content">')[1].split("</script>")[0])
    assert content["thumbnails"] == {} and content["lists"] and content["pictures"]


def test_compared_images_have_thumbnails_in_their_tables(make_page, tmp_path):
    names = [f"{row}.png" for row in range(60)]
    for name in names[:50]:
        Image.new("RGB", (40, 30)).save(tmp_path / name)
    folder = picture_folder(tmp_path, names)
    parts = mask_scheme().split(make_page(pictures=60).matched.truth)
    parts["age"] = np.where(np.arange(60) % 3 == 0, -1, parts["age"])  # every third is not compared
    given = {"truth": mask_scheme().joint(parts), "truth_by_attribute": parts, "other": np.zeros(60, np.int64)}
    given["truth"] = np.where(parts["age"] < 0, -1, given["truth"])
    page = make_page(pictures=60, names=names, folder=folder, **given)
    only = [row for caption, rows in page.tables.items() if "the compared set" in caption for row in rows[1:]]
    table = page.html[page.html.index('id="comparison"') : page.html.index('id="scores"')]
    shown = re.findall(
        r'<img src="data:image/jpeg;base64,[^"]+" width="40" height="30" alt="" data-picture="(\d+)">', table
    )
    assert shown == [str(names.index(row[0])) for row in only if row[0] in names[:50]] and len(shown) > 10
    assert all(row[1] == page.matched.true_name(names.index(row[0])) for row in only)
    assert not [row for row in only if names.index(row[0]) % 3 == 0]
    content = json.loads(re.search(r'<script type="application/json" id="content">(.*?)</script>', page.html)[1])
    assert all(content["pictures"][row][0] == names[int(row)] and row not in content["thumbnails"] for row in shown)
