"""Images of every mode are decoded as a viewer shows them: upright, on a background, in the right brightness."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

import hubscan
from hubscan import candidate_features, feature_store, recipe
from hubscan.cli import main
from hubscan.errors import RecipeError
from hubscan.media.images import ImageError, color, decode, flat, read
from hubscan.records import Candidate, Modality, SampleRequest
from hubscan.sample import draw
from tests.hub.checkpoints import tiny_vit

RAMP = np.linspace(0, 1, 256).reshape(16, 16)
IN_8_BITS = np.rint(RAMP * 255).astype(np.uint8)
F_SHAPE = np.kron(
    np.array([[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 0, 0]], np.uint8) * 255, np.ones((8, 8), np.uint8)
)


def stored(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def grey(content: bytes, background: str = "white") -> npt.NDArray[np.uint8]:
    """Return the decoded pixels, which must be grey."""
    pixels = np.asarray(decode(content, background))
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


def tiff(
    values: npt.NDArray[Any],
    bits: int,
    sample_format: int,
    photometric: int = 1,
    more: Sequence[tuple[int, int, int, int]] = (),
) -> bytes:
    """Return an uncompressed TIFF file with these tags, also those that Pillow would not write."""
    data, (height, width) = values.tobytes(), values.shape
    size = 8 + 2 + 12 * (10 + len(more)) + 4
    values_of = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: size}
    values_of |= {277: 1, 278: height, 279: len(data), 339: sample_format}
    tags = sorted([*((tag, 4, 1, value) for tag, value in values_of.items()), *more])
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + data


def png(width: int, depth: int, color_type: int, row: bytes, transparent: bytes = b"") -> bytes:
    """Return a PNG file of one row, also of the depths that Pillow does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, depth, color_type, 0, 0, 0))
    clear = chunk(b"tRNS", transparent) if transparent else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + clear
        + chunk(b"IDAT", zlib.compress(b"\0" + row))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    content = stored(Image.fromarray(F_SHAPE).convert("RGB"), kind, exif=exif, **options)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    found = decode(content)
    assert found.size == expected.size == ((32, 24) if orientation > 4 else (24, 32))
    assert np.array_equal(np.asarray(found), np.asarray(expected))


def test_orientations_beyond_eight_and_broken_blocks_turn_nothing() -> None:
    upright = Image.fromarray(F_SHAPE)
    for block in (
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
        b"Exif\0\0junk",
        b"Exif\0\0",
        b"Exif\0\0MM\0*\0\0\xff\xff",
    ):
        for kind in ("JPEG", "PNG", "WEBP"):
            assert decode(stored(upright, kind, exif=block)).size == upright.size, (block, kind)
    for orientation in (0, 9, 600):
        exif = Image.Exif()
        exif[0x0112] = orientation
        assert decode(stored(upright, "PNG", exif=exif)).size == upright.size


def test_a_broken_block_of_a_tiff_file_does_not_drop_the_image() -> None:
    for entry in ((0x8769, 4, 1, 99_999), (0x8769, 2, 7, 3), (274, 2, 1, 65), (0x8825, 4, 1, 8)):
        assert np.array_equal(grey(tiff(IN_8_BITS, 8, 1, more=[entry])), IN_8_BITS)


def test_deep_and_transparent_images_are_turned_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = Image.fromarray(F_SHAPE.astype(np.uint16) * 257)
    clear = Image.merge("LA", [Image.new("L", (24, 32)), Image.fromarray(255 - F_SHAPE)])
    for image in (deep, clear):
        assert np.array_equal(grey(stored(image, "PNG", exif=exif)), np.rot90(F_SHAPE, -1))


DEEP = {
    "16-bit PNG": stored(Image.fromarray(np.rint(RAMP * 65_535).astype(np.uint16)), "PNG"),
    "16-bit TIFF": stored(Image.fromarray(np.rint(RAMP * 65_535).astype(np.uint16)), "TIFF"),
    "16-bit big-endian TIFF": stored(Image.frombytes("I;16B", (16, 16), np.rint(RAMP * 65_535).astype(">u2").tobytes()), "TIFF"),
    "16-bit TIFF, white is 0": tiff(np.rint((1 - RAMP) * 65_535).astype(np.uint16), 16, 1, 0),
    "16-bit PGM": b"P5 16 16 65535\n" + np.rint(RAMP * 65_535).astype(">u2").tobytes(),
    "12-bit PGM": b"P5 16 16 4095\n" + np.rint(RAMP * 4_095).astype(">u2").tobytes(),
    "signed 16-bit TIFF": tiff(np.rint(RAMP * 65_535 - 32_768).astype(np.int16), 16, 2),
    "8 bits in 32": stored(Image.fromarray(IN_8_BITS.astype(np.int32)), "TIFF"),
    "16 bits in 32": stored(Image.fromarray(np.rint(RAMP * 65_535).astype(np.int32)), "TIFF"),
    "31 bits in 32": stored(Image.fromarray((RAMP * (2**31 - 1)).astype(np.int32)), "TIFF"),
    "unsigned 32 bits": tiff((RAMP * (2**32 - 1)).astype(np.uint32), 32, 1),
    "signed 32 bits": tiff((RAMP * (2**32 - 1) - 2**31).astype(np.int32), 32, 2),
    "floats to 1": stored(Image.fromarray(RAMP.astype(np.float32)), "TIFF"),
    "floats to 1, white is 0": tiff((1 - RAMP).astype(np.float32), 32, 3, 0),
    "floats to 255": stored(Image.fromarray((RAMP * 255).astype(np.float32)), "TIFF"),
    "floats to 65,535": stored(Image.fromarray((RAMP * 65_535).astype(np.float32)), "TIFF"),
    "floats from -1": stored(Image.fromarray((RAMP * 2 - 1).astype(np.float32)), "TIFF"),
    "PFM": b"Pf\n16 16\n-1.0\n" + RAMP[::-1].astype("<f4").tobytes(),
}  # fmt: skip


@pytest.mark.parametrize("kind", DEEP)
def test_grey_of_more_than_eight_bits_is_scaled_by_its_range(kind: str) -> None:
    assert np.abs(grey(DEEP[kind]).astype(int) - IN_8_BITS).max() <= 1


def test_twelve_bits_of_a_tiff_file_are_scaled_by_their_range() -> None:
    values = np.rint(RAMP * 4_095).astype(int).reshape(-1, 2)
    packed = np.stack(
        [values[:, 0] >> 4, (values[:, 0] & 15) << 4 | values[:, 1] >> 8, values[:, 1] & 255], axis=1
    )
    content = tiff(packed.astype(np.uint8).reshape(16, 24), 12, 1)
    content = content.replace(struct.pack("<HHII", 256, 4, 1, 24), struct.pack("<HHII", 256, 4, 1, 16))
    assert np.abs(grey(content).astype(int) - IN_8_BITS).max() <= 1


def test_pixels_that_pillow_does_not_know_are_not_called_no_image() -> None:
    for bits, values in ((64, RAMP), (16, RAMP.astype(np.float16))):
        with pytest.raises(ImageError, match="unsupported or damaged image"):
            decode(tiff(values, bits, 3))
    for content in (b"\0\0\0\x18ftypheic" + bytes(99), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"):
        with pytest.raises(ImageError, match="unsupported or damaged image"):
            decode(content)


def test_resampled_floats_do_not_leave_their_range() -> None:
    ringing = (RAMP * 1.08 - 0.04).astype(np.float32)
    found = grey(stored(Image.fromarray(ringing), "TIFF"))
    assert found.min() == 0 and found.max() == 255 and 120 < np.median(found) < 135


def test_a_dark_image_stays_dark() -> None:
    for values in (RAMP * 6_553.5, (RAMP * 0.1).astype(np.float32)):
        image = Image.fromarray(values.astype(np.uint16 if values.max() > 1 else np.float32))
        assert np.abs(grey(stored(image, "TIFF")).astype(int) - IN_8_BITS / 10).max() <= 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_have_a_reason(value: float) -> None:
    values = RAMP.astype(np.float32)
    values[3, 3] = value
    with pytest.raises(ImageError, match="NaN or infinite pixels"):
        decode(stored(Image.fromarray(values), "TIFF"))


GLYPH = np.zeros((4, 4), np.uint8)
GLYPH[1:3, 1:3] = 255  # opaque


def rgba(fill: int = 0) -> Image.Image:
    solid = Image.new("L", (4, 4), fill)
    return Image.merge("RGBA", [solid, solid, solid, Image.fromarray(GLYPH)])


def palette(transparency: int | bytes) -> bytes:
    image = Image.fromarray((GLYPH // 255).astype(np.uint8), "P")
    image.putpalette([9, 9, 9, 0, 0, 0])
    return stored(image, "PNG", transparency=transparency)


CLEAR = {
    "RGBA PNG": stored(rgba(), "PNG"),
    "LA PNG": stored(rgba().convert("LA"), "PNG"),
    "WebP": stored(rgba(), "WEBP", lossless=True),
    "TIFF": stored(rgba(), "TIFF"),
    "ICO": stored(rgba().resize((16, 16), Image.Resampling.NEAREST), "ICO", sizes=[(16, 16)]),
    "palette, one index": palette(0),
    "palette, alphas": palette(b"\0\xff"),
    "GIF": stored(rgba(), "GIF"),
    "GIF of two frames": stored(rgba(), "GIF", save_all=True, append_images=[rgba(7)]),
    "PNG of two frames": stored(rgba(), "PNG", save_all=True, append_images=[rgba(7)]),
}


@pytest.mark.parametrize(("background", "value"), [("white", 255), ("#808080", 128), ("black", 0)])
@pytest.mark.parametrize("kind", CLEAR)
def test_transparent_pixels_show_the_background(kind: str, background: str, value: int) -> None:
    found = decode(CLEAR[kind], background)
    pixels = np.asarray(found.resize((4, 4), Image.Resampling.NEAREST))[..., 0]
    assert read(CLEAR[kind]).transparent
    assert np.array_equal(pixels, np.where(GLYPH, 0, value))


def test_half_transparent_pixels_are_mixed() -> None:
    half = Image.new("RGBA", (2, 2), (0, 0, 0, 128))
    assert np.abs(grey(stored(half, "PNG")).astype(int) - 127).max() <= 1
    coloured = np.asarray(decode(stored(Image.new("RGBA", (1, 1), (255, 0, 0, 0)), "PNG"), "#102030"))
    assert coloured.tolist() == [[[16, 32, 48]]]


KEYED = {  # a row of black and one transparent pixel
    "1 bit": png(2, 1, 0, b"\x40", b"\0\1"),
    "2 bits": png(2, 2, 0, b"\x30", b"\0\3"),
    "2 bits, a grey": png(2, 2, 0, b"\x20", b"\0\2"),
    "4 bits": png(2, 4, 0, b"\x0c", b"\0\x0c"),
    "8 bits": png(2, 8, 0, b"\0\xc8", b"\0\xc8"),
    "16 bits": png(2, 16, 0, struct.pack(">2H", 0, 51_400), struct.pack(">H", 51_400)),
    "RGB of 8 bits": png(2, 8, 2, b"\0\0\0\xc8\1\2", struct.pack(">3H", 200, 1, 2)),
    "RGB of 16 bits": png(2, 16, 2, struct.pack(">6H", 0, 0, 0, 51_400, 257, 514), struct.pack(">3H", 51_400, 257, 514)),
    "grey and alpha of 16 bits": png(2, 16, 4, struct.pack(">4H", 0, 65_535, 51_400, 0)),
    "RGBA of 16 bits": png(2, 16, 6, struct.pack(">8H", 0, 0, 0, 65_535, 1, 2, 3, 0)),
}  # fmt: skip


@pytest.mark.parametrize("depth", KEYED)
def test_a_transparent_color_shows_the_background(depth: str) -> None:
    assert read(KEYED[depth]).transparent
    assert np.asarray(decode(KEYED[depth], "#00ff00")).tolist() == [[[0, 0, 0], [0, 255, 0]]]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "RGBa", "La"])
def test_images_of_every_mode_with_alpha_are_put_on_the_background(mode: str) -> None:
    premultiplied = {"RGBa": "RGBA", "La": "LA"}
    image: Image.Image = rgba().convert(premultiplied.get(mode, "LA" if mode == "LA" else "RGBA"))
    image = image.convert(mode)
    if mode == "PA":
        image.putalpha(Image.fromarray(GLYPH))
    found = flat(image)
    assert found.transparent
    assert np.array_equal(np.asarray(found.image)[..., 0], np.where(GLYPH, 0, 255))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV", "RGBA", "LAB"])
def test_opaque_images_of_every_mode_keep_their_colors(mode: str) -> None:
    grid = np.zeros((4, 4, 3), np.uint8)
    grid[::2] = 255
    before = Image.fromarray(grid)
    image = before.convert("RGB") if mode == "LAB" else before.convert(mode)
    if mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        converted = ImageCms.profileToProfile(before, *profiles, outputMode="LAB")
        assert converted is not None
        image = converted
    found = flat(image)
    assert not found.transparent and found.span is None
    assert np.abs(np.asarray(found.image).astype(int) - grid).max() <= 1


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L", "I;16N", "I", "F"])
def test_deep_images_given_as_objects_are_scaled(mode: str) -> None:
    values = np.rint(RAMP * 65_535)
    kinds = {"I;16B": ">u2", "I": "i4", "F": "f4"}
    image = Image.frombytes(mode, (16, 16), values.astype(kinds.get(mode, "<u2")).tobytes())
    assert np.abs(np.asarray(flat(image).image)[..., 0].astype(int) - IN_8_BITS).max() <= 1


def test_a_cmyk_jpeg_of_adobe_is_not_inverted() -> None:
    red = Image.new("RGB", (16, 16), "red").convert("CMYK")
    assert np.abs(np.asarray(decode(stored(red, "JPEG", quality=100))).astype(int) - [255, 0, 0]).max() < 8


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM"])
def test_ordinary_images_are_unchanged_bit_for_bit(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    content = stored(Image.fromarray(noise), kind)
    assert decode(content).tobytes() == Image.open(io.BytesIO(content)).convert("RGB").tobytes()


def test_the_first_page_or_frame_is_read() -> None:
    pages: Sequence[Image.Image] = [Image.new("L", (5, 5), value) for value in (10, 200)]
    for kind in ("TIFF", "GIF", "WEBP", "PNG"):
        content = stored(pages[0], kind, save_all=True, append_images=pages[1:])
        assert np.abs(grey(content).astype(int) - 10).max() <= 2, kind


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(sorted(CLEAR)), st.integers(0, 10_000), st.integers(0, 255), st.booleans())
def test_damaged_images_give_pixels_or_a_reason(kind: str, place: int, value: int, cut: bool) -> None:
    content = bytearray(CLEAR[kind])
    place %= len(content)
    content[place] = value
    try:
        assert decode(bytes(content[:place] if cut else content)).mode == "RGB"
    except ImageError as reason:
        assert str(reason) in (
            "not an image",
            "unsupported or damaged image",
            "corrupt image",
            "too many pixels",
        )


def test_colors_have_names_or_numbers() -> None:
    assert (
        color("white") == (255, 255, 255)
        and color("#0a0B0c") == (10, 11, 12)
        and color("navy") == (0, 0, 128)
    )
    with pytest.raises(RecipeError, match="no color is called 'whit'; pass a name such as white, or #rrggbb"):
        color("whit")


def folder(place: Path, images: Sequence[bytes], ending: str) -> Path:
    for number, content in enumerate(images):
        file = place / "ab"[number % 2] / f"{number}.{ending}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return place


def notes(place: Path, **keys: Any) -> tuple[str, ...]:
    return draw(SampleRequest(str(place), **keys)).draw.notes


def test_only_what_was_decided_is_said(tmp_path: Path) -> None:
    opaque = stored(Image.fromarray(IN_8_BITS), "PNG"), stored(rgba().convert("RGB").convert("RGBA"), "PNG")
    assert notes(folder(tmp_path / "opaque", opaque * 4, "png")) == ()
    assert notes(folder(tmp_path / "deep", [DEEP["16-bit PNG"]] * 8, "png")) == ()
    clear = folder(tmp_path / "clear", [CLEAR["RGBA PNG"]] * 5 + [opaque[0]] * 3, "png")
    assert notes(clear) == (
        "5 images have transparent pixels and are put on white; pass --background to change that",
    )
    assert "put on black" in notes(clear, background="black")[0]
    mixed = folder(tmp_path / "mixed", [DEEP["floats to 1"]] * 3 + [DEEP["floats to 255"]] * 5, "tiff")
    assert "scaled from different ranges (5 from 0 to 255, 3 from 0 to 1)" in notes(mixed)[0]
    faint = stored(Image.fromarray(np.rint(RAMP * 4_095).astype(np.uint16)), "PNG")
    assert "all 6 images of more than 8 bits use less than a sixteenth" in notes(
        folder(tmp_path / "faint", [faint] * 6, "png")
    )[0]  # fmt: skip


def test_an_unknown_color_is_an_error_of_the_recipe(tmp_path: Path) -> None:
    arguments = ["rank", "--dataset", str(tmp_path), "--model", "a/b", "--background", "whit"]
    done = CliRunner().invoke(main, arguments, prog_name="hubscan")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "background: no color is called 'whit'; pass a name such as white, or #rrggbb" in done.stderr
    with pytest.raises(RecipeError, match="no color is called 'whit'"):
        hubscan.embed(str(tmp_path), [rgba()], background="whit")


def test_the_background_reaches_the_encoder_and_the_address_of_its_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_vit(tmp_path / "vit")
    on_black = rgba(255)
    black = Image.new("RGB", on_black.size, "black")
    black.paste(on_black, mask=on_black)
    sides: Sequence[Any] = [on_black, stored(on_black, "PNG"), black]
    vectors = [hubscan.embed(str(tmp_path / "vit"), [side], background="black") for side in sides]
    assert np.array_equal(vectors[0], vectors[2]) and np.array_equal(vectors[1], vectors[2])
    assert not np.array_equal(hubscan.embed(str(tmp_path / "vit"), sides[:1]), vectors[0])

    place = folder(tmp_path / "set", [CLEAR["RGBA PNG"]] * 8, "png")
    asked = recipe.resolve({"dataset": str(place)})
    sample = draw(asked.sample_request)

    def address(modality: Modality = "image", **keys: Any) -> str:
        job = asked.model_copy(update=keys).job("")
        return feature_store.address(
            candidate_features._deciding(Candidate("a/b", "0", modality), sample, job, "cpu")
        )

    assert address(background="black") != address() == address(background="#ffffff")
    assert address("text", background="black") == address("text")
    before = address(), address("text")
    monkeypatch.setattr("hubscan.media.images.VERSION", 99)
    assert address() != before[0] and address("text") == before[1]
