"""Messages: nearest names, shortened lists, problems collected by kind."""

from pathlib import Path

import pytest

from model.errors import InputError, Problems, did_you_mean, listing, nearest, nearest_path, raise_all


def test_a_long_list_is_shortened_and_its_rest_counted():
    assert listing([]) == ""
    assert listing([1, "b"]) == "1, b"
    assert listing("abc", most=3) == "a, b, c"
    assert listing(range(1_500), most=2) == "0, 1 and 1,498 more"


def test_nearest_names_of_files(tmp_path: Path) -> None:
    (tmp_path / "suspects.csv").touch()
    assert nearest_path(tmp_path / "suspect.csv") == "; nearest: suspects.csv"
    assert nearest_path(tmp_path / "suspects.csv") == nearest_path(tmp_path / "zzz") == ""
    assert nearest_path(tmp_path / "none" / "suspects.csv") == nearest_path(tmp_path / "suspects.csv" / "x") == ""


def test_problems_are_listed_by_kind_with_their_first_twenty_locations() -> None:
    problems = Problems("channel train")
    problems.raise_if_any()
    assert not problems
    problems.add("cannot be read", "a.jpg: truncated")
    for row in range(1, 1027):
        problems.add("unknown label", f"train.csv row {row}")
    problems.add("cannot be read", "b.jpg: empty")
    with pytest.raises(InputError) as caught:
        problems.raise_if_any()
    lines = str(caught.value).splitlines()
    assert len(problems) == 1028
    assert lines[:5] == [
        "channel train: 1,028 problems",
        "  cannot be read (2):",
        "    a.jpg: truncated",
        "    b.jpg: empty",
        "  unknown label (1,026):",
    ]
    assert lines[5] == "    train.csv row 1" and lines[24] == "    train.csv row 20"
    assert lines[25:] == ["    ... and 1,006 more"]


def test_one_problem_is_singular() -> None:
    problems = Problems("x")
    problems.add("kind", "place")
    assert str(problems) == "x: 1 problem\n  kind (1):\n    place"


def test_problems_of_another_collection_are_added() -> None:
    own, other = Problems("own"), Problems("other")
    for problems, location in ((own, "a"), (other, "b")):
        problems.add("kind", location, "advice")
    other.add("new kind", "c")
    own.extend(other)
    assert own.kinds == {"kind": ["a", "b"], "new kind": ["c"]} and own.advice == ["advice"]


def test_nearest_names() -> None:
    assert nearest("Bach_Size", ["batch_size", "epochs"]) == "batch_size"
    assert nearest("ADAM", ["AdamW", "sgd"]) == "AdamW"
    assert nearest("zzz", ["batch_size"]) is None and nearest("x", []) is None
    assert did_you_mean("epoch", ["epochs"]) == "; nearest: epochs" and did_you_mean("zzz", ["epochs"]) == ""
    assert listing(range(3)) == "0, 1, 2" and listing(range(1500), 2) == "0, 1 and 1,498 more"


def test_details_have_all_problems_if_the_message_is_shortened() -> None:
    few, many = Problems("few"), Problems("many")
    few.add("kind", "place")
    for row in range(25):
        many.add("kind", f"row {row}")
    with pytest.raises(InputError) as caught:
        raise_all([few, Problems("none"), many])
    assert caught.value.details == few.text() + "\n" + many.text()
    assert "row 24" in caught.value.details and "row 24" not in str(caught.value)
    assert str(caught.value) == f"{few}\n{many}" and "... and 5 more" not in caught.value.details
    with pytest.raises(InputError) as caught:
        few.raise_if_any()
    assert caught.value.details == ""
    raise_all([Problems("none")])


def test_advice_is_listed_once_at_the_end() -> None:
    problems = Problems("channel train")
    for row in range(25):
        problems.add("missing file", f"row {row}", "--missing skip")
    for kind in ("unreadable image, truncated", "unreadable image, empty file"):
        problems.add(kind, "a.jpg", "--unreadable skip")
    problems.add("unknown label", "row 3")
    lines = str(problems).splitlines()
    assert lines[-4:] == ["  unknown label (1):", "    row 3", "  --missing skip", "  --unreadable skip"]
    assert sum("skip" in line for line in lines) == 2
