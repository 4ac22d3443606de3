import numpy as np
import pytest

from model.attributes import Attribute
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.report.confusion import make_matrix
from model.evaluation.report.picture_lists import MOST_IN_LIST, PictureLists
from model.evaluation.report.thumbnails import Thumbnail
from model.labels import Scheme

SCHEME = Scheme((Attribute("kind", ("a", "b")),))


def matched(confidences: list[float]) -> MatchedAnswers:
    """Images of class b, each answered a with one of the probabilities."""
    answered = np.zeros(len(confidences), np.int64)
    probabilities = np.column_stack([confidences, 1 - np.array(confidences)])
    names = [f"{row}.jpg" for row in range(len(confidences))]
    return MatchedAnswers(SCHEME, names, np.ones_like(answered), answered, probabilities)


def test_lists_without_probabilities_are_in_the_order_of_the_true_labels(make_page):
    page = make_page(SCHEME, pictures=60, probabilities=None)
    lists = PictureLists(page.matched)
    make_matrix("kind", SCHEME, page.evaluation.joint, page.matched.truth, page.matched.answers, lists)
    title, total, order, rows = lists.content({}, [])["lists"]["kind-0-1"]
    assert (title, order) == ("a, predicted as b", "") and rows == sorted(rows) and len(rows) == min(total, 12)


@pytest.mark.parametrize(
    ("wrong", "order", "rows"), [(True, "most confident first", [2, 0, 1]), (False, "least confident first", [1, 0, 2])]
)
def test_wrong_predictions_are_listed_by_decreasing_confidence_and_correct_ones_by_increasing(wrong, order, rows):
    lists = PictureLists(matched([0.6, 0.5, 0.9, 0.7]))
    assert lists.add("key", "a title", np.array([True, True, True, False]), wrong) == "key"
    assert lists.content({}, [])["lists"]["key"] == ["a title", 3, order, rows]


def test_the_first_images_of_long_lists_of_mistakes_are_the_most_interesting():
    count = 3 * MOST_IN_LIST
    lists = PictureLists(matched(np.linspace(0.9, 0.6, count).tolist()))
    lists.add("right", "", np.arange(count) >= MOST_IN_LIST, wrong=False)
    lists.add("few", "", np.arange(count) < 3, wrong=True)
    lists.add("many", "", np.arange(count) < MOST_IN_LIST, wrong=True)
    names = [int(name.removesuffix(".jpg")) for name in lists.by_interest()]
    assert names[:11] == [0, 1, 2, 3, 0, 1, 2, 35, 34, 33, 32]
    assert names[11:] == [4, 5, 6, 7, 31, 30, 29, 28, 8, 9, 10, 11, 27, 26, 25, 24]


def test_a_thumbnail_is_in_the_content_once():
    lists = PictureLists(matched([0.6, 0.5, 0.9]))
    lists.add("key", "", np.array([True, True, True]), wrong=True)
    thumbnails = {name: Thumbnail(f"data:{name}", 1, 1) for name in ("0.jpg", "2.jpg")}
    content = lists.content(thumbnails, shown=[2])
    assert content["thumbnails"] == {0: "data:0.jpg"}
    assert [content["pictures"][row][:2] for row in range(3)] == [["0.jpg", 0.6], ["1.jpg", 0.5], ["2.jpg", 0.9]]


def test_an_image_has_its_true_class_and_its_most_probable_ones_by_name():
    content = PictureLists(matched([0.6, 0.9])).content({}, shown=[1])
    assert list(content["pictures"]) == [1]
    name, confidence, truth, top = content["pictures"][1]
    named = [(content["classes"][code], share) for code, share in top]
    assert (name, confidence, content["classes"][truth]) == ("1.jpg", 0.9, "b") and named == [("a", 0.9), ("b", 0.1)]
