"""GPUs that the driver shows but torch cannot use."""

from __future__ import annotations

import logging

import pytest
import torch

import train
from container.environment import Environment
from container.gpu_check import check_gpus
from model.errors import Failure, InputError

SHOWN = r"the driver shows 4 GPUs, but none can be used: torch .*, built for CUDA"


@pytest.fixture(autouse=True)
def without_gpu(monkeypatch):
    """torch as it behaves if the driver is too old."""

    def init() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).\nPlease update")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)


def test_in_a_container_training_fails_before_it_reads_images(tree, driver):
    with pytest.raises(Failure, match=rf"{SHOWN} .*driver on your system is too old.*InferenceAmiVersion") as raised:
        train.main([])
    assert "Please update" not in str(raised.value) and "To use the CPU instead: --device cpu" in str(raised.value)


@pytest.mark.parametrize("variables", [{"device": "cpu"}, {"visible": ""}, {"driver": "none"}])
def test_a_requested_cpu_or_no_visible_gpu_is_fine(variables, tree, driver, monkeypatch):
    monkeypatch.setenv("SM_HP_DEVICE", variables.get("device", "auto"))
    if "visible" in variables:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    if "driver" in variables:
        driver.unlink()
    with pytest.raises(InputError, match="channel train"):  # the channel is empty
        train.main([])


def test_outside_of_a_container_it_is_a_warning(driver, caplog, monkeypatch, tmp_path):
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path / "none"))
    with caplog.at_level(logging.WARNING, "rarebird"):
        check_gpus(Environment(), "auto", lambda: "too old")
        check_gpus(Environment(), "cuda:0", lambda: "too old")
    (record,) = caplog.records
    assert record.levelname == "WARNING" and "none can be used: too old" in record.getMessage()
