"""model.tar.gz: what is packed and unpacked, and what is refused before anything is written."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from model.artifacts.archive import opened_members, opened_model, pack, unpack, unpack_as
from model.errors import InputError


def archive_of(path: Path, *members: tuple[str, bytes | None], kind: bytes = tarfile.REGTYPE, link: str = "") -> Path:
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


def test_files_and_folders_are_unpacked(tmp_path: Path):
    archive = archive_of(tmp_path / "a.tar.gz", ("./", None), ("./exp/a", b"1"), ("b", b"2"), kind=tarfile.DIRTYPE)
    unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "exp" / "a").read_bytes() == b"1" and (tmp_path / "out" / "b").read_bytes() == b"2"


@pytest.mark.parametrize(
    ("name", "kind", "link", "message"),
    [
        ("../evil", None, "", "leaves the folder"),
        ("/tmp/evil", None, "", "leaves the folder"),
        ("a/../../evil", None, "", "leaves the folder"),
        ("evil", tarfile.SYMTYPE, "/etc", "a link or a device"),
        ("evil", tarfile.LNKTYPE, "good", "a link or a device"),
        ("evil", tarfile.CHRTYPE, "", "a link or a device"),
        ("evil", tarfile.FIFOTYPE, "", "a link or a device"),
        ("good", None, "", "is a duplicate"),
    ],
)
def test_an_archive_that_would_write_outside_the_folder_is_refused(tmp_path: Path, name, kind, link, message):
    evil = (name, b"x") if kind is None else (name, None)
    archive = archive_of(tmp_path / "model.tar.gz", ("good", b"1"), evil, kind=kind or tarfile.REGTYPE, link=link)
    out = tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    with pytest.raises(InputError, match=message):
        unpack(archive, out)
    assert not list(out.iterdir()) and sorted(path.name for path in tmp_path.iterdir()) == ["deep", "model.tar.gz"]


@pytest.mark.parametrize("content", [b"no archive", b""])
def test_a_damaged_archive_is_reported(tmp_path: Path, content: bytes):
    (tmp_path / "model.tar.gz").write_bytes(content)
    with pytest.raises(InputError, match="cannot be unpacked"), opened_model(tmp_path):
        pass


def test_a_model_next_to_its_archive_is_used(tmp_path: Path):
    archive_of(tmp_path / "model.tar.gz", ("../evil", b"x"))
    for name in ("model.safetensors", "settings.yaml"):
        (tmp_path / name).touch()
    with opened_model(tmp_path) as folder:
        assert folder == tmp_path
    with opened_model(tmp_path.parent / tmp_path.name) as folder:
        assert folder.is_dir()


def test_an_archive_without_a_model_is_reported(tmp_path: Path):
    archive_of(tmp_path / "model.tar.gz", ("a.txt", b"x"))
    with (
        pytest.raises(InputError, match="neither this folder nor its subfolders contain a saved model"),
        opened_model(tmp_path),
    ):
        pass


def test_members_of_an_ensemble_keep_their_weights_and_archives_are_unpacked_meanwhile(tmp_path: Path):
    plain = tmp_path / "plain"
    plain.mkdir()
    for name in ("model.safetensors", "settings.yaml"):
        (plain / name).touch()
    pack(plain, tmp_path / "packed.tar.gz")
    texts = [str(plain), f"{plain}:2", f"{tmp_path / 'packed.tar.gz'}:0.5"]
    with opened_members(texts) as members:
        folder, _, weight = members[2].rpartition(":")
        assert members[:2] == texts[:2] and weight == "0.5"
        assert (Path(folder) / "model.safetensors").is_file() and tmp_path not in Path(folder).parents
    assert not Path(folder).exists()


def write_archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "evil",
    [
        tar_member("../evil"),
        tar_member("a/../../evil"),
        tar_member("/tmp/evil-of-a-test"),
        tar_member("link", tarfile.SYMTYPE, "/etc/passwd"),
        tar_member("link", tarfile.SYMTYPE, "inside"),
        tar_member("hard", tarfile.LNKTYPE, "good"),
        tar_member("device", tarfile.CHRTYPE),
        tar_member("device", tarfile.BLKTYPE),
        tar_member("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.name} {info.type!r}",
)
def test_an_unsafe_archive_leaves_no_files(evil, tmp_path):
    archive = write_archive(tmp_path / "m.tar.gz", (tar_member("good"), b"x"), (evil, b""))
    folder = tmp_path / "in" / "model"
    folder.mkdir(parents=True)
    (folder / "before").write_text("kept")
    with pytest.raises(InputError, match="nothing is unpacked"):
        unpack_as(archive, folder)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["before", "in", "m.tar.gz", "model"]
    assert not Path("/tmp/evil-of-a-test").exists()


@pytest.mark.parametrize("cut", [10, 200, -20])
def test_a_damaged_archive_replaces_nothing(cut, tmp_path):
    good = write_archive(tmp_path / "m.tar.gz", (tar_member("a"), bytes(range(256)) * 40)).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(good[:cut])
    with pytest.raises(InputError, match=r"cut\.tar\.gz: cannot be unpacked"):
        unpack_as(tmp_path / "cut.tar.gz", tmp_path / "model")
    broken = bytearray(good)
    broken[len(good) // 2] ^= 0xFF
    (tmp_path / "bad.tar.gz").write_bytes(broken)
    with pytest.raises(InputError):
        unpack_as(tmp_path / "bad.tar.gz", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_packed_folder_replaces_the_earlier_one(tmp_path):
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
