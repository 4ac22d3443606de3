import unicodedata

from model.data.readers.columns import column_named


def test_the_first_name_that_is_a_column_is_returned_as_the_header_spells_it():
    header = ["Path", "image_name", "IMAGEID"]
    assert column_named(header, "ImageID", "image_name", "path") == "IMAGEID"
    assert column_named(header, "none", "path") == "Path"
    assert column_named(header, "none") is None and column_named([], "path") is None


def test_white_space_and_unicode_form_are_ignored():
    decomposed = unicodedata.normalize("NFD", "이름")
    assert column_named([" label ", decomposed], "이름") == decomposed
    assert column_named([" label "], "label") == " label "


def test_a_column_in_the_same_letter_case_is_preferred():
    assert column_named(["Label", "label"], "label") == "label"
    assert column_named(["label", "Label"], "Label") == "Label"
    assert column_named(["Label", "LABEL"], "label") == "Label"
    assert column_named(["class", "Label"], "label", "class") == "Label"
