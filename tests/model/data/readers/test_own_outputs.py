import logging
from pathlib import Path

import pytest

from model.answers.files import ERRORS, LEARNT_FROM_CSV, OUTPUT, PROBABILITIES
from model.answers.files import TRUTH as TRUTH_FILE
from model.data.checked_tables import UNREADABLE_CSV
from model.data.corrections import CORRECTION_COLUMNS
from model.data.readers.own_outputs import BESIDE_ANSWERS, OWN_OUTPUTS, TRUTH, input_tables


def test_the_names_match_the_files_of_predictions():
    assert {OUTPUT, PROBABILITIES, ERRORS, LEARNT_FROM_CSV, UNREADABLE_CSV} < set(OWN_OUTPUTS) and TRUTH == TRUTH_FILE
    assert {f".{PROBABILITIES}", f".{ERRORS}"} < set(BESIDE_ANSWERS)


@pytest.mark.parametrize(
    ("tables", "left"),
    [
        (["info.csv", "output.csv", "Probabilities.csv", "errors.csv", "predictions.csv", "split.csv"], ["info.csv"]),
        (["output.csv"], []),
        (["a.csv", "a.probabilities.csv", "a.errors.csv", "b.csv"], ["b.csv"]),
        (["info.csv", "info.probabilities.csv"], ["info.csv"]),
        (["gt.csv"], ["gt.csv"]),
        (["gt.csv", "my.tsv", "output.csv"], ["my.tsv"]),
    ],
)
def test_files_that_rarebird_wrote_are_not_input(
    tables: list[str], left: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO, "rarebird"):
        assert input_tables(tables, tmp_path) == left
    assert len(caplog.messages) == (len(tables) > len(left))


@pytest.mark.parametrize(
    ("header", "is_log"),
    [
        (",".join(CORRECTION_COLUMNS), True),
        ('\ufeff"Path";"attribute";"action";"value"', True),
        ("group\tattribute\taction\tvalue", True),
        ("path,action", False),  # images of actions
        ("image,attribute,action,value", False),  # a log has path or group
        ("path,label,value", False),
        ("", False),
    ],
)
def test_a_log_of_corrections_with_another_name_is_not_input(tmp_path: Path, header: str, is_log: bool):
    (tmp_path / "review of ann.csv").write_text(f"{header}\n", encoding="utf-8")
    assert input_tables(["review of ann.csv"], tmp_path) == ([] if is_log else ["review of ann.csv"])
