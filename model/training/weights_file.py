"""Weights on disk: .safetensors and .pth files and saved models, as tensors by name, with the heads where known."""

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
from model.artifacts.files import LABELS, WEIGHTS, is_ensemble
from model.artifacts.metadata import read_json_object
from model.errors import InputError, did_you_mean
from model.labels import Scheme
from model.network.heads import Heads

STATE_DICT_KEYS = ("state_dict", "model", "model_state_dict")  # training scripts save the state_dict under one of them


@dataclass(frozen=True)
class Weights:
    """What `--weights` names.

    Attributes:
        name: Its name in messages.
        tensors: Tensors by parameter name.
        heads: The heads whose classifiers are among the tensors; None if no labels.json says what they are of.
    """

    name: str
    tensors: dict[str, torch.Tensor]
    heads: Heads | None = None


def read_weights(path: Path) -> Weights:
    """Reads weights.

    Args:
        path: .safetensors, .pth (loaded with weights_only), a saved model's folder, a model.tar.gz, or a folder with
            one of the latter two.

    Raises:
        InputError: If the file cannot be read, or holds anything but tensors.
    """
    with _opened(path) as file:
        return Weights(path.name, _tensors(file, path), _heads(file))


def check_weights(path: Path) -> None:
    """Checks that weights are there and can be opened, without reading all tensors of a .safetensors file.

    Raises:
        InputError: As of read_weights.
    """
    with _opened(path) as file:
        if file.suffix != ".safetensors":
            _tensors(file, path)
            return
        try:
            with safe_open(file, framework="pt"):  # reads the header and compares the size of the file with it
                pass
        except FileNotFoundError:
            raise _missing(path) from None
        except (OSError, SafetensorError) as error:
            raise InputError(f"weights {path}: cannot be read: {error}") from None
        _heads(file)


@contextmanager
def _opened(path: Path) -> Iterator[Path]:
    """The file of weights that path names, for as long as the block lasts."""
    if path.is_dir() and (path / WEIGHTS).is_file():
        yield path / WEIGHTS
    elif path.is_dir() or (path.is_file() and path.name.endswith(".tar.gz")):
        with opened_model(path) as folder:
            if is_ensemble(folder):
                raise InputError(f"weights {path}: it is an ensemble; name one of the models in it")
            yield folder / WEIGHTS
    else:
        yield path


def _missing(path: Path) -> InputError:
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    return InputError(f"weights {path}: there is no such file{did_you_mean(path.name, beside)}")


def _tensors(file: Path, path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file. path: what the user named, for messages."""
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise _missing(path) from None
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError) as error:
        raise InputError(f"weights {path}: cannot be read: {error}") from None
    except Exception as error:  # pickle.UnpicklingError, and others that a damaged pickle raises
        raise InputError(f"weights {path}: not tensors alone ({type(error).__name__}); save its state_dict") from None
    for key in STATE_DICT_KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise InputError(f"weights {path}: expected tensors by name, a state_dict")
    return {str(key).removeprefix("module."): value for key, value in content.items()}


def _heads(file: Path) -> Heads | None:
    """The heads of the saved model that a file of weights belongs to; None if it belongs to none."""
    labels_file = file.parent / LABELS
    if file.name != WEIGHTS or not labels_file.is_file():
        return None
    labels = read_json_object(labels_file)
    return Heads.from_dict(Scheme.from_dict(labels), labels)
