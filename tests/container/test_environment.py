"""Variables of the process and .env: the rank, the server's settings, the account of Weights & Biases."""

from __future__ import annotations

from pathlib import Path

import pytest

from container import settings_layers
from container.environment import Environment
from container.job_types import SERVE
from model.errors import InputError
from model.settings.serve import ServeSettings


@pytest.mark.parametrize("part", ["input", "config", "processing"])
def test_opt_ml_is_used_if_any_of_its_folders_exists(tmp_path, monkeypatch, part):
    (tmp_path / "ml" / part).mkdir(parents=True)
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path / "ml"))
    assert Environment().uses_opt_ml


def test_torchruns_variables_say_which_process_this_is(monkeypatch):
    assert (Environment().rank, Environment().local_rank, Environment().world) == (0, 0, 1)
    for name, value in (("RANK", "3"), ("LOCAL_RANK", "1"), ("WORLD_SIZE", "4")):
        monkeypatch.setenv(name, value)
    assert (Environment().rank, Environment().local_rank, Environment().world) == (3, 1, 4)


def test_weights_and_biases_needs_a_key_or_the_offline_mode(monkeypatch):
    def account(project: str | None = None, entity: str | None = None) -> dict | None:
        return Environment().wandb_account(project, entity)

    assert account("masks", "team") is None
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert account() == {"project": "rarebird", "entity": None, "mode": "offline", "api_key": None}
    monkeypatch.setenv("WANDB_MODE", "disabled")
    Path(".env").write_text("WANDB_API_KEY=secret\nWANDB_PROJECT=from-file\nWANDB_ENTITY=us\n")
    assert account() is None
    monkeypatch.delenv("WANDB_MODE")
    assert account() == {"project": "from-file", "entity": "us", "mode": "online", "api_key": "secret"}
    assert account("masks", "team") == {"project": "masks", "entity": "team", "mode": "online", "api_key": "secret"}


def test_server_settings_come_from_sagemakers_variables_ours_and_flags(monkeypatch):
    for name, value in {
        "SAGEMAKER_BIND_TO_PORT": "9000",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "6",
        "SAGEMAKER_MODEL_SERVER_TIMEOUT": "120",
        "SAGEMAKER_MODEL_SERVER_WORKERS": "3",
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
        "SAGEMAKER_BATCH": "True",
        "SERVE_NUM_TTA": "4",
        "SERVE_PORT": "9001",
        "SERVE_PRECISION": "fp32",
        "SM_HP_NUM_TTA": "8",
    }.items():
        monkeypatch.setenv(name, value)
    settings, _ = settings_layers.read(SERVE, ["--precision", "bf16"], "")
    assert (settings.port, settings.max_payload_mb, settings.timeout, settings.processes) == (9001, 6, 120, 3)
    assert (settings.accept, settings.batch, settings.num_tta, settings.precision) == ("text/csv", True, 4, "bf16")


def test_the_timeout_variable_in_seconds_has_priority(monkeypatch):
    monkeypatch.setenv("SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS", "240")
    assert settings_layers.read(SERVE, [], "")[0].timeout == 240
    monkeypatch.setenv("SAGEMAKER_MODEL_SERVER_TIMEOUT", "20")
    assert settings_layers.read(SERVE, [], "")[0].timeout == 240


def test_variables_of_a_kubernetes_service_named_serve_are_ignored(monkeypatch):
    """Source: Kubernetes documentation, Service, Discovering services, Environment variables."""
    for service in ("SERVE", "SERVE_FACES"):
        for name, value in {
            "SERVICE_HOST": "10.0.0.11",
            "SERVICE_PORT": "8080",
            "SERVICE_PORT_HTTP": "8080",
            "PORT": "tcp://10.0.0.11:8080",
            "PORT_8080_TCP": "tcp://10.0.0.11:8080",
            "PORT_8080_TCP_PROTO": "tcp",
            "PORT_8080_TCP_PORT": "8080",
            "PORT_8080_TCP_ADDR": "10.0.0.11",
        }.items():
            monkeypatch.setenv(f"{service}_{name}", value)
    assert settings_layers.read(SERVE, [], "")[0] == ServeSettings()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SERVE_PROT", "tcp://10.0.0.11:8080", "nearest: port"),
        ("SERVE_PORT", "http", "expected a whole number"),
        ("SERVE_PORTS", "8080", "nearest: port"),
        ("SAGEMAKER_BIND_TO_PORT", "http", "SAGEMAKER_BIND_TO_PORT"),
        ("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "text/cvs", "nearest: text/csv"),
        ("SERVE_NUM_TAA", "4", "nearest: num_tta"),
    ],
)
def test_invalid_variables_are_errors(monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=message):
        settings_layers.read(SERVE, [], "")
