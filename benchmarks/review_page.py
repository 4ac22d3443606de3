"""Benchmarks the review page: times between frames while its lists are scrolled, in the system's Chromium.

    python -m benchmarks.review_page [--suspects 5000] [--persons 300]

Draws a data set (python -m exploration demo), invents suspects, and scrolls the grid of step 1 and the queue by a
constant speed. A display of 60 Hz shows a frame every 16.7 ms; above 33.3 ms at least one frame was missed.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.command_line import run
from model.cleaning.suspects import SUSPECT_COLUMNS
from model.errors import Failure, InputError
from model.runtime.terminal import text_table
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = __doc__ or ""
FRAMES = (1000 / 60, 2000 / 60)  # milliseconds: one frame, and one missed
# Scrolls an element and returns the milliseconds between frames.
SCROLL = """async ([id, speed, frames]) => {
    const list = document.getElementById(id);
    const times = [];
    const next = () => new Promise(requestAnimationFrame);
    list.scrollTop = 0;
    let before = await next();
    for (let frame = 0; frame < frames; frame += 1) {
        list.scrollTop += speed;
        const now = await next();
        times.push(now - before);
        before = now;
    }
    return times;
}"""


@dataclass(frozen=True)
class PageSettings:
    suspects: int = setting(5000, "number of suspects", low=100, section="What is measured")
    persons: int = setting(300, "number of drawn persons, seven images each", low=12)
    frames: int = setting(300, "number of frames of each measurement", low=10)
    seed: int = setting(0, "seed of the drawn data set and of the suspects", low=0)


def main(argv: Sequence[str]) -> int:
    settings = from_flags(PageSettings, argv, USAGE)
    executable = chromium()
    if executable is None:
        raise InputError("needs Chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as scratch:
        channel, suspects = draw(settings, Path(scratch))
        with subprocess.Popen(command(channel, suspects, Path(scratch)), stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout
                url = next((line.strip() for line in server.stdout if line.startswith("http")), "")
                if not url:
                    raise Failure("the review did not start")
                rows = measure(url, executable, settings.frames)
                print(text_table(list(rows[0]), [[str(value) for value in row.values()] for row in rows], range(1, 6)))
            finally:
                server.terminate()
    return 0


def chromium() -> str | None:
    """Path of the system's Chromium."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def draw(settings: PageSettings, scratch: Path) -> tuple[Path, Path]:
    """Draws a channel and invents suspects of its groups and images; returns the channel and suspects.csv."""
    from exploration.demo import main as demo

    size, persons = ["--size", "192", "256"], ["--persons", str(settings.persons)]
    demo(["--output", str(scratch / "data"), "--layout", "table", "--seed", str(settings.seed), *size, *persons])
    channel = scratch / "data" / "train"
    with open(channel / "labels.csv", encoding="utf-8", newline="") as file:
        images = list(csv.DictReader(file))
    generator = random.Random(settings.seed)
    with open(scratch / "suspects.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(SUSPECT_COLUMNS)
        for number in range(settings.suspects):
            rows.writerow(suspect(images, number / settings.suspects, generator))
    return channel, scratch / "suspects.csv"


def suspect(images: Sequence[dict[str, str]], share: float, generator: random.Random) -> list[str]:
    """An invented suspect: a random image whose gender or mask is doubted. share: its position in the queue, 0 to 1."""
    image = generator.choice(images)
    attribute, values = generator.choice([("gender", ["female", "male"]), ("mask", ["worn", "incorrect", "none"])])
    suggested = generator.choice([value for value in values if value != image[attribute]])
    nearest = [(f"images/{generator.choice(images)['file']}", suggested) for _ in range(5)]
    level = "group" if attribute == "gender" else "image"
    score, reason = f"{1 - share:.4f}", f"All 5 nearest images are labelled {suggested}."
    path = f"images/{image['file']}"
    labels = [attribute, level, image[attribute], suggested]
    return [path, image["person"], *labels, score, reason, json.dumps(nearest)]


def command(channel: Path, suspects: Path, scratch: Path) -> list[str]:
    """The command line of the review."""
    flags = {
        "--suspects": str(suspects),
        "--corrections": str(scratch / "corrections.csv"),
        "--cache": str(scratch / "cache"),
        "--picture_column": "file",
        "--group_column": "person",
        "--attributes": json.dumps({"mask": ["worn", "incorrect", "none"], "gender": ["female", "male"]}),
        "--open": "false",
    }
    pairs = [text for pair in flags.items() for text in pair]
    return [sys.executable, "-m", "exploration", "review", str(channel), *pairs]


def measure(url: str, executable: str, frames: int) -> list[dict[str, Any]]:
    """A row per list and speed: median and 95th percentile in milliseconds, and shares of late frames."""
    from playwright.sync_api import sync_playwright

    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable)
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.goto(url)
        page.wait_for_selector("body:not(.loading)")
        for key, name, element in (("m", "grid of step 1", "grid"), ("o", "queue", "queue")):
            page.keyboard.press(key)
            page.wait_for_timeout(1000)
            for speed in (20, 200, 2000):
                times = page.evaluate(SCROLL, [element, speed, frames])
                rows.append({"list": name, "pixels per frame": speed, **summary(times)})
        browser.close()
    return rows


def summary(times: Sequence[float]) -> dict[str, str]:
    """Median, 95th percentile and shares of late frames of times in milliseconds."""
    late = {limit: sum(time > limit + 1 for time in times) / len(times) for limit in FRAMES}  # clocks are rounded
    return {
        "median ms": f"{statistics.median(times):.1f}",
        "p95 ms": f"{statistics.quantiles(times, n=20)[-1]:.1f}",
        **{f"above {limit:.1f} ms": f"{100 * share:.1f} %" for limit, share in late.items()},
    }


if __name__ == "__main__":
    sys.exit(run(main))
