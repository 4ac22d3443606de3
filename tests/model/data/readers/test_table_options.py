from model.data.readers.columns import PICTURE_COLUMNS
from model.data.readers.table_options import TableOptions


def test_a_set_column_is_the_only_one_and_a_remembered_column_the_first():
    assert TableOptions().picture_columns == PICTURE_COLUMNS
    assert TableOptions(remembered_column="file").picture_columns == ("file", *PICTURE_COLUMNS)
    assert TableOptions(picture_column="id", remembered_column="file").picture_columns == ("id",)
