"""A model that came back as an archive is unpacked and checked without torch."""

import json
from pathlib import Path

from jobs.results.fetch import model_from_archive
from model.artifacts.archive import pack
from model.artifacts.verify import verify


def saved_model(folder: Path) -> Path:
    """The files of a saved model, the least that passes."""
    folder.mkdir(parents=True, exist_ok=True)
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    (folder / "settings.yaml").write_text("model: resnet10t\nepochs: 3\n")
    (folder / "labels.json").write_text(json.dumps({"attributes": [{"name": "mask", "values": ["worn", "none"]}]}))
    (folder / "preprocessing.json").write_text("{}")
    (folder / "metrics.json").write_text('{"finished": true}')
    return folder


def test_a_whole_model_is_told(tmp_path):
    pack(saved_model(tmp_path / "made"), tmp_path / "model.tar.gz")
    assert model_from_archive(tmp_path) == f"model: {tmp_path / 'model'} (resnet10t, 2 classes)"
    (tmp_path / "model" / "metrics.json").write_text('{"finished": false}')
    assert str(verify(tmp_path / "model")).endswith("of a run that was stopped")
