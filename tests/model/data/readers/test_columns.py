import unicodedata

from model.data.readers.columns import column_named


def test_the_first_name_that_is_a_column_wins_in_the_spelling_of_the_header():
    header = ["Path", "image_name", "IMAGEID"]
    assert column_named(header, "ImageID", "image_name", "path") == "IMAGEID"
    assert column_named(header, "none", "path") == "Path"
    assert column_named(header, "none") is None and column_named([], "path") is None


def test_white_space_and_unicode_form_do_not_count():
    decomposed = unicodedata.normalize("NFD", "이름")
    assert column_named([" label ", decomposed], "이름") == decomposed
    assert column_named([" label "], "label") == " label "


def test_of_columns_that_differ_in_letter_case_the_one_of_the_same_is_meant_else_the_first():
    assert column_named(["Label", "label"], "label") == "label"
    assert column_named(["label", "Label"], "Label") == "Label"
    assert column_named(["Label", "LABEL"], "label") == "Label"
    assert column_named(["class", "Label"], "label", "class") == "Label"
