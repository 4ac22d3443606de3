import pytest

from model.errors import InputError
from model.evaluation.matching import match_answers
from model.evaluation.picture_names import match_names, picture_key
from tests.model.evaluation.conftest import KOREAN, write


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


def test_an_exact_name_is_preferred_and_never_ambiguous():
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


@pytest.mark.parametrize("name", ["a", "a.JPG", "./a.jpg", "images/a.jpg", ".\\a.jpg", "images\\a.Jpg"])
def test_another_spelling_of_a_name_is_the_same_image_with_a_note(files, name):
    probabilities = f"ImageID,{','.join(KOREAN.class_names)}\na.jpg,0,1,0\nb.jpg,1,0,0\n"
    answers = "ImageID,ans,site\nb.jpg,0,south\na.jpg,1,north\n"
    matched = match_answers(*files(f"ImageID,ans\n{name},1\nb.jpg,0\n", answers, probabilities=probabilities))
    assert matched.answers.tolist() == [1, 0] and matched.probabilities[:, 1].tolist() == [1, 0]
    assert matched.metadata == {"site": ["north", "south"]} and not matched.left_out
    notes = [f"image names spelled differently in out/output.csv: 1 of 2 ({name} is a.jpg there)"]
    assert matched.notes == notes


@pytest.mark.parametrize(
    ("truth", "answers", "message"),
    [
        ("A.JPG", "a.jpg", "expected image names such as A.JPG, found a.jpg; nearest: a.jpg"),
        ("x/a.jpg", "a.jpg", "expected image names such as x/a.jpg"),
        ("a", "a.jpg,0\na.png", "'a' in the true labels matches several names: a.jpg, a.png"),
        ("a.jpg,0\nimages/a.jpg", "a.jpg", "('a.jpg', 'images/a.jpg') match the same name 'a.jpg'"),
    ],
)
def test_names_that_fit_none_or_several_are_an_error(files, truth, answers, message):
    tables = files(f"ImageID,ans\n{truth},0\n", f"ImageID,ans\n{answers},0\n")
    with pytest.raises(InputError) as raised:
        match_answers(*tables)
    assert message in str(raised.value)
    with pytest.raises(InputError, match=r"old/o\.csv: "):
        other = write(tables[0].parent / "old" / "o.csv", f"ImageID,ans\n{answers},0\n")
        match_answers(tables[0], write(tables[1], f"ImageID,ans\n{truth},0\n"), other_file=other)
