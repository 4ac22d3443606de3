"""Reads weights from .safetensors and .pth files and from saved models, whose heads are read too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from model.artifacts.archive import opened_model
from model.artifacts.files import LABELS, PREPROCESSING, WEIGHTS, is_ensemble
from model.artifacts.metadata import read_json_object
from model.errors import InputError, nearest_path
from model.images.pipeline import InputPipeline
from model.images.vocabulary import Vocabulary
from model.labels import Scheme
from model.network.heads import Heads

STATE_DICT_KEYS = ("state_dict", "model", "model_state_dict")  # keys under which training scripts save it


@dataclass(frozen=True)
class Weights:
    """The weights that the setting `weights` names.

    Attributes:
        name: File name for messages.
        tensors: Tensors by parameter name.
        heads: The heads whose classifiers are among the tensors; None if unknown, as there is no labels.json.
        vocabulary: The metadata whose embeddings are among the tensors; None if there are none, or it is unknown.
    """

    name: str
    tensors: dict[str, torch.Tensor]
    heads: Heads | None = None
    vocabulary: Vocabulary | None = None


def read_weights(path: Path) -> Weights:
    """Reads weights.

    Args:
        path: .safetensors, .pth (loaded with weights_only), a saved model's folder, a model.tar.gz, or a folder that
            contains one of the latter two.

    Raises:
        InputError: If the file cannot be read, or contains anything but tensors.
    """
    with _opened(path) as file:
        return Weights(path.name, _tensors(file, path), _heads(file), _vocabulary(file))


def check_weights(path: Path) -> None:
    """Checks that weights exist and can be opened, without reading the tensors of a .safetensors file.

    Raises:
        InputError: As in read_weights.
    """
    with _opened(path) as file:
        if file.suffix != ".safetensors":
            _tensors(file, path)
            return
        try:
            with safe_open(file, framework="pt"):  # reads the header and compares it with the file's size
                pass
        except FileNotFoundError:
            raise _missing(path) from None
        except (OSError, SafetensorError) as error:
            raise InputError(f"weights {path}: cannot be read: {error}") from None
        _heads(file)


@contextmanager
def _opened(path: Path) -> Iterator[Path]:
    """The weights file of a path, as a context: an archive is unpacked to a temporary folder."""
    if path.is_dir() and (path / WEIGHTS).is_file():
        yield path / WEIGHTS
    elif path.is_dir() or (path.is_file() and path.name.endswith(".tar.gz")):
        with opened_model(path) as folder:
            if is_ensemble(folder):
                raise InputError(f"weights {path}: this is an ensemble; name one of the models in it")
            yield folder / WEIGHTS
    else:
        yield path


def _missing(path: Path) -> InputError:
    return InputError(f"weights {path}: there is no such file{nearest_path(path)}")


def _tensors(file: Path, path: Path) -> dict[str, torch.Tensor]:
    """Reads the tensors of a file. path: the path that the user named, for messages."""
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise _missing(path) from None
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError) as error:
        raise InputError(f"weights {path}: cannot be read: {error}") from None
    except Exception as error:  # pickle.UnpicklingError, or others from a damaged pickle
        reason = f"contains objects that are not tensors ({type(error).__name__})"
        raise InputError(f"weights {path}: {reason}; save the state_dict instead") from None
    for key in STATE_DICT_KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise InputError(f"weights {path}: expected a state_dict, tensors by name")
    return {str(key).removeprefix("module."): value for key, value in content.items()}


def _heads(file: Path) -> Heads | None:
    """The heads of the saved model that a weights file belongs to; None if it is not part of a saved model."""
    labels_file = file.parent / LABELS
    if file.name != WEIGHTS or not labels_file.is_file():
        return None
    labels = read_json_object(labels_file)
    return Heads.from_dict(Scheme.from_dict(labels), labels)


def _vocabulary(file: Path) -> Vocabulary | None:
    """The metadata that the saved model of a weights file reads; None if it reads none or the file is of no model."""
    preprocessing = file.parent / PREPROCESSING
    if file.name != WEIGHTS or not preprocessing.is_file():
        return None
    return InputPipeline.from_dict(read_json_object(preprocessing)).vocabulary
