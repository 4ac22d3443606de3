"""Intended differences from AWS's toolkit. Everything else is compared with it in tests/long/test_toolkit.py."""

import json

from container.environment import Environment
from container.sm_variables import sm_variables


def test_without_config_files_there_is_one_host_and_no_channel(tree):
    variables = sm_variables(Environment())
    assert variables["SM_HOSTS"] == '["algo-1"]' and variables["SM_CHANNELS"] == "[]" and variables["SM_HPS"] == "{}"
    assert variables["SM_MODEL_DIR"] == str(tree / "model")


def test_without_a_program_its_variables_are_empty(tree):
    variables = sm_variables(Environment())
    assert variables["SM_MODULE_NAME"] == variables["SM_USER_ENTRY_POINT"] == ""


def test_hosts_are_sorted(tree):
    resources = {"current_host": "b", "hosts": ["b", "a"]}
    (tree / "input" / "config" / "resourceconfig.json").write_text(json.dumps(resources))
    assert sm_variables(Environment())["SM_HOSTS"] == '["a","b"]'


def test_without_opt_ml_nothing_is_set():
    assert sm_variables(Environment()) == {}
