"""Fingerprint of a saved model or an ensemble: a hash of everything that its predictions depend on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from model.artifacts.ensemble import Ensemble
from model.artifacts.files import DECISION, LABELS, LEARNT_FROM, PREPROCESSING, SETTINGS, network_file
from model.artifacts.saved_model import SavedModel

DIGEST_BYTES = 16
CHUNK_BYTES = 1 << 20


def model_fingerprint(model: SavedModel | Ensemble) -> str:
    """A hash of the files that a saved model predicts with. For an ensemble: of its members, weights, combination and
    decision. The name of the folder does not matter."""
    if isinstance(model, SavedModel):
        names = (network_file(model.folder), SETTINGS, LABELS, PREPROCESSING, DECISION, LEARNT_FROM)
        files = {name: file_digest(model.folder / name) for name in names if name and (model.folder / name).is_file()}
        return text_digest(json.dumps(files, sort_keys=True))
    members = [model_fingerprint(member) for member in model.members]
    return text_digest(json.dumps([members, list(map(float, model.weights)), model.combine, repr(model.decision)]))


def file_digest(path: Path) -> str:
    """BLAKE2b of a file's content, as hexadecimal text."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def text_digest(text: str) -> str:
    """BLAKE2b of a text, as hexadecimal text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()
