"""Variables of the process and .env: which process this is, the server's settings, the account of tracking."""

from __future__ import annotations

from pathlib import Path

import pytest

from container.environment import Environment


@pytest.mark.parametrize("part", ["input", "config", "processing"])
def test_any_part_of_the_tree_makes_it_count(tmp_path, monkeypatch, part):
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
