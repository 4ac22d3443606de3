"""Remembers which folders of the cache the features of some settings are in, so that reading them needs no torch.

What features depend on is known only once the network is loaded: its weights, its preprocessing, the precision that
the hardware is fast with. A request is a hash of the settings, of the files that they name and of library versions.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from model.artifacts.archive import MODEL_ARCHIVE
from model.artifacts.discovery import find_model, models_below
from model.artifacts.files import PREPROCESSING, SETTINGS, is_ensemble, is_saved_model, network_file
from model.artifacts.fingerprint import file_digest, text_digest
from model.atomic_write import json_text, write_json
from model.settings.embedder import THUMBNAIL, EmbedderSettings

REQUESTS = "requests"  # folder in the cache
LIBRARIES = ("torch", "timm", "pillow")


@dataclass(frozen=True)
class CachedFeatures:
    """The features of one input size in the cache.

    Attributes:
        folder: Name of their folder.
        name: Name for texts, such as `mobilenetv2_100, 224x224`.
        features: Number of features of an image.
    """

    folder: str
    name: str
    features: int


def saved_model_path(model: str) -> Path | None:
    """The path of a saved model that the setting `model` names; None if it is the name of a backbone."""
    path = Path(model)
    if model == THUMBNAIL:
        return None
    if "/" in model or model.endswith(".tar.gz"):
        return path
    is_there = path.is_dir() and ((path / MODEL_ARCHIVE).is_file() or is_saved_model(path) or is_ensemble(path))
    return path if is_there or (path.is_dir() and models_below(path)) else None


def request_digest(settings: EmbedderSettings) -> str:
    """A hash of the settings that features depend on, of the files that they name, and of library versions.

    Raises:
        InputError: There is no such saved model.
    """
    path = saved_model_path(settings.model)
    content = {
        "model": settings.model if path is None else _files(path),
        "weights": _files(Path(settings.weights)) if settings.weights else {},
        "sizes": [settings.input_size, settings.sizes],
        "machine": [settings.precision, settings.device],
        "libraries": [] if settings.model == THUMBNAIL else list(map(_version, LIBRARIES)),
    }
    return text_digest(json_text(content))


def read_request(cache: Path, digest: str) -> list[CachedFeatures]:
    """Where the features of a request are; empty if they were not computed before. cache: folder of all embeddings."""
    try:
        content = json.loads((cache / REQUESTS / f"{digest}.request.json").read_text(encoding="utf-8"))
        return [CachedFeatures(str(entry["folder"]), str(entry["name"]), int(entry["features"])) for entry in content]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def write_request(cache: Path, digest: str, found: list[CachedFeatures]) -> None:
    """Remembers where the features of a request are. Raises OSError."""
    write_json(cache / REQUESTS / f"{digest}.request.json", [asdict(entry) for entry in found])


def _files(path: Path) -> dict[str, str]:
    """Hashes of the files of weights: of the file, or those of a saved model that features depend on."""
    if not path.is_dir():
        return {"": file_digest(path)} if path.is_file() else {}
    archive = path / MODEL_ARCHIVE
    if archive.is_file() and not models_below(path):
        return {"": file_digest(archive)}
    folder = find_model(path)
    names = (network_file(folder), SETTINGS, PREPROCESSING)
    return {name: file_digest(folder / name) for name in names if name and (folder / name).is_file()}


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
