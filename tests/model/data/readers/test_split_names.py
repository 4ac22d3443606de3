import pytest

from model.data.readers.split_names import TRAIN, UNUSED, VALIDATION, side_of


@pytest.mark.parametrize(
    ("text", "side"),
    [("train", TRAIN), (" Training", TRAIN), ("VAL", VALIDATION), ("valid", VALIDATION), ("Test", UNUSED)],
)
def test_sides_are_read_in_any_letter_case(text: str, side: str):
    assert side_of(text) == side


@pytest.mark.parametrize("text", ["", "trian", "0", "fold1"])
def test_other_texts_are_not_splits(text: str):
    assert side_of(text) is None
