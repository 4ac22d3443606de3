"""The notebooks of exploration/notebooks run from top to bottom, in Jupyter's kernel and without a network."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "exploration" / "notebooks").glob("*.ipynb"))

pytestmark = pytest.mark.long


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # a clone, since the notebooks draw data into the folder that contains rarebird.py
    clone = tmp_path / "clone"
    ignored = shutil.ignore_patterns(".git", ".venv", ".*_cache", "demo", "runs", "output", "tests")
    shutil.copytree(ROOT, clone, ignore=ignored, symlinks=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    notebook = nbformat.read(clone / path.relative_to(ROOT), as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(clone / "exploration")}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert {"text/html", "image/png"} <= kinds  # tables and images were shown
    assert (clone / "demo" / "notebook").is_dir()
