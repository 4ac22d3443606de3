"""Device and precision by the settings, and compilation."""

import logging

import pytest
import torch

from model.errors import InputError
from model.runtime import hardware
from model.runtime.hardware import compiled, find_hardware


def test_a_cpu_without_bf16_units_computes_in_fp32_and_one_with_them_in_bf16(monkeypatch):
    monkeypatch.setattr(hardware, "cpu_flags", lambda: {"avx512f", "avx512_vnni"})
    assert find_hardware("cpu", "auto").precision == "fp32"
    monkeypatch.setattr(hardware, "cpu_flags", lambda: {"avx512f", "amx_bf16"})
    assert find_hardware("cpu", "auto").precision == "bf16"
    assert find_hardware("cpu", "fp32").precision == "fp32"


@pytest.mark.parametrize(("capability", "precision"), [((7, 5), "fp16"), ((8, 0), "bf16"), ((9, 0), "bf16")])
def test_a_gpu_with_bf16_units_computes_in_bf16_and_an_older_one_in_fp16(monkeypatch, capability, precision):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    hardware_of_process = find_hardware("auto", "auto", local_rank=3)
    assert (hardware_of_process.device, hardware_of_process.precision) == (torch.device("cuda:1"), precision)


def test_fp32_disables_tf32(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    find_hardware("cpu", "bf16")
    assert torch.backends.cudnn.allow_tf32
    find_hardware("cpu", "fp32")
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(
    ("device", "precision", "message"),
    [
        ("gpu", "auto", "expected auto, cpu, cuda or cuda:N"),
        ("mps", "auto", "expected auto, cpu, cuda or cuda:N"),
        ("cuda:99", "auto", r"this machine has \d GPUs?$"),
        ("cpu", "fp16", "fp16 needs a GPU"),
    ],
)
def test_unavailable_devices_and_precisions_are_an_error(device, precision, message):
    with pytest.raises(InputError, match=message):
        find_hardware(device, precision)


def test_compile_without_a_compiler_is_ignored_with_a_warning(monkeypatch, caplog):
    monkeypatch.setattr(hardware.shutil, "which", lambda name: None)
    network = torch.nn.Linear(2, 2)
    with caplog.at_level(logging.WARNING, "rarebird"):
        assert compiled(network) is network
    assert "g++" in caplog.text


@pytest.mark.parametrize("compiler", ["g++", "gcc"])
def test_one_compiler_is_enough(monkeypatch, compiler):
    monkeypatch.setattr(hardware.shutil, "which", lambda name: "/usr/bin/" + name if name == compiler else None)
    network = torch.nn.Linear(2, 2)
    assert compiled(network) is not network


def test_the_compiler_that_torch_uses_is_recognised(monkeypatch):
    from torch._inductor import config

    monkeypatch.setattr(config.cpp, "cxx", (None, "clang++"))  # as with CXX=clang++
    monkeypatch.setattr(hardware.shutil, "which", lambda name: f"/usr/bin/{name}" if name == "clang++" else None)
    monkeypatch.setattr(torch, "compile", lambda network: "compiled")
    assert compiled(torch.nn.Linear(2, 2)) == "compiled"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            RuntimeError("The driver is too old (found version 11040).\nSee"),
            "The driver is too old (found version 11040)",
        ),
        (AssertionError("Torch not compiled with CUDA enabled"), "Torch not compiled with CUDA enabled"),
        (None, ""),
    ],
)
def test_the_reason_for_using_no_gpu_is_torchs_message(error, message, monkeypatch):
    def init() -> None:
        if error:
            raise error

    monkeypatch.setattr(torch.cuda, "init", init)
    problem = find_hardware("cpu", "fp32").gpu_problem()
    assert problem.endswith(message) and bool(problem) is bool(message)
    assert hardware.Hardware(torch.device("cuda:0"), "fp32").gpu_problem() == ""
