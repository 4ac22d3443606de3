import logging

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


@pytest.mark.parametrize("set_up", [lambda: LOG.addHandler(logging.NullHandler()), lambda: LOG.setLevel(logging.INFO)])
def test_logging_that_a_program_has_set_up_is_left_alone(set_up, capsys, caplog):
    set_up()
    LOG.setLevel(logging.INFO)
    before = list(LOG.handlers)
    with log_lines():
        LOG.info("epoch=1")
        assert before == LOG.handlers
    assert capsys.readouterr().out == "" and "epoch=1" in caplog.text
