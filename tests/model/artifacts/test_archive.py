"""model.tar.gz: what is unpacked, and what is refused before anything is written."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from model.artifacts.archive import opened_model, unpack
from model.errors import InputError


def pack(path: Path, *members: tuple[str, bytes | None], kind: bytes = tarfile.REGTYPE, link: str = "") -> Path:
    """An archive of files (name, content); those without content are of a kind."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = kind, link
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def test_files_and_folders_come_out(tmp_path: Path):
    archive = pack(tmp_path / "a.tar.gz", ("./", None), ("./exp/a", b"1"), ("b", b"2"), kind=tarfile.DIRTYPE)
    unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "exp" / "a").read_bytes() == b"1" and (tmp_path / "out" / "b").read_bytes() == b"2"


@pytest.mark.parametrize(
    ("name", "kind", "link", "told"),
    [
        ("../evil", None, "", "leaves the folder"),
        ("/tmp/evil", None, "", "leaves the folder"),
        ("a/../../evil", None, "", "leaves the folder"),
        ("evil", tarfile.SYMTYPE, "/etc", "a link or a device"),
        ("evil", tarfile.LNKTYPE, "good", "a link or a device"),
        ("evil", tarfile.CHRTYPE, "", "a link or a device"),
        ("evil", tarfile.FIFOTYPE, "", "a link or a device"),
        ("good", None, "", "there twice"),
    ],
)
def test_what_would_write_elsewhere_is_refused_whole(tmp_path: Path, name, kind, link, told):
    evil = (name, b"x") if kind is None else (name, None)
    archive = pack(tmp_path / "model.tar.gz", ("good", b"1"), evil, kind=kind or tarfile.REGTYPE, link=link)
    out = tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    with pytest.raises(InputError, match=told):
        unpack(archive, out)
    assert not list(out.iterdir()) and sorted(path.name for path in tmp_path.iterdir()) == ["deep", "model.tar.gz"]


@pytest.mark.parametrize("content", [b"no archive", b""])
def test_a_damaged_archive_is_told(tmp_path: Path, content: bytes):
    (tmp_path / "model.tar.gz").write_bytes(content)
    with pytest.raises(InputError, match="cannot be unpacked"), opened_model(tmp_path):
        pass


def test_a_model_beside_its_archive_is_taken_as_it_is(tmp_path: Path):
    pack(tmp_path / "model.tar.gz", ("../evil", b"x"))
    for name in ("model.safetensors", "settings.yaml"):
        (tmp_path / name).touch()
    with opened_model(tmp_path) as folder:
        assert folder == tmp_path
    with opened_model(tmp_path.parent / tmp_path.name) as folder:
        assert folder.is_dir()


def test_an_archive_without_a_model_is_told(tmp_path: Path):
    pack(tmp_path / "model.tar.gz", ("a.txt", b"x"))
    with pytest.raises(InputError, match="no saved model lies in it"), opened_model(tmp_path):
        pass
