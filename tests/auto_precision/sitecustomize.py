"""Python imports this at its start where the folder is on PYTHONPATH: `precision auto` on a CPU then means what
RAREBIRD_TEST_PRECISION says, bf16 or fp32, on every processor. tests/conftest.py sets both for the tests'
own process and for every process that they start (pytest --auto_precision)."""

from __future__ import annotations

import os
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

VARIABLE = "RAREBIRD_TEST_PRECISION"
MODULE = "model.runtime.hardware"
FLAGS = {"bf16": {"avx512f", "avx512_bf16"}, "fp32": {"avx512f"}}  # as /proc/cpuinfo lists them


class ForcedLoader(Loader):
    def __init__(self, loader: Loader):
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        assert callable(module.cpu_flags)  # a renamed function must not pass unnoticed
        module.cpu_flags = lambda: FLAGS[os.environ[VARIABLE]]  # type: ignore[attr-defined]


class ForcedFinder(MetaPathFinder):
    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != MODULE or VARIABLE not in os.environ:
            return None
        spec = PathFinder.find_spec(name, path)  # type: ignore[arg-type]
        if spec is not None and spec.loader is not None:
            spec.loader = ForcedLoader(spec.loader)
        return spec


sys.meta_path.insert(0, ForcedFinder())
