"""Images are written with PIL in every supported format and mode, and read back."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from model.images.decode import (
    UnreadableImage,
    decoding_memory,
    in_channels,
    open_image,
    read_header,
    read_image,
    read_source,
)
from model.images.image_location import ImageLocation
from model.images.preprocessing import Preprocessing

LEFT, RIGHT = (200, 30, 60), (20, 120, 240)


def two_halves(width: int = 64, height: int = 48) -> Image.Image:
    """Left half LEFT, right half RIGHT."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:, : width // 2], pixels[:, width // 2 :] = LEFT, RIGHT
    return Image.fromarray(pixels)


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, form, **options)
    return content.getvalue()


def halves_of(image: Image.Image) -> np.ndarray:
    """(2, channels) mean colour of the inner left and right."""
    pixels = np.asarray(image).astype(float)
    width = pixels.shape[1]
    sides = pixels[:, 4 : width // 2 - 4], pixels[:, width // 2 + 4 : -4]
    return np.array([side.reshape(-1, *pixels.shape[2:]).mean(0) for side in sides])


def grey(colour: tuple[int, int, int]) -> float:
    """ITU-R 601-2 luma, as PIL's L."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 95}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "jpeg", "quality": 95}),
        ("GIF", {}),
    ],
)
def test_every_format_is_decoded_with_its_colours(form: str, options: dict) -> None:
    content = encoded(two_halves(), form, **options)
    colour, luma = read_source(content), read_source(content, channels=1)
    assert (colour.mode, luma.mode, colour.size) == ("RGB", "L", (64, 48))
    assert halves_of(colour) == pytest.approx(np.array([LEFT, RIGHT]), abs=4)
    assert halves_of(luma) == pytest.approx(np.array([grey(LEFT), grey(RIGHT)]), abs=4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16", "I", "F"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_becomes_8_bit_colour_or_grey(mode: str, channels: int) -> None:
    source = two_halves().convert("L" if mode in ("I;16", "I", "F") else "RGB")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(source).astype(np.uint16) * 257)
    elif mode == "PA":
        image = source.convert("P").convert("PA")
    else:
        image = source.convert(mode)
    converted = in_channels(image, channels)
    assert converted.mode == {1: "L", 3: "RGB"}[channels]
    expected = np.array([LEFT, RIGHT], float) if channels == 3 else np.array([grey(LEFT), grey(RIGHT)])
    if mode in ("L", "LA", "I;16", "I", "F") and channels == 3:
        expected = np.repeat([[grey(LEFT)], [grey(RIGHT)]], 3, axis=1)
    if mode == "1":
        assert set(np.unique(converted)) <= {0, 255}
    else:
        assert halves_of(converted) == pytest.approx(expected, abs={"P": 12, "PA": 12, "HSV": 5}.get(mode, 3))


@pytest.mark.parametrize("mode", ["RGBA", "RGBX", "CMYK"])
def test_four_bands_are_four_channels_which_do_not_weight_each_other(mode: str) -> None:
    """Reference: each band resized alone."""
    bands = [Image.fromarray(band) for band in np.random.default_rng(0).integers(0, 256, (4, 20, 30), np.uint8)]
    bands[3] = bands[3].point(lambda value: value // 128)  # as a transparency, almost none would be seen
    image = in_channels(Image.merge(mode, bands), 4)
    assert image.mode == "RGBX" and np.array_equal(np.asarray(image), np.dstack(bands))
    fitted = Preprocessing(12, 9, channels=4, interpolation="bicubic").fit_image(image, (1.0, 2.0, 19.5, 18.0))
    alone = [band.resize((9, 12), Image.Resampling.BICUBIC, box=(1.0, 2.0, 19.5, 18.0)) for band in bands]
    np.testing.assert_array_equal(np.asarray(fitted), np.dstack(alone))


def test_another_number_of_bands_is_unreadable_as_four_channels() -> None:
    for mode in ("RGB", "L", "LA", "P"):
        with pytest.raises(
            UnreadableImage, match=f"not an image of four channels: mode {mode}; python -m exploration st"
        ):
            read_source(two_halves().convert(mode), channels=4)


def test_transparent_parts_become_white() -> None:
    """Reference: source over white, c * a + 255 * (1 - a)."""
    rgba = np.zeros((8, 24, 4), np.uint8)
    rgba[:, :8], rgba[:, 8:16], rgba[:, 16:] = (200, 30, 60, 255), (200, 30, 60, 51), (200, 30, 60, 0)
    image = Image.fromarray(rgba)
    for content in (encoded(image, "PNG"), encoded(image, "WEBP", lossless=True), encoded(image, "TIFF")):
        row = np.asarray(read_source(content))[4]
        assert row[4].tolist() == [200, 30, 60]
        assert row[12] == pytest.approx([244, 210, 216], abs=1)
        assert row[20].tolist() == [255, 255, 255]
    assert np.asarray(read_source(encoded(image.convert("LA"), "PNG"), channels=1))[4, 20] == 255


@pytest.mark.parametrize("form", ["GIF", "PNG"])
def test_the_transparent_colour_of_a_palette_becomes_white(form: str) -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([255, 0, 0, 0, 0, 255] + [0] * 762)
    image.paste(0, (0, 0, 4, 8))
    pixels = np.asarray(read_source(encoded(image, form, transparency=0)))
    assert pixels[4, 1].tolist() == [255, 255, 255]
    assert pixels[4, 6].tolist() == [0, 0, 255]


def test_the_transparent_colour_of_an_image_without_alpha_becomes_white() -> None:
    pixels = np.asarray(read_source(encoded(two_halves(), "PNG", transparency=LEFT)))
    assert pixels[4, 4].tolist() == [255, 255, 255]
    assert pixels[4, 60].tolist() == list(RIGHT)


def test_cmyk_and_ycck_jpegs_have_the_right_colours() -> None:
    """PIL writes CMYK like Adobe, inverted and with Adobe's marker. For YCCK the first three inks are stored as Y, Cb
    and Cr, and the last byte of the marker is 2 (ITU-T T.872, 6.5.3)."""
    cmyk = two_halves().convert("CMYK")
    content = encoded(cmyk, "JPEG", quality=95)
    assert halves_of(read_source(content)) == pytest.approx(np.array([LEFT, RIGHT]), abs=6)
    *inks, black = cmyk.split()
    luma = [ImageOps.invert(band) for band in Image.merge("RGB", inks).convert("YCbCr").split()]
    content = bytearray(encoded(Image.merge("CMYK", (*luma, black)), "JPEG", quality=95))
    transform = content.index(b"Adobe") + 11
    assert content[transform] == 0
    content[transform] = 2
    assert halves_of(read_source(bytes(content))) == pytest.approx(np.array([LEFT, RIGHT]), abs=6)


def test_the_memory_of_decoding_is_computed_from_the_header() -> None:
    grey, transparent = Image.new("L", (100, 80)), Image.new("RGBA", (100, 80))
    assert decoding_memory(encoded(grey, "PNG")) == 100 * 80 * 10
    assert decoding_memory(encoded(transparent, "PNG")) == 100 * 80 * 18
    assert decoding_memory(encoded(grey, "JPEG"), draft=(40, 30)) == 50 * 40 * 10
    assert decoding_memory(encoded(grey, "JPEG", progressive=True), draft=(40, 30)) == 50 * 40 * 10 + 100 * 80 * 6
    for content, reason in ((b"", "empty file"), (b"no image", "identified")):
        with pytest.raises(UnreadableImage, match=reason):
            decoding_memory(content)


@pytest.mark.parametrize(("form", "save_all"), [("GIF", True), ("WEBP", True), ("TIFF", True), ("PNG", True)])
def test_the_first_of_several_frames_is_read(form: str, save_all: bool) -> None:
    first, second = Image.new("RGB", (16, 16), LEFT), Image.new("RGB", (16, 16), RIGHT)
    content = encoded(first, form, save_all=save_all, append_images=[second])
    assert Image.open(io.BytesIO(content)).n_frames == 2
    assert np.asarray(read_source(content))[8, 8] == pytest.approx(LEFT, abs=4)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("draft", [None, (16, 12)])
def test_exif_orientation_is_applied(orientation: int, form: str, draft: tuple[int, int] | None) -> None:
    """Reference: PIL's own ImageOps.exif_transpose of the stored image."""
    corner = two_halves(128, 96)
    corner.paste((0, 255, 0), (0, 0, 32, 24))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95, "subsampling": 0} if form == "JPEG" else {"lossless": True} if form == "WEBP" else {}
    content = encoded(corner, form, exif=exif, **options)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    image = read_source(content, draft=draft)
    if draft is None:
        assert image.size == expected.size == ((128, 96) if orientation < 5 else (96, 128))
    difference = np.abs(np.asarray(image, float) - np.asarray(expected.resize(image.size, Image.Resampling.BOX), float))
    assert np.median(difference) < 3
    assert difference.mean() < 6
    assert in_channels(open_image(open_image(content))).size == expected.size  # not turned a second time


@pytest.mark.parametrize(
    ("size", "draft", "expected"),
    [
        ((192, 256), (96, 128), (96, 128)),
        ((192, 256), (97, 128), (192, 256)),
        ((192, 256), (24, 32), (24, 32)),
        ((192, 256), (1, 1), (24, 32)),
        ((192, 256), (500, 500), (192, 256)),
        ((200, 100), (99, 20), (100, 50)),
        ((197, 101), (49, 25), (50, 26)),
    ],
)
def test_draft_is_the_smallest_scale_that_is_large_enough(size: tuple, draft: tuple, expected: tuple) -> None:
    content = encoded(two_halves(*size), "JPEG")
    assert read_source(content, draft=draft).size == expected
    assert read_source(encoded(two_halves(*size), "PNG"), draft=draft).size == size


def test_draft_is_the_size_of_the_upright_image() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(two_halves(200, 100), "JPEG", exif=exif)
    assert read_source(content, draft=(50, 100)).size == (50, 100)
    assert read_source(content, draft=(51, 100)).size == (100, 200)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # pytest undoes the module's own filter
def test_damaged_exif_does_not_make_an_image_unreadable() -> None:
    content = encoded(two_halves(), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff garbage")
    assert read_source(content).size == (64, 48)
    for form in ("JPEG", "PNG", "WEBP"):
        assert read_source(encoded(two_halves(), form, exif=b"Exif\x00\x00nonsense")).size == (64, 48)


def test_an_image_is_read_from_path_bytes_file_shard_and_pil_alike(tmp_path: Path) -> None:
    content = encoded(two_halves(), "PNG")
    (tmp_path / "a.png").write_bytes(content)
    (tmp_path / "shard.bin").write_bytes(b"before" + content + b"after")
    shard = (tmp_path / "shard.bin", 6, len(content))
    opened = Image.open(io.BytesIO(content))
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), content, io.BytesIO(content), shard, opened):
        assert np.array_equal(np.asarray(read_source(source)), np.asarray(two_halves()))
        assert read_header(source if not isinstance(source, io.BytesIO) else content).size == (64, 48)
    assert np.array_equal(np.asarray(read_image(tmp_path, ImageLocation("a.png"))), np.asarray(two_halves()))
    in_shard = read_image(tmp_path, ImageLocation("inside.png", "shard.bin", 6, len(content)))
    assert np.array_equal(np.asarray(in_shard), np.asarray(two_halves()))


def test_reasons_for_unreadable_images(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    jpeg, png = encoded(noise, "JPEG"), encoded(noise, "PNG")
    (tmp_path / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (tmp_path / "cut.png").write_bytes(png[: len(png) // 2])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("this is no image")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "shard").write_bytes(jpeg)

    def reason(path: str, shard: str | None = None, offset: int = 0, size: int = -1) -> str:
        with pytest.raises(UnreadableImage) as caught:
            read_image(tmp_path, ImageLocation(path, shard, offset, size))
        return str(caught.value)

    assert reason("cut.jpg").startswith("truncated: ")
    assert reason("cut.png").startswith("truncated: ")
    assert reason("empty.jpg") == "empty file"
    assert reason("text.jpg") == "cannot be identified as an image"
    assert reason("absent.jpg") == "no such file"
    assert reason("text.jpg/inside.jpg") == "no such file"
    assert reason("folder.jpg") == "a folder, not an image"
    assert reason("../x.jpg") == "path outside the channel: ../x.jpg"
    assert reason("a/../../x.jpg") == "path outside the channel: a/../../x.jpg"
    assert reason("/etc/x.jpg") == "path outside the channel: /etc/x.jpg"
    assert reason("a.jpg", "../shard", 0, 10) == "path outside the channel: ../shard"
    assert reason("") == "empty image name"
    assert reason("a.jpg", "shard", 0, len(jpeg) + 5).startswith("truncated: ")
    assert reason("a.jpg", "shard", len(jpeg), 10) == "empty file"
    with pytest.raises(UnreadableImage, match="empty file"):
        read_header(tmp_path / "empty.jpg")
    with pytest.raises(UnreadableImage, match="cannot be identified"):
        read_header(tmp_path / "text.jpg")
    assert read_header(tmp_path / "cut.jpg").size == (64, 64)


def test_errors_of_the_file_system_are_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(UnreadableImage, match="cannot be opened: Permission denied"):
        read_image(tmp_path, ImageLocation("a.jpg"))


def test_names_with_dots_may_stay_inside_the_channel(tmp_path: Path) -> None:
    two_halves().save(tmp_path / "a..b.png")
    assert read_image(tmp_path, ImageLocation("a..b.png")).size == (64, 48)


def test_an_image_above_pils_limit_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UnreadableImage, match="too large: more than 2,000 pixels"):
        read_source(encoded(two_halves(), "PNG"))


@pytest.mark.parametrize("chunk", ["zTXt", "iTXt", "iCCP", "several"])
def test_a_png_with_large_texts_or_profile_is_read(chunk: str) -> None:
    """AI tools write the workflow of an image, Photoshop its history: more than Pillow's limit of 1 MiB."""
    text, info = "work flow " * 300_000, PngImagePlugin.PngInfo()
    if chunk in ("zTXt", "several"):
        info.add_text("prompt", text, zip=True)
    if chunk in ("iTXt", "several"):
        info.add_itxt("history", text, zip=True)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options = {"icc_profile": profile + bytes(3 << 20)} if chunk in ("iCCP", "several") else {}
    content = encoded(two_halves(), "PNG", pnginfo=info, **options)
    assert len(content) < 1 << 20  # it is the decompressed size that counts
    assert halves_of(read_source(content)) == pytest.approx(np.array([LEFT, RIGHT]), abs=6)


def test_no_warning_leaks() -> None:
    """In a separate process, because pytest replaces the filters that the module sets."""
    program = (
        "import io, sys, warnings\n"
        "from PIL import Image\n"
        "from model.images.decode import read_source\n"
        "content = io.BytesIO()\n"
        "exif = b'Exif\\0\\0MM\\0*\\0\\0\\0\\x08\\0\\x01\\x01\\x12\\0\\x02\\0\\0\\xff\\xff\\0\\0\\xff\\0'\n"
        "Image.new('RGB', (40, 40)).save(content, 'JPEG', exif=exif)\n"
        "Image.MAX_IMAGE_PIXELS = 1000\n"
        "read_source(content.getvalue())\n"
    )
    loud = program.replace("from model.images.decode import read_source\n", "read_source = lambda c: Image.open("
                           "io.BytesIO(c)).getexif()\n")  # fmt: skip
    root = Path(__file__).parents[3]
    quiet = [
        subprocess.run([sys.executable, "-c", p], cwd=root, capture_output=True, text=True) for p in (program, loud)
    ]
    assert (quiet[0].returncode, quiet[0].stderr) == (0, "")
    assert "Warning" in quiet[1].stderr


def test_no_file_stays_open(tmp_path: Path) -> None:
    frames = [Image.new("P", (16, 16), colour) for colour in (0, 1)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    before = len(os.listdir("/proc/self/fd"))
    kept = [(read_source(tmp_path / "a.gif"), read_header(tmp_path / "a.gif")) for _ in range(3)]
    assert len(os.listdir("/proc/self/fd")) == before and len(kept) == 3


def test_an_image_that_pil_has_opened_keeps_its_size(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), "red").save(tmp_path / "a.jpg")
    opened = Image.open(tmp_path / "a.jpg")
    assert read_source(opened, draft=(8, 6)).size == opened.size == (64, 48)
    assert read_source(tmp_path / "a.jpg", draft=(8, 6)).size == (8, 6)
