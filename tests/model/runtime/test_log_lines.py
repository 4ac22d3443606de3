import logging
import sys

import pytest

from model.runtime.log_lines import log_lines

LOG = logging.getLogger("rarebird")


@pytest.fixture(autouse=True)
def plain_log(monkeypatch):
    """The logger as it is in a program that has not set up logging."""
    monkeypatch.setattr(LOG, "handlers", [])
    monkeypatch.setattr(LOG, "propagate", True)
    before = LOG.level, logging.getLogger().level
    LOG.setLevel(logging.NOTSET)
    logging.getLogger().setLevel(logging.WARNING)
    yield
    LOG.setLevel(before[0])
    logging.getLogger().setLevel(before[1])


def test_lines_go_to_stdout_and_the_logger_is_restored(capsys):
    with log_lines():
        LOG.info("epoch=1")
    LOG.info("not shown")
    assert capsys.readouterr().out == "epoch=1\n"
    assert (LOG.handlers, LOG.level, LOG.propagate) == ([], logging.NOTSET, True)


def test_lines_go_to_the_stream(capsys):
    with log_lines(sys.stderr):
        LOG.info("epoch=1")
    assert capsys.readouterr() == ("", "epoch=1\n")


def test_a_handler_that_a_program_has_added_gets_the_lines(capsys):
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    LOG.addHandler(handler)
    with log_lines():
        LOG.warning("duplicates")
        assert LOG.handlers == [handler]
    assert lines == ["duplicates"] and capsys.readouterr().out == ""


def test_a_program_that_shows_info_gets_the_lines(capsys, caplog):
    logging.getLogger().setLevel(logging.INFO)
    with log_lines():
        LOG.info("epoch=1")
        assert not LOG.handlers
    assert capsys.readouterr().out == "" and caplog.messages == ["epoch=1"]
