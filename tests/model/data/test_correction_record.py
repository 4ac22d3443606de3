"""Records of corrections: sentences, and sums over channels."""

from model.data.correction_record import CorrectionRecord, merged
from model.data.corrections import Correction

RECORD = CorrectionRecord(
    "fixes.csv",
    "0123456789abcdef",
    relabelled={"gender": 7, "age": 1, "mask": 0},
    deleted=3,
    rows={"relabel": 4, "marked": 2, "unsure": 1, "keep": 5},
    outdated=("fixes.csv line 4: a.jpg, gender male then",),
    disagreements=1,
)


def test_sentences():
    assert RECORD.text() == "fixes.csv (01234567) changed 8 labels (gender 7, age 1) and left out 3 images"
    assert CorrectionRecord("fixes.csv", "").text() == "fixes.csv changed 0 labels"
    assert RECORD.details() == [
        "3 rows without a decision (marked or unsure) changed nothing",
        "reviewers disagree about 1 label; the latest row is used",
        "1 row of a review of other labels than the present ones, used all the same: "
        "fixes.csv line 4: a.jpg, gender male then",
    ]
    assert RECORD.changes == 11


def test_the_content_of_metrics_json_names_no_image():
    assert RECORD.to_dict() == {
        "file": "fixes.csv",
        "hash": "0123456789abcdef",
        "relabelled": {"gender": 7, "age": 1, "mask": 0},
        "deleted": 3,
        "repaired": 0,
        "groups": 0,
        "rows": {"relabel": 4, "marked": 2, "unsure": 1, "keep": 5},
        "outdated": 1,
        "elsewhere": 0,
        "disagreements": 1,
    }


def test_records_of_channels_are_added_and_a_row_is_elsewhere_only_if_no_channel_has_its_image():
    rows = [Correction(name, "", "gender", "keep") for name in ("a", "b", "c")]
    one = CorrectionRecord("f", "1", {"gender": 1}, deleted=1, rows={"keep": 1}, elsewhere=(rows[0], rows[1]))
    two = CorrectionRecord("f", "1", {"gender": 2, "age": 1}, rows={"keep": 1}, elsewhere=(rows[1], rows[2]))
    both = merged([one, two])
    assert (both.relabelled, both.deleted, both.rows) == ({"gender": 3, "age": 1}, 1, {"keep": 2})
    assert both.elsewhere == (rows[1],)
    assert merged([RECORD]) == RECORD
