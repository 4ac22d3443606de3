"""What tests share: drawn images, the real ones next to the checkout, jobs in this process, the system's Chromium."""

from __future__ import annotations

import os
import runpy
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
IN_CI = "RAREBIRD_CI" in os.environ


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--auto_precision", choices=["bf16", "fp32"], help="what precision auto means on every CPU")


def pytest_configure(config: pytest.Config) -> None:
    """Before any import of model, in this process and in those that tests start."""
    precision = config.getoption("--auto_precision")
    if precision:
        folder = ROOT / "tests" / "auto_precision"
        os.environ["RAREBIRD_TEST_PRECISION"] = precision
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
        runpy.run_path(str(folder / "sitecustomize.py"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked so take minutes or a container engine: they run if -m selects them, as .ci/run does."""
    if config.getoption("-m"):
        return
    for item in items:
        asked = [marker for marker in ("long", "image", "sdk") if item.get_closest_marker(marker)]
        if asked:
            item.add_marker(pytest.mark.skip(reason=f"pytest -m {asked[0]} runs it"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real images and weights next to the checkout during development."""
    found = ROOT.parent / "shared"
    if not found.is_dir():
        (pytest.fail if IN_CI else pytest.skip)("needs the real images in ../shared")
    return found


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small drawn data set: train (24 persons), eval (12 persons) and gt."""
    from exploration.__main__ import main

    folder = tmp_path_factory.mktemp("faces") / "data"
    assert main(["demo", "--output", str(folder), "--persons", "24", "--eval_persons", "12", "--size", "36", "48"]) == 0
    return folder


@pytest.fixture(scope="session")
def models(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models trained for a moment: `joint` and `heads`."""
    import train

    folder = tmp_path_factory.mktemp("models")
    small = ["--model", "test_resnet", "--pretrained", "false", "--input_size", "32", "24", "--epochs", "1"]
    small += ["--num_workers", "0", "--device", "cpu", "--precision", "fp32", "--train_dir", str(faces / "train")]
    small += ["--report", "false", "--tracking", "none"]
    for target in ("joint", "heads"):
        assert train.main([*small, "--model_dir", str(folder), "--target", target, "--name", target]) == 0
    return folder


@pytest.fixture(scope="session")
def working_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tests' working folders, as mktemp() lists all that it made each time."""
    return tmp_path_factory.mktemp("working")


@pytest.fixture(autouse=True)
def no_job_variables(monkeypatch: pytest.MonkeyPatch, working_folders: Path) -> None:
    """No SM_* or WANDB_* variable, .env or SageMaker tree reaches a test; the working folder is empty."""
    for name in list(os.environ):
        if name.startswith(("SM_", "SAGEMAKER_", "WANDB_")) or name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
            monkeypatch.delenv(name)
    here = Path(tempfile.mkdtemp(dir=working_folders))
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(here / "no-tree"))
    monkeypatch.chdir(here)


def _draw_hierarchy(folder: Path, pictures: dict[str, int], is_tree: bool, sizes: Sequence[int] = (3, 50, 500)) -> Path:
    """Draws channels with the attributes aisle, product and variety, and folder/scheme.yaml.

    Args:
        folder: Where the channels are written.
        images: Images of each channel by its name; `eval` has a truth, eval/gt.csv, of joint names.
        is_tree: Whether each variety is of one product and each product of one aisle; else all are independent.
        sizes: Number of values of each attribute.
    """
    names = ("aisle", "product", "variety")
    values = {name: [f"{name} {code}" for code in range(size)] for name, size in zip(names, sizes)}
    folder.mkdir(parents=True)
    (folder / "scheme.yaml").write_text(yaml.safe_dump({"attributes": values}), encoding="utf-8")
    generator = np.random.default_rng(0)
    for channel, rows in pictures.items():
        (folder / channel / "images").mkdir(parents=True)
        codes = [generator.integers(size, size=rows) for size in sizes]
        if is_tree:
            codes[:2] = [codes[2] * size // sizes[2] for size in sizes[:2]]
        labels = {name: np.array(values[name])[own] for name, own in zip(names, codes)}
        table = pd.DataFrame({"ImageID": [f"{channel}{row}.png" for row in range(rows)], **labels})
        for name, aisle in zip(table["ImageID"], codes[0]):
            pixels = generator.integers(120, size=(24, 32, 3)) + np.eye(3, dtype=int)[aisle % 3] * 120
            Image.fromarray(pixels.astype(np.uint8)).save(folder / channel / "images" / name)
        if channel == "eval":
            table[["ImageID"]].to_csv(folder / channel / "info.csv", index=False)
            table["ans"] = table[list(names)].agg("/".join, axis=1)
            (folder / "gt").mkdir()
            table[["ImageID", "ans"]].to_csv(folder / "gt" / "gt.csv", index=False)
        else:
            table.to_csv(folder / channel / f"{channel}.csv", index=False)
    return folder


@pytest.fixture(scope="session")
def draw_hierarchy() -> Callable[..., Path]:
    """Draws channels of a hierarchy."""
    return _draw_hierarchy


@pytest.fixture(scope="session")
def hierarchy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn hierarchy of 3 x 50 x 500 values: train, validation, eval, gt and scheme.yaml."""
    pictures = {"train": 240, "validation": 60, "eval": 120}
    return _draw_hierarchy(tmp_path_factory.mktemp("hierarchy") / "data", pictures, is_tree=True)


@pytest.fixture
def run_train(tmp_path: Path) -> Callable[..., Path]:
    """Trains in this process for about a second, without report and TensorBoard; returns the run's folder."""
    import train

    def run(channel: Path, *flags: str, name: str = "exp", expect: int = 0, models: Path | None = None) -> Path:
        models = models or tmp_path / "runs"
        small = ["--model", "test_resnet", "--pretrained", "false", "--input_size", "32", "24", "--batch_size", "32"]
        small += ["--epochs", "1", "--num_workers", "0", "--device", "cpu", "--precision", "fp32"]
        small += ["--report", "false", "--tracking", "none"]
        where = ["--train_dir", str(channel), "--model_dir", str(models), "--name", name]
        assert train.main([*small, *where, *flags]) == expect
        return models / name

    return run


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium. Of a module, as Playwright keeps an event loop running in this thread."""
    from playwright.sync_api import sync_playwright

    from benchmarks.review_page import chromium

    path = chromium()
    if path is None:
        (pytest.fail if IN_CI else pytest.skip)("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path)
        yield started
        started.close()


@pytest.fixture
def open_html(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens a page from disk, without network.

    The test fails if the page logs, raises, opens a dialog or requests anything but its own file.
    """
    contexts: list[Any] = []
    events: list[str] = []

    def open_page(html: str, **given: Any) -> Any:
        file = tmp_path / "page.html"
        file.write_text(html, encoding="utf-8")
        contexts.append(browser.new_context(offline=True, **given))
        shown = contexts[-1].new_page()
        shown.set_default_timeout(120_000)
        shown.on("console", lambda message: events.append(f"console: {message.text}"))
        shown.on("pageerror", lambda error: events.append(f"error: {error}"))
        shown.on("dialog", lambda dialog: (events.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        requests: list[str] = []
        shown.on("request", lambda request: requests.append(request.url))
        shown.goto(file.as_uri())
        events.extend(url for url in requests if url != file.as_uri() and not url.startswith("data:"))
        return shown

    yield open_page
    for context in contexts:
        context.close()
    assert events == []


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """As many processes test as there are cores."""
    torch.set_num_threads(1)
