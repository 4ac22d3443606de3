"""decision.json: written, read again, absent or damaged."""

import json

import pytest

from model.artifacts.decision_file import read_decision, write_decision
from model.decisions import Decision
from model.errors import InputError


def test_a_written_decision_is_read_again(tmp_path):
    decision = Decision(1.5, (0.0, 0.7))
    write_decision(tmp_path, decision)
    assert [path.name for path in tmp_path.iterdir()] == ["decision.json"] and read_decision(tmp_path, 2) == decision
    content = json.loads((tmp_path / "decision.json").read_text())
    assert content == {"rule": "argmax", "temperature": 1.5, "biases": [0.0, 0.7]}


def test_a_model_of_an_earlier_version_has_the_default(tmp_path):
    assert read_decision(tmp_path, 2) == Decision()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "decision.json: cannot be read"),
        ("[]", "decision.json: expected a JSON object, not list"),
        ("{}", "decision.json: rule: expected one of argmax, ask, not None"),
        ('{"rule": "argmin"}', "decision.json: rule: 'argmin', expected one of argmax"),
        ('{"rule": "argmax", "temperature": NaN}', "decision.json: temperature: nan: expected a number"),
        ('{"rule": "argmax", "biases": [1, 2, 3]}', "decision.json: biases: expected 2, one per class, not 3"),
    ],
)
def test_an_error_names_the_file_and_the_field(tmp_path, content, message):
    (tmp_path / "decision.json").write_text(content)
    with pytest.raises(InputError) as error:
        read_decision(tmp_path, 2)
    assert str(error.value).startswith(message)
