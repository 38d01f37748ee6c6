#!/usr/bin/env python3
"""Images of every odd kind, and the pixels that Pillow makes of them.

    odd_images.py FOLDER

Writes images into the folder, then, for each image file in it, a file of the
same name with `.rgb` behind: width and height as four bytes each, least first,
then rows of packed RGB, upright and on white. Needs Pillow and numpy.
"""

import io
import pathlib
import struct
import sys
import zlib

import numpy
from PIL import Image, ImageOps


def picture(width, height, channels=3):
    """Smooth slopes, edges and noise, the same at every run."""
    x, y = numpy.meshgrid(numpy.arange(width), numpy.arange(height))
    noise = numpy.random.default_rng(7).integers(0, 60, (height, width, channels))
    slopes = [x * 2 + y, 255 - y * 3, (x // 9 + y // 7) % 2 * 200, x * y // 16][:channels]
    return ((numpy.stack(slopes, axis=-1) + noise) % 256).astype(numpy.uint8)


def jpegs(folder):
    rgb = Image.fromarray(picture(123, 85))
    for name, subsampling in [("444", 0), ("422", 1), ("420", 2)]:
        rgb.save(folder / f"jpeg-{name}.jpg", subsampling=subsampling, quality=85)
        rgb.save(
            folder / f"jpeg-{name}-progressive.jpg",
            subsampling=subsampling,
            quality=85,
            progressive=True,
        )
    for width, height in [(1, 1), (2, 3), (15, 17), (16, 16), (17, 15), (400, 867), (401, 533)]:
        odd = Image.fromarray(picture(width, height))
        odd.save(folder / f"jpeg-{width}x{height}.jpg", quality=80)
    rgb.save(folder / "jpeg-low.jpg", quality=5)
    rgb.save(folder / "jpeg-high.jpg", quality=100, subsampling=0)
    rgb.save(folder / "jpeg-restarts.jpg", restart_marker_blocks=3)
    rgb.save(folder / "jpeg-rgb.jpg", keep_rgb=True)
    rgb.convert("L").save(folder / "jpeg-gray.jpg")
    rgb.convert("L").save(folder / "jpeg-gray-progressive.jpg", progressive=True)
    rgb.convert("CMYK").save(folder / "jpeg-cmyk.jpg")
    rgb.convert("CMYK").save(folder / "jpeg-cmyk-progressive.jpg", progressive=True)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        rgb.save(folder / f"jpeg-orientation-{orientation}.jpg", exif=exif)
        rgb.save(folder / f"png-orientation-{orientation}.png", exif=exif)
        rgb.save(folder / f"webp-orientation-{orientation}.webp", exif=exif, lossless=True)


def png_chunk(name, contents):
    checked = name + contents
    return struct.pack(">I", len(contents)) + checked + struct.pack(">I", zlib.crc32(checked))


def write_png(path, pixels, depth, colour, interlaced, before=b""):
    """A PNG of an array of rows, columns, bytes of a pixel."""
    height, width = pixels.shape[:2]
    passes = [(0, 0, 1, 1)]
    if interlaced:  # W3C PNG, third edition, section 8.2
        passes = [
            (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4),
            (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
        ]
    lines = b""
    for left, top, across, down in passes:
        part = pixels[top::down, left::across]
        if part.size:
            lines += b"".join(b"\0" + row.tobytes() for row in part)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    chunks = png_chunk(b"IHDR", header) + before
    chunks += png_chunk(b"IDAT", zlib.compress(lines)) + png_chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def pngs(folder):
    rgb, rgba = picture(61, 47), picture(61, 47, 4)
    Image.fromarray(rgb).save(folder / "png-rgb.png")
    Image.fromarray(rgba).save(folder / "png-rgba.png")
    gray = Image.fromarray(rgb).convert("L")
    gray.save(folder / "png-gray.png")
    Image.merge("LA", [gray, Image.fromarray(rgba[..., 3])]).save(folder / "png-gray-alpha.png")
    gray.convert("1").save(folder / "png-one-bit.png")
    palette = Image.fromarray(rgb).quantize(17)
    palette.save(folder / "png-palette.png")
    palette.save(folder / "png-palette-clear-entry.png", transparency=3)
    palette.save(folder / "png-palette-alpha.png", transparency=bytes(range(0, 255, 15)))
    few = Image.fromarray(rgb).quantize(4)
    few.save(folder / "png-palette-two-bits.png", bits=2)
    colour = tuple(int(value) for value in rgb[5, 5])
    Image.fromarray(rgb).save(folder / "png-rgb-clear-colour.png", transparency=colour)
    gray.save(folder / "png-gray-clear-value.png", transparency=gray.getpixel((5, 5)))
    Image.fromarray(rgb).save(folder / "png-gamma.png")
    write_png(folder / "png-interlaced.png", rgb, 8, 2, True)
    write_png(folder / "png-interlaced-alpha.png", rgba, 8, 6, True)
    gamma = png_chunk(b"gAMA", struct.pack(">I", 20000))
    write_png(folder / "png-gamma.png", rgb, 8, 2, False, gamma)
    wide = (rgb.astype(">u2") * 257) ^ 0x55
    write_png(folder / "png-rgb-16.png", wide.astype(">u2"), 16, 2, False)
    wide = (rgba.astype(">u2") * 257) ^ 0x55
    write_png(folder / "png-rgba-16.png", wide.astype(">u2"), 16, 6, False)
    write_png(folder / "png-gray-16.png", wide[..., :1].astype(">u2"), 16, 0, False)
    write_png(folder / "png-gray-alpha-16.png", wide[..., :2].astype(">u2"), 16, 4, False)


def others(folder):
    rgb, rgba = Image.fromarray(picture(61, 47)), Image.fromarray(picture(61, 47, 4))
    rgb.save(folder / "webp-lossless.webp", lossless=True)
    rgba.save(folder / "webp-lossless-alpha.webp", lossless=True)
    rgb.save(folder / "webp-lossy.webp", quality=80)
    rgba.save(folder / "webp-lossy-alpha.webp", quality=80)
    frames = [Image.fromarray(255 - picture(61, 47)), Image.fromarray(picture(61, 47)[::-1])]
    rgb.save(folder / "webp-animated.webp", save_all=True, append_images=frames, lossless=True)
    rgba.save(
        folder / "webp-animated-alpha.webp", save_all=True, append_images=frames, lossless=True
    )
    palette = rgb.quantize(31)
    palette.save(folder / "gif.gif")
    palette.save(folder / "gif-clear.gif", transparency=5)
    palette.save(folder / "gif-interlaced.gif", interlace=1)
    palette.save(folder / "gif-animated.gif", save_all=True, append_images=frames, disposal=2)
    # A first frame that does not fill its screen.
    small = io.BytesIO()
    Image.new("P", (2, 2), 1).save(small, "GIF")
    screen = bytearray(small.getvalue())
    screen[6:10] = struct.pack("<HH", 9, 7)
    place = screen.index(b"\x2c", 13)
    screen[place + 1 : place + 5] = struct.pack("<HH", 3, 2)
    (folder / "gif-offset.gif").write_bytes(screen)


def on_white(image):
    """An upright RGB image, transparency laid on white."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow would cut off at 255 where every other reader takes the upper byte.
        image = Image.fromarray((numpy.asarray(image).astype(numpy.uint32) >> 8).astype("uint8"))
    return image.convert("RGB")


def main():
    folder = pathlib.Path(sys.argv[1])
    jpegs(folder)
    pngs(folder)
    others(folder)
    for path in sorted(folder.iterdir()):
        with Image.open(path) as image:
            image = on_white(image)
        pixels = struct.pack("<II", *image.size) + image.tobytes()
        path.with_name(path.name + ".rgb").write_bytes(pixels)


if __name__ == "__main__":
    main()
