import base64
import io

import numpy as np
import pytest
from PIL import Image

from model.data.readers.channel_files import ChannelFiles
from model.data.readers.image_names import is_image
from model.data.readers.shards import write_shards
from model.errors import InputError
from model.evaluation.report.thumbnails import (
    BLURRED_SIDE,
    LONGEST_SIDE,
    blurred,
    make_thumbnail,
    make_thumbnails,
    picture_folder,
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    for name, size in (("a.jpg", (800, 600)), ("b.png", (30, 40)), ("c.jpg", (600, 800))):
        Image.new("RGB", size, "teal").save(tmp_path / "images" / name)
    (tmp_path / "images" / "bad.jpg").write_text("no image")
    return tmp_path


def decoded(uri, kind="jpeg"):
    head, _, text = uri.partition(",")
    assert head == f"data:image/{kind};base64"
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_a_thumbnail_is_small_and_keeps_its_aspect_ratio(folder):
    made = make_thumbnails(picture_folder(folder, ["a.jpg"]), ["a.jpg", "b.png", "c.jpg"], 10**6)
    assert [(of.width, of.height) for of in made.values()] == [(144, 108), (30, 40), (108, 144)]
    assert decoded(made["c.jpg"].uri).size == (108, 144) and max(decoded(made["a.jpg"].uri).size) == LONGEST_SIDE


def test_images_in_shards_are_found(folder):
    names = ["images/a.jpg", "images/b.png", "images/c.jpg"]
    write_shards(folder, folder / "packed", names, is_image, 10**6)
    packed, loose = (
        make_thumbnails(picture_folder(of, ["a.jpg"]), ["a.jpg", "b.png"], 10**6) for of in (folder / "packed", folder)
    )
    assert packed == loose and len(loose) == 2


def test_unreadable_images_are_skipped(folder):
    made = make_thumbnails(picture_folder(folder, ["a.jpg"]), ["bad.jpg", "gone.jpg", "../a.jpg", "b.png"], 10**6)
    assert list(made) == ["b.png"]


def test_thumbnails_end_at_the_limit_of_characters(folder):
    files = picture_folder(folder / "images", ["a.jpg"])
    one = len(make_thumbnail(files, "a.jpg").uri)
    assert list(make_thumbnails(files, ["a.jpg", "c.jpg"], one)) == ["a.jpg"]
    assert make_thumbnails(files, ["a.jpg"], one - 1) == {}


def test_metadata_of_an_image_is_not_in_its_thumbnail(folder):
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    path = folder / "images" / "said.jpg"
    Image.new("RGB", (50, 50)).save(path, exif=exif, comment=b"a secret place")
    small = decoded(make_thumbnail(ChannelFiles(folder), "images/said.jpg").uri)
    assert b"secret" in path.read_bytes() and not small.getexif() and "comment" not in small.info


def test_a_blurred_image_has_at_most_8_pixels_per_side_and_its_size_on_the_page(folder):
    files = picture_folder(folder, ["a.jpg"])
    clear, blur = (make_thumbnails(files, ["a.jpg", "b.png", "c.jpg"], 10**6, blur=blur) for blur in (False, True))
    assert [(each.width, each.height) for each in blur.values()] == [(e.width, e.height) for e in clear.values()]
    assert [decoded(each.uri, "png").size for each in blur.values()] == [(8, 6), (6, 8), (6, 8)]
    assert BLURRED_SIDE == 8 and blurred(Image.new("RGB", (2000, 3))).size == (8, 1)
    assert blurred(Image.new("RGB", (5, 8))).size == (5, 8)


def test_details_that_blurring_removes_are_not_in_the_file(folder):
    """Two images that differ by a pattern finer than the blur are the same bytes."""
    grey = np.full((96, 128, 3), 100, np.uint8)
    pattern = grey + (np.indices((96, 128)).sum(axis=0) % 2 * 2 - 1)[..., None].astype(np.uint8) * 40
    uris = []
    for name, pixels in (("grey.png", grey), ("pattern.png", pattern)):
        Image.fromarray(pixels).save(folder / "images" / name)
        thumbnails = [make_thumbnail(ChannelFiles(folder), f"images/{name}", 128, blur=blur) for blur in (True, False)]
        uris.append([thumbnail.uri for thumbnail in thumbnails])
    assert uris[0][0] == uris[1][0] and uris[0][1] != uris[1][1]


def test_a_folder_without_the_images_is_refused(folder):
    with pytest.raises(InputError, match=r"no such folder; nearest: images"):
        picture_folder(folder / "imagse", ["a.jpg"])
    with pytest.raises(
        InputError, match=r"none of the 2 images is in this folder or in its subfolder images: x\.jpg, y\.jpg"
    ):
        picture_folder(folder, ["x.jpg", "y.jpg"])


def test_names_in_another_spelling_are_found(folder):
    made = make_thumbnails(picture_folder(folder, ["a"]), ["a", ".\\images\\b.PNG", "A.jpg"], 10**6)
    assert list(made) == ["a", ".\\images\\b.PNG"]
