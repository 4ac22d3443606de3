"""What the pages share: Jinja's environment with common filters, and the style sheets and scripts of a page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from model import __version__
from model.evaluation.report import sentences
from model.labels import JOIN

TEMPLATES = Path(__file__).parent / "templates"
ROWS_UNFOLDED = 24  # classes; of more, the others are hidden at first


def page_environment(*folders: Path) -> Environment:
    """Jinja's environment for the templates in these folders, with autoescape; an undefined variable is an error."""
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}
    environment.filters.update(
        count=sentences.count, counted=sentences.counted, points=sentences.points, breakable=breakable
    )
    environment.globals.update(rows_unfolded=ROWS_UNFOLDED)
    return environment


def breakable(name: str) -> Markup:
    """A class name that may be broken after each attribute's value."""
    return Markup(f"{JOIN}<wbr>").join(name.split(JOIN))


def embedded_files(styles: Sequence[Path], scripts: Sequence[Path]) -> dict[str, str]:
    """Version, style, script, and the hash of the script for the Content-Security-Policy of a page.

    Args:
        styles: CSS files, of which later ones take precedence.
        scripts: JavaScript files, in the order in which they run.
    """
    script = "\n".join(path.read_text(encoding="utf-8") for path in scripts)
    return {
        "version": __version__,
        "script": Markup(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "style": Markup("\n".join(path.read_text(encoding="utf-8") for path in styles)),
    }
