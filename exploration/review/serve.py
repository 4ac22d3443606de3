"""Serves a review page on this machine until it is interrupted."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from container.http.server import ConnectionLimits, HttpServer, open_listener
from exploration.review.app import ReviewApp
from exploration.review.page_settings import PageSettings
from exploration.review.review_data import ReviewData
from exploration.review.store import DecisionStore
from exploration.review.thumbnails import ReviewImages
from model.cleaning.audit import Audit
from model.errors import InputError

if TYPE_CHECKING:
    from exploration.review.heat_images import HeatImages

HOST = "127.0.0.1"
LIMITS = ConnectionLimits(max_connections=200, drain_seconds=5)


def serve(settings: PageSettings, channel: Path, start: Callable[[int], ReviewApp], advice: str) -> None:
    """Serves until Ctrl-C or SIGTERM, then prints how much was saved.

    Args:
        settings: The settings of the page.
        channel: Folder of the images.
        start: Makes the app of a port.
        advice: What to do with the decisions.

    Raises:
        InputError: The corrections would be written into the channel, or what `start` raises.
    """
    refuse_inside(Path(settings.corrections), channel)
    with open_listener(HOST, settings.port) as listener:
        review = start(listener.getsockname()[1])
        server = HttpServer(review.app(), LIMITS)
        url = f"http://{HOST}:{review.port}/?token={review.token}"
        levels = {item.level for item in review.data.items}
        count = f"{len(review.data.items):,} {f'{levels.pop()}s' if len(levels) == 1 else 'suspects'}"
        print(f"{count} to review by {review.data.reviewer}; decisions are saved in {settings.corrections}")
        print(f"{url}\nCtrl-C ends the review", flush=True)
        if settings.open and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            webbrowser.open(url)
        signal.signal(signal.SIGTERM, _interrupt)  # uvicorn raises signals again after the last response
        with contextlib.suppress(KeyboardInterrupt):
            server.run(listener)
        review.close()
    print(f"\n{review.saved:,} decisions were saved in {settings.corrections}; {advice}")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def make_review(
    settings: PageSettings,
    port: int,
    data: ReviewData,
    images: ReviewImages,
    audit: Audit | None = None,
    heat: HeatImages | None = None,
) -> ReviewApp:
    """The app of a review, with the earlier decisions and a new token.

    Args:
        settings: The settings of the page.
        port: Port of the server.
        data: What is reviewed.
        images: The images as JPEGs.
        audit: The audit whose estimates the page shows, if there is one.
        heat: The heat maps of a model, if there is one.

    Raises:
        InputError: The corrections are invalid.
    """
    store = DecisionStore(Path(settings.corrections))
    return ReviewApp(data, store, images, secrets.token_urlsafe(24), port, audit, heat)


def refuse_inside(corrections: Path, channel: Path) -> None:
    """InputError if the corrections would be written into the channel, where they could be read as its labels."""
    if corrections.resolve().is_relative_to(channel.resolve()):
        raise InputError(f"corrections {corrections}: must not be in the channel {channel}; choose another folder")
