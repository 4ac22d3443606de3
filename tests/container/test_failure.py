"""The files from which SageMaker reads how a job ended."""

from pathlib import Path

import pytest

from container.failure import Report, cut, exception_text, write_once


def test_the_first_failure_of_a_run_is_kept_and_the_next_run_removes_it(tmp_path: Path):
    report = Report(tmp_path / "output")
    report.failed("first")
    report.failed("second")
    report.succeeded("done")
    assert (tmp_path / "output" / "failure").read_text() == "first"
    assert not (tmp_path / "output" / "success").exists()
    report.begin()
    report.succeeded("done")
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["success"]


def test_a_processing_job_has_a_message_too(tmp_path: Path):
    report = Report(tmp_path, processing=True)
    report.failed("착" * 2000)
    message = (tmp_path / "message").read_bytes()
    assert len(message) <= 1024 and message.decode("utf-8").startswith("착착")
    assert len((tmp_path / "failure").read_text(encoding="utf-8")) == 1024


@pytest.mark.parametrize("text", ["a" * 1024, "착" * 1024, "a" * 1025, "착용" * 999, "\ud800" * 999, "", "  a\n"])
def test_a_text_is_cut_where_a_character_ends(text: str):
    for of_bytes in (False, True):
        text_cut = cut(text, of_bytes)
        length = len(text_cut.encode("utf-8")) if of_bytes else len(text_cut)
        assert length <= 1024 and (text_cut == text.strip() or text_cut.endswith(" ...") or "ud800" in text_cut)


def test_the_message_of_an_exception_comes_before_its_frames():
    def inner() -> None:
        raise ValueError("seven\nlines")

    with pytest.raises(ValueError) as raised:
        inner()
    lines = exception_text(raised.value, "try six").splitlines()
    assert lines[:3] == ["ValueError: seven", "lines", "try six"] and lines[3].startswith("at test_failure.py:")


def test_files_that_cannot_be_written_are_skipped(tmp_path: Path):
    (tmp_path / "file").touch()
    write_once(tmp_path / "file" / "failure", "text")
    Report(tmp_path / "file").begin()
    Report(None).failed("text")
