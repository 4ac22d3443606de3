"""The review page in the system's Chromium, served for a drawn channel and invented suspects."""

from __future__ import annotations

import csv
import inspect
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from container.http.server import HttpServer, open_listener
from exploration.review.app import ReviewApp
from exploration.review.review import ReviewSettings, open_review
from exploration.review.serve import LIMITS
from tests.browser import cut, serious

ROOT = Path(__file__).resolve().parents[4]
PERSONS, KINDS = 8, 3  # and images per person
EVIL = "<img src=x onerror=alert(1)>"
PRODUCTS = [EVIL, *(f"product {code:02}" for code in range(11))]
SUSPECTS = 3 * PERSONS  # of each person: its gender, its age and the product on its first image
COLUMNS = ("path", "group", "attribute", "level", "given", "suggested", "score", "reason", "neighbours")
ATTRIBUTES: dict[str, Any] = {
    "gender": ["female", "male"],
    "age": {"column": "age", "cuts": [30, 60]},
    "product": {"column": "product", "values": PRODUCTS},
}


def name_of(person: int, kind: int) -> str:
    return f"person {person:02} {kind}.png"


def suspect(number: int, total: int) -> list[str]:
    """The row of suspects.csv at a position. A queue of more than SUSPECTS repeats them."""
    person, attribute = number // 3 % PERSONS, ("gender", "age", "product")[number % 3]
    given, suggested = {"gender": ("female", "male"), "age": ("25", "34"), "product": (EVIL, "product 03")}[attribute]
    nearest = [(name_of((person + step) % PERSONS, 0), suggested if step < 5 else given) for step in range(1, 6)]
    level = "image" if attribute == "product" else "group"
    score, reason = f"{1 - number / total / 2:.4f}", f"4 of the 5 nearest images are {suggested}."
    return [name_of(person, 0), f"{person:02}", attribute, level, given, suggested, score, reason, json.dumps(nearest)]


def until(shown: Any, holds: Callable[[], bool]) -> None:
    """Waits until something holds. The page's security policy allows no texts as scripts, so Playwright cannot wait."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if holds():
            return
        shown.wait_for_timeout(20)
    raise AssertionError(f"it does not hold: {inspect.getsource(holds).strip()}")


def text(shown: Any, selector: str) -> str:
    return str(shown.locator(selector).inner_text())


def problems_of_views(
    shown: Any, keys: Callable[..., None], views: dict[str, tuple[str, ...]], width: int, theme: str
) -> list[Any]:
    """What axe finds and which texts are cut in the views of a page. axe runs at 1280 px light and at 390 px dark.

    Args:
        shown: The page.
        keys: Presses keys.
        views: The keys that lead from one view to the next, by the name of the view.
        width: Width of the page in pixels.
        theme: light or dark.
    """
    problems: list[Any] = []
    for name, pressed in views.items():
        keys(shown, *pressed, saved=False)
        shown.wait_for_timeout(50)
        problems += [(name, text) for text in [*cut(shown, ignored=".unseen, .virtual, select"), *untitled(shown)]]
        found = shown.evaluate("document.documentElement.scrollWidth")
        problems += [(name, "page", found)] if found > width else []
        if (width, theme) in ((1280, "light"), (390, "dark")):
            problems += [(name, *each) for each in serious(shown)]
    return problems


def untitled(shown: Any) -> list[str]:
    """Names of classes that end in an ellipsis although they are short, or have no title. Only names that are longer
    than an image is wide may end in one."""
    found: list[str] = shown.evaluate(
        """() => [...document.querySelectorAll(".cell > span")].filter((e) => e.scrollWidth > e.clientWidth + 1)
            .filter((e) => e.title !== e.textContent || e.textContent.length < 12).map((e) => e.textContent)"""
    )
    return found


@pytest.fixture(scope="session")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three images of each of eight persons, all with the same labels."""
    folder = tmp_path_factory.mktemp("review-page") / "channel"
    folder.mkdir()
    with open(folder / "labels.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["ImageID", "person", *ATTRIBUTES])
        for person in range(PERSONS):
            for kind in range(KINDS):
                colour = (person * 30, 90 + kind * 60, 160)
                Image.new("RGB", (60, 80), colour).save(folder / name_of(person, kind))
                rows.writerow([name_of(person, kind), f"{person:02}", "female", 25, EVIL])
    return folder


@dataclass
class Review:
    """A review that is served, and what it saved."""

    url: str  # with the token
    corrections: Path
    app: ReviewApp | None = None
    process: subprocess.Popen[str] | None = field(default=None)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Path or group, attribute, action and value of each saved decision."""
        with open(self.corrections, encoding="utf-8", newline="") as file:
            read = list(csv.DictReader(file))
        return [(row["path"] or row["group"], row["attribute"], row["action"], row["value"]) for row in read]

    def column(self, name: str) -> list[str]:
        with open(self.corrections, encoding="utf-8", newline="") as file:
            return [row[name] for row in csv.DictReader(file)]


@pytest.fixture(scope="session")
def settings(channel: Path) -> Callable[..., ReviewSettings]:
    """Settings of a review of a number of suspects."""

    def make(corrections: Path, suspects: int = SUSPECTS, port: int = 0) -> ReviewSettings:
        file = channel.parent / f"suspects{suspects}.csv"
        if not file.exists():
            with open(file, "w", encoding="utf-8", newline="") as opened:
                csv.writer(opened).writerows([COLUMNS, *(suspect(number, suspects) for number in range(suspects))])
        return ReviewSettings(
            channel=str(channel),
            suspects=str(file),
            corrections=str(corrections),
            reviewer="anna",
            attributes=ATTRIBUTES,
            group_column="person",
            cache=str(channel.parent / "cache"),
            port=port,
        )

    return make


@pytest.fixture
def serve_app() -> Iterator[Callable[[Callable[[int], ReviewApp], Path], Review]]:
    """Serves an app, made for a port, by a thread of this process."""
    started: list[tuple[HttpServer, threading.Thread, ReviewApp]] = []

    def start(make: Callable[[int], ReviewApp], corrections: Path) -> Review:
        listener = open_listener("127.0.0.1", 0)
        port = listener.getsockname()[1]
        review = make(port)
        server = HttpServer(review.app(), LIMITS)
        thread = threading.Thread(target=server.run, args=[listener])
        thread.start()
        started.append((server, thread, review))
        return Review(f"http://127.0.0.1:{port}/?token={review.token}", corrections, review)

    yield start
    for server, thread, review in started:
        server.stop()
        thread.join()
        review.close()


@pytest.fixture
def serve(settings: Callable[..., ReviewSettings], serve_app: Any, tmp_path: Path) -> Callable[..., Review]:
    """Serves a review of suspects."""

    def start(suspects: int = SUSPECTS) -> Review:
        corrections = tmp_path / "corrections.csv"
        return serve_app(lambda port: open_review(settings(corrections, suspects), port), corrections)

    return start


@pytest.fixture
def serve_process(settings: Callable[..., ReviewSettings], tmp_path: Path) -> Iterator[Callable[[int], Review]]:
    """Serves a review by the command, as a process that can be killed."""
    started: list[subprocess.Popen[str]] = []

    def start(port: int) -> Review:
        own = settings(tmp_path / "corrections.csv")
        given = {name: getattr(own, name) for name in ("suspects", "corrections", "reviewer", "group_column", "cache")}
        flags = [text for name, value in given.items() for text in (f"--{name}", value)]
        command = [sys.executable, "-m", "exploration", "review", own.channel, *flags, "--port", str(port)]
        command += ["--attributes", json.dumps(ATTRIBUTES), "--open", "false"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout
        url = next(line for line in started[-1].stdout if line.startswith("http")).strip()
        return Review(url, Path(own.corrections), process=started[-1])

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a review. The test fails if the page raises, logs what was not announced, or leaves its server."""
    contexts, events = [], []

    def open_page(review: Review, context: Any = None, expected: str = "^$", **given: Any) -> Any:
        if context is None:
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **given})
            contexts.append(context)
        shown = context.new_page()
        shown.set_default_timeout(20_000)
        server = review.url.split("?")[0]
        ignored = re.compile(expected)
        shown.on("console", lambda message: ignored.search(message.text) or events.append(f"console: {message.text}"))
        shown.on("pageerror", lambda error: events.append(f"error: {error}"))
        shown.on("request", lambda request: request.url.startswith(server) or events.append(request.url))
        shown.goto(review.url)
        shown.wait_for_selector("body:not(.loading)")
        return shown

    yield open_page
    for context in contexts:
        context.close()
    assert events == []


@pytest.fixture
def keys() -> Callable[..., None]:
    """Presses keys one after the other, and waits until all is saved."""

    def press(shown: Any, *pressed: str, saved: bool = True) -> None:
        for key in pressed:
            shown.keyboard.press(key)
        if saved:
            until(shown, lambda: shown.locator("#saved").inner_text() == "All saved")

    return press
