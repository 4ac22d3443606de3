import pytest

from model.evaluation.picture_names import match_names, picture_key


@pytest.mark.parametrize(
    "name",
    [
        "p0.png",
        "./p0.png",
        "images/p0.png",
        "./images/p0.png",
        ".\\p0.png",
        "images\\p0.png",
        "/p0.png",
        "p0.PNG",
        "p0",
    ],
)
@pytest.mark.parametrize("known", ["p0.png", "images/p0.png", "p0.PNG"])
def test_a_name_is_found_by_another_spelling(name: str, known: str):
    match = match_names([name], ["p1.png", known, "p0.jpg.png"])
    assert match.rows.tolist() == [1] and not match.ambiguous and not match.shared
    assert match.respelled == ([] if name == known else [(name, known)])


def test_a_name_with_an_extension_finds_one_without():
    assert match_names(["a/p0.JPG", "a/p1.jpg"], ["a/p0", "p1"]).rows.tolist() == [0, -1]


@pytest.mark.parametrize("name", ["P0.png", "p0.jpg", "x/p0.png", "p", "p0.png.png", "deep/images/p0.png"])
def test_another_name_is_not_found(name: str):
    assert match_names([name], ["p0.png"]).rows.tolist() == [-1]


def test_an_exact_name_goes_first_and_is_never_ambiguous():
    match = match_names(["p0", "p0.png"], ["p0.png", "p0", "p0.jpg"])
    assert match.rows.tolist() == [1, 0] and not match.respelled and not match.ambiguous


def test_several_that_fit_are_ambiguous():
    match = match_names(["p0", "./p1.png"], ["p0.png", "p0.jpg", "p1.png", "images/p1.png"])
    assert match.rows.tolist() == [-1, -1]
    assert match.ambiguous == {"p0": ["p0.png", "p0.jpg"], "./p1.png": ["p1.png", "images/p1.png"]}


def test_names_that_fit_one_are_shared():
    match = match_names(["p0.png", "images/p0.png", "p1"], ["p0.png", "p1.png"])
    assert match.shared == {"p0.png": ["p0.png", "images/p0.png"]}


def test_nothing_is_found_in_nothing():
    assert match_names(["a"], []).rows.tolist() == [-1] and match_names([], ["a"]).rows.tolist() == []


def test_keys():
    assert picture_key(".\\images\\a\\B.JPG") == "a/B.jpg" and picture_key("a/../B.Txt") == "B.Txt"
