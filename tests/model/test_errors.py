"""Messages: nearest names, shortened lists, problems collected by kind."""

import pytest

from model.errors import InputError, Problems, did_you_mean, listing, nearest


def test_the_nearest_name_is_found_in_any_letter_case():
    assert nearest("LEARNING_RATE", ["lr", "learning_rates", "epochs"]) == "learning_rates"
    assert nearest("epoch", ["lr", "Epochs"]) == "Epochs"
    assert nearest("xyz", ["lr", "epochs"]) is None
    assert did_you_mean("epoch", ["lr", "Epochs"]) == "; nearest: Epochs"
    assert did_you_mean("xyz", ["lr", "epochs"]) == ""


def test_a_long_list_is_cut_and_its_rest_counted():
    assert listing([]) == ""
    assert listing([1, "b"]) == "1, b"
    assert listing("abc", most=3) == "a, b, c"
    assert listing(range(1_500), most=2) == "0, 1 and 1,498 more"


def test_problems_come_by_kind_each_with_its_first_twenty_and_a_count():
    problems = Problems("channel train")
    assert not problems and len(problems) == 0
    problems.raise_if_any()
    problems.add("missing file", "row 2: a.jpg")
    assert str(problems) == "channel train: 1 problem\n  missing file (1):\n    row 2: a.jpg"
    for row in range(21):
        problems.add("empty label", f"row {row}")
    problems.add("missing file", "row 9: b.jpg")
    with pytest.raises(InputError) as error:
        problems.raise_if_any()
    lines = str(error.value).splitlines()
    assert lines[:4] == ["channel train: 23 problems", "  missing file (2):", "    row 2: a.jpg", "    row 9: b.jpg"]
    assert lines[4] == "  empty label (21):" and lines[-2:] == ["    row 19", "    ... and 1 more"]
    assert len(problems) == 23
