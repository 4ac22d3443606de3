"""Channels with images in tar files are read like channels of separate files."""

import io
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data.channel import read_channel
from model.data.image_dataset import ImageDataset
from model.data.integrity import check_images
from model.data.loader import batches
from model.data.prediction_input import read_info
from model.data.readers.channel_files import ChannelFiles
from model.data.readers.image_names import is_image
from model.data.readers.shards import INDEX, INNER_INDEX, read_inner_index, read_shards, write_shards
from model.data.sampling import ClassSampler, EpochSampler
from model.errors import InputError, Problems
from model.images.decode import read_image
from model.images.pipeline import InputPipeline
from model.images.preprocessing import Preprocessing
from model.images.tta import Views
from tests.model.data.conftest import pack_with_one_index


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    """Class folders with an unrelated CSV next to them, a Korean name and a long name."""
    folder = tmp_path / "loose"
    names = ["a/1.png", "a/2.png", "착용/3.png", f"b/{'x' * 120}.png", "b/deep/4.png"]
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((9, 7 + number, 3), 30 * number, np.uint8)).save(folder / name)
    (folder / "notes.txt").write_text("kept")
    return folder


def packed(loose: Path, most_bytes: int = 200) -> Path:
    target = loose.with_name("packed")
    names = sorted(path for _, path in ChannelFiles(loose).below(""))
    write_shards(loose, target, names, is_image, most_bytes)
    return target


def packed_with_one_index(loose: Path) -> Path:
    images = sorted(path.relative_to(loose).as_posix() for path in loose.rglob("*.png"))
    return pack_with_one_index(loose, loose.with_name("packed"), [images[:2], images[2:]], ["notes.txt"])


@pytest.mark.parametrize("pack", [packed, packed_with_one_index])
def test_the_table_is_the_same_as_for_separate_files(loose, pack):
    target = pack(loose)
    problems = Problems("channel")
    tables = [read_channel(folder, problems) for folder in (loose, target)]
    assert not problems
    first, second = tables
    assert first is not None and second is not None
    assert second.locations.paths == first.locations.paths
    assert second.labels.equals(first.labels) and second.scheme == first.scheme
    assert len(set(second.locations.shards)) > 1 and (target / "notes.txt").read_text() == "kept"
    for row in range(len(first)):
        pixels = [np.asarray(read_image(table.root, table.locations[row])) for table in (first, second)]
        assert np.array_equal(*pixels)
    assert check_images(second, problems).read == len(second) and not problems


@pytest.mark.parametrize("workers", [0, 1])
def test_ranks_read_every_image_once_per_epoch_shuffled_by_seed(tmp_path, workers):
    folder, number = tmp_path / "many", 24
    for row in range(number):
        (folder / f"{row % 3}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), 10 * row, np.uint8)).save(folder / f"{row % 3}" / f"{row:02d}.png")
    table = read_channel(packed(folder, 300), Problems("channel"))
    assert table is not None and len(set(table.locations.shards)) > 2
    pictures = ImageDataset(table.root, table.locations, Views(InputPipeline(Preprocessing(4, 4))))

    def read(seed: int, epoch: int, rank: int) -> list[int]:
        """The numbers of the images, in the order in which a rank gets them."""
        sampler = EpochSampler(ClassSampler(table.labels.iloc[:, 0].to_numpy(), 0.0, seed), 8, rank, world=2)
        got = batches(pictures, sampler.batches(epoch), workers)
        return [int(pixels[0, 0, 0, 0]) // 10 for batch in got for pixels in batch.inputs.arrays["pixels"]]

    for epoch in (1, 2):
        ranks = [read(0, epoch, rank) for rank in (0, 1)]
        assert sorted(ranks[0] + ranks[1]) == list(range(number)) and len(ranks[0]) == len(ranks[1])
        assert ranks[0] == read(0, epoch, 0) != read(1, epoch, 0)
    assert read(0, 1, 0) != read(0, 2, 0)


def test_shards_are_plain_tar_files_and_the_same_for_the_same_files(loose, tmp_path):
    target = packed(loose)
    names = []
    for shard in sorted(target.glob("*.tar")):
        with tarfile.open(shard) as tar:
            index, *members = tar
            assert index.name == INNER_INDEX
            for member in members:
                names.append(member.name)
                content = tar.extractfile(member)
                assert content is not None and content.read() == (loose / member.name).read_bytes()
    assert sorted(names) == sorted(path.relative_to(loose).as_posix() for path in loose.rglob("*.png"))
    again = tmp_path / "again"
    write_shards(loose, again, sorted(path for _, path in ChannelFiles(loose).below("")), is_image, 200)
    for path in target.rglob("*.*"):
        assert path.read_bytes() == (again / path.relative_to(target)).read_bytes()


def test_inference_finds_images_in_shards_by_info_and_without(loose):
    (loose / "info.csv").write_text("ImageID,ans\n1.png,0\nmissing.png,0\n")
    for name in ("a/1.png",):
        (loose / name).rename(loose / "1.png")
    target = packed(loose)
    inputs = read_info(target)
    assert (inputs.name_column, inputs.rows["ImageID"].tolist()) == ("ImageID", ["1.png", "missing.png"])
    assert inputs.locations.shards == ["shard-00000.tar", None] and inputs.locations[1].size == -1
    (target / "info.csv").unlink()
    assert len(read_info(target)) == 5


def test_a_broken_image_in_a_shard_is_reported_by_its_name(loose):
    (loose / "a" / "1.png").write_bytes(b"no image")
    table, problems = read_channel(packed(loose), Problems("x")), Problems("channel")
    assert table is not None
    check_images(table, problems)
    assert "a/1.png" in str(problems)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("../evil.png,shard-00000.tar,512,10", "path outside the channel"),
        ("/evil.png,shard-00000.tar,512,10", "path outside the channel"),
        ("evil.png,../shard.tar,512,10", "shard outside the channel"),
        ("evil.png,other.tar,512,10", "missing shard"),
        ("evil.png,shard-00000.tar,512,99999999", "byte range beyond the end of the shard"),
        ("evil.png,shard-00000.tar,-1,10", "byte range beyond the end of the shard"),
        ("evil.png,shard-00000.tar,many,10", "row without a valid byte range"),
        ("a/1.png,shard-00000.tar,512,10", "duplicate image"),
    ],
)
def test_an_invalid_row_of_the_index_is_reported(loose, row, message):
    target = packed_with_one_index(loose)
    with (target / INDEX).open("a") as file:
        file.write(f"{row}\n")
    with pytest.raises(InputError, match=message):
        ChannelFiles(target)


def test_an_index_with_other_columns_is_reported(loose):
    target = packed_with_one_index(loose)
    (target / INDEX).write_text("name,file\n")
    with pytest.raises(InputError, match="expected the columns path, shard, offset, size, not name, file"):
        read_shards(target)


def test_a_folder_without_an_index_has_no_shards(loose):
    assert not read_shards(loose).entries


def test_each_shard_alone_is_a_channel_of_its_own_images(loose, tmp_path):
    """The shards that a host gets if SageMaker divides them by key (ShardedByS3Key)."""
    target = packed(loose)
    paths = []
    for shard in sorted(target.glob("*.tar")):
        own = tmp_path / shard.stem
        own.mkdir()
        shutil.copy(shard, own / "renamed.tar")
        inputs = read_info(own)
        paths += inputs.locations.paths
        for location in inputs.locations:
            assert np.array_equal(np.asarray(read_image(own, location)), np.asarray(Image.open(loose / location.path)))
    assert sorted(paths) == sorted(path.relative_to(loose).as_posix() for path in loose.rglob("*.png"))


def test_earlier_and_new_shards_may_be_in_one_folder(loose, tmp_path):
    target = packed_with_one_index(loose)
    (tmp_path / "more").mkdir()
    Image.new("RGB", (5, 5)).save(tmp_path / "more" / "new.png")
    write_shards(tmp_path / "more", tmp_path / "more-shards", ["new.png"], is_image, 99)
    shutil.copy(tmp_path / "more-shards" / "shard-00000.tar", target / "more.tar")
    assert len(read_info(target)) == 6
    shutil.copy(target / "more.tar", target / "again.tar")
    with pytest.raises(InputError, match=r"duplicate image \(1\):\n *more.tar: row 2 of its index: new.png"):
        ChannelFiles(target)


def shard_of(folder: Path, index: str, images: bytes = b"") -> Path:
    """A tar file whose first member is this index."""
    folder.mkdir()
    with tarfile.open(folder / "a.tar", "w") as tar:
        for name, content in ((INNER_INDEX, index.encode()), ("a.png", images)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return folder / "a.tar"


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("path,offset,size\n../evil.png,512,3\n", "path outside the channel"),
        ("path,offset,size\na.png,512,99999\n", "byte range beyond the end of the shard"),
        ("path,offset,size\na.png,-9999,3\n", "byte range beyond the end of the shard"),
        ("path,offset,size\na.png,512,3\na.png,512,3\n", "duplicate image"),
        ("path,offset,size\na.png,many,3\n", r"a.tar: its index cannot be read: invalid literal .*'many'"),
        ("path,offset\n", "its index cannot be read: expected the columns path, offset, size, not path, offset"),
        ("path,offset,size\na.png,512\n", "its index cannot be read: not enough values"),
    ],
)
def test_an_invalid_index_in_a_shard_is_reported(tmp_path, index, message):
    with pytest.raises(InputError, match=message):
        read_shards(shard_of(tmp_path / "shards", index, b"abc").parent)


def test_a_tar_file_without_an_index_is_not_a_shard(tmp_path):
    (tmp_path / "text.tar").write_text("no tar file")
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.add(tmp_path / "text.tar", "text.tar")
    (tmp_path / "folder.tar").mkdir()
    assert read_inner_index(tmp_path / "text.tar") is None and read_inner_index(tmp_path / "other.tar") is None
    assert not read_shards(tmp_path).files
