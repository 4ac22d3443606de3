"""Archives leave nothing outside their folder, and a model that came back is checked without torch."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.results.fetch import model_from_archive
from model.artifacts.archive import pack, unpack_as
from model.artifacts.verify import verify
from model.errors import Failure, InputError


def made(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "evil",
    [
        member("../evil"),
        member("a/../../evil"),
        member("/tmp/evil-of-a-test"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("link", tarfile.SYMTYPE, "inside"),
        member("hard", tarfile.LNKTYPE, "good"),
        member("device", tarfile.CHRTYPE),
        member("device", tarfile.BLKTYPE),
        member("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.name} {info.type!r}",
)
def test_an_archive_that_cannot_be_trusted_leaves_nothing(evil, tmp_path):
    archive = made(tmp_path / "m.tar.gz", (member("good"), b"x"), (evil, b""))
    folder = tmp_path / "in" / "model"
    folder.mkdir(parents=True)
    (folder / "before").write_text("kept")
    with pytest.raises(InputError, match="nothing is unpacked"):
        unpack_as(archive, folder)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["before", "here", "in", "m.tar.gz", "model"]
    assert not Path("/tmp/evil-of-a-test").exists()


@pytest.mark.parametrize("cut", [10, 200, -20])
def test_a_damaged_archive_is_told(cut, tmp_path):
    good = made(tmp_path / "m.tar.gz", (member("a"), bytes(range(256)) * 40)).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(good[:cut])
    with pytest.raises(InputError, match=r"cut\.tar\.gz: cannot be unpacked"):
        unpack_as(tmp_path / "cut.tar.gz", tmp_path / "model")
    broken = bytearray(good)
    broken[len(good) // 2] ^= 0xFF
    (tmp_path / "bad.tar.gz").write_bytes(broken)
    with pytest.raises(InputError):
        unpack_as(tmp_path / "bad.tar.gz", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_what_is_packed_is_unpacked_in_place_of_what_was_there(tmp_path):
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "착용").write_bytes(b"1")
    (source / "top").write_bytes(b"2")
    pack(source, tmp_path / "a.tar.gz", lead="data/")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    unpack_as(tmp_path / "a.tar.gz", tmp_path / "out", strip="data")
    found = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"deep/착용", "top"}


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


def test_an_ensemble_is_told(tmp_path):
    for name in ("a", "b"):
        saved_model(tmp_path / name)
    (tmp_path / "ensemble.json").write_text(json.dumps({"members": [{"model": "a"}, {"model": "b"}]}))
    assert str(verify(tmp_path)) == "2 models, resnet10t, 2 classes"


def cut_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda folder: (folder / "metrics.json").unlink(), "metrics.json"),
        (cut_weights, "bytes where its header tells of"),
        (lambda folder: (folder / "settings.yaml").write_text("modle: x\n"), "nearest: model"),
        (lambda folder: (folder / "labels.json").write_text("{}"), "not a label scheme"),
        (lambda folder: (folder / "settings.yaml").write_text("- a\n"), "settings.yaml|no attribute"),
    ],
)
def test_a_model_that_is_not_whole_is_told(harm: Callable[[Path], None], told, tmp_path):
    harm(saved_model(tmp_path / "model"))
    with pytest.raises(Failure, match=told):
        verify(tmp_path / "model")
