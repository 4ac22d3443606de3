"""The flag of a cache that the tests of a module share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return "--cache", str(tmp_path_factory.mktemp("cache"))
