#!/usr/bin/env python3
"""Writes tests/image/data: what Pillow and OpenCV make of pictures that this script draws.

Needs python3-pil (9.4), python3-opencv (4.6) and python3-numpy of Debian 12. The tests themselves need none of them.
"""
import io
import pathlib
import struct
import zlib

import cv2
import numpy as np
from PIL import Image, ImageOps

OUT = pathlib.Path(__file__).parent / "data"


def draw(width, height, channels, seed):
    """Gradients, hard edges and noise: 8-bit [height, width, channels]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    planes = []
    for c in range(channels):
        plane = 255 * (x * (c + 1) / max(width - 1, 1) + y / max(height - 1, 1)) / (c + 2)
        plane = np.where((x // 5 + y // 7 + c) % 4 == 0, 255 - plane, plane)
        planes.append(plane + rng.normal(0, 25, plane.shape))
    return np.clip(np.rint(np.stack(planes, -1)), 0, 255).astype(np.uint8)


def pillow_image(pixels):
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def as_rows(image):
    array = np.asarray(image)
    return array[:, :, None] if array.ndim == 2 else array


# --- resizing: "<width> <height> <channels> <new width> <new height>\n", the source, Pillow's 8-bit result, and OpenCV's
# --- float result in 1/256 levels as 16-bit little-endian numbers; one case after the other
RESIZES = [
    (61, 47, 3, 32, 32), (61, 47, 3, 83, 29), (61, 47, 1, 9, 7), (61, 47, 3, 20, 60), (61, 47, 1, 61, 13), (61, 47, 1, 17, 47),
    (3, 3, 3, 40, 31), (1, 1, 3, 8, 8), (1, 29, 1, 16, 16), (40, 1, 3, 16, 16), (2, 57, 3, 3, 5), (255, 31, 1, 8, 8),
    (16, 16, 1, 64, 64), (64, 64, 1, 16, 16), (59, 53, 1, 58, 54),
]


def write_resizes():
    with open(OUT / "resizes.bin", "wb") as out:
        for seed, (w, h, c, new_w, new_h) in enumerate(RESIZES):
            source = draw(w, h, c, seed)
            pillow = as_rows(pillow_image(source).resize((new_w, new_h), Image.BILINEAR))
            opencv = cv2.resize(source.astype(np.float32), (new_w, new_h), interpolation=cv2.INTER_LINEAR)
            out.write(f"{w} {h} {c} {new_w} {new_h}\n".encode())
            out.write(source.tobytes() + np.ascontiguousarray(pillow).tobytes() + np.rint(opencv * 256).astype("<u2").tobytes())


# --- presets: "<width> <height>\n", the source, then four times "<preset> <out width> <out height> <step>\n" and every
# --- step-th value of each plane in both directions, float32
IMAGENET = (np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32))
CIFAR = (np.array([0.4914, 0.4822, 0.4465], np.float32), np.array([0.2470, 0.2435, 0.2616], np.float32))


def normalise(pixels, constants):
    values = (pixels.astype(np.float32) / np.float32(255) - constants[0]) / constants[1]
    return values.transpose(2, 0, 1)


def modelhub(source):
    resized = cv2.resize(source.astype(np.float32), (256, 256), interpolation=cv2.INTER_LINEAR)
    return normalise(resized[16:240, 16:240], IMAGENET)


def torchvision(source):
    h, w = source.shape[:2]
    size = (256, int(256 * h / w)) if w <= h else (int(256 * w / h), 256)
    resized = np.asarray(Image.fromarray(source).resize(size, Image.BILINEAR))
    top, left = (int(round((side - 224) / 2.0)) for side in resized.shape[:2])
    return normalise(resized[top:top + 224, left:left + 224], IMAGENET)


def onnx_zoo(source):
    h, w = source.shape[:2]
    ratio = 256.0 / min(w, h)
    size = (int(round(ratio * w)), 256) if w > h else (256, int(round(ratio * h)))
    resized = np.asarray(Image.fromarray(source).resize(size, Image.BILINEAR))
    top, left = (side // 2 - 112 for side in resized.shape[:2])
    return normalise(resized[top:top + 224, left:left + 224], IMAGENET)


def cifar10(source):
    return normalise(np.asarray(Image.fromarray(source).resize((32, 32), Image.BILINEAR)), CIFAR)


def write_presets():
    recipes = {"modelhub": modelhub, "torchvision": torchvision, "onnx-zoo": onnx_zoo, "cifar10": cifar10}
    with open(OUT / "presets.bin", "wb") as out:
        for seed, (w, h) in enumerate([(61, 47), (45, 70), (64, 43)]):
            source = draw(w, h, 3, 100 + seed)
            out.write(f"{w} {h}\n".encode() + source.tobytes())
            for name, recipe in recipes.items():
                values = recipe(source)
                step = 3 if name == "cifar10" else 17
                out.write(f"{name} {values.shape[2]} {values.shape[1]} {step}\n".encode())
                out.write(np.ascontiguousarray(values[:, ::step, ::step]).tobytes())


# --- decoding: <name>.jpg or .png beside <name>.raw, Pillow's pixels ------------------------------------------------------------
def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_file(width, height, depth, color_type, rows, interlaced=False, extra=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", zlib.compress(rows, 9)) +
            png_chunk(b"IEND", b""))


def packed_rows(samples, depth):
    """Filter type 0 rows of single-channel samples of 1, 2, 4 bits."""
    rows = b""
    for line in samples:
        bits = "".join(format(v, f"0{depth}b") for v in line)
        bits += "0" * (-len(bits) % 8)
        rows += b"\0" + bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
    return rows


def adam7_rows(pixels):
    rows = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        for line in pixels[y0::dy, x0::dx]:
            if line.size:
                rows += b"\0" + line.tobytes()
    return rows


def sixteen_bit_rows(samples):
    return b"".join(b"\0" + line.astype(">u2").tobytes() for line in samples)


def save(name, data, pixels=None):
    (OUT / name).write_bytes(data)
    if pixels is None:
        pixels = as_rows(Image.open(io.BytesIO(data)))
    (OUT / name).with_suffix(".raw").write_bytes(np.ascontiguousarray(pixels).tobytes())


def encoded(pixels, kind, **options):
    buffer = io.BytesIO()
    pillow_image(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def write_pngs():
    w, h = 19, 13
    rng = np.random.default_rng(7)
    for name, channels in (("grey", 1), ("grey_alpha", 2), ("rgb", 3), ("rgba", 4)):
        save(f"{name}.png", encoded(draw(w, h, channels, 200 + channels), "PNG"))
    rgb = draw(w, h, 3, 210)
    save("interlaced.png", png_file(w, h, 8, 2, adam7_rows(rgb), interlaced=True), rgb)
    for depth in (1, 2, 4):
        samples = rng.integers(0, 1 << depth, (h, w))
        grey = (samples * (255 // ((1 << depth) - 1))).astype(np.uint8)
        save(f"grey{depth}.png", png_file(w, h, depth, 0, packed_rows(samples, depth)), grey[:, :, None])
    wide = rng.integers(0, 65536, (h, w, 3))
    save("rgb16.png", png_file(w, h, 16, 2, sixteen_bit_rows(wide.reshape(h, -1))), (wide >> 8).astype(np.uint8))
    # A palette of 5 colours under 4-bit indices, of which some point past its end: black, as in libpng.
    palette = rng.integers(0, 256, (5, 3)).astype(np.uint8)
    indices = rng.integers(0, 7, (h, w))
    colours = np.zeros((16, 3), np.uint8)
    colours[:5] = palette
    plte = png_chunk(b"PLTE", palette.tobytes())
    save("palette.png", png_file(w, h, 4, 3, packed_rows(indices, 4), extra=plte), colours[indices])
    alpha = np.full(16, 255, np.uint8)
    alpha[:3] = (0, 100, 200)
    both = np.concatenate([colours[indices], alpha[indices][:, :, None]], -1)
    trns = png_chunk(b"tRNS", alpha[:3].tobytes())
    save("palette_alpha.png", png_file(w, h, 4, 3, packed_rows(indices, 4), extra=plte + trns), both)


def write_jpegs():
    w, h = 35, 27
    rgb = cv2.GaussianBlur(draw(w, h, 3, 300), (0, 0), 1.0)
    save("luma.jpg", encoded(rgb[:, :, :1], "JPEG", quality=90))
    save("rgb444.jpg", encoded(rgb, "JPEG", quality=90, subsampling=0))
    save("rgb420.jpg", encoded(rgb, "JPEG", quality=90, subsampling=2))
    save("progressive.jpg", encoded(rgb, "JPEG", quality=90, subsampling=2, progressive=True))
    restarts = [cv2.IMWRITE_JPEG_QUALITY, 90, cv2.IMWRITE_JPEG_RST_INTERVAL, 2]
    save("restarts.jpg", cv2.imencode(".jpg", rgb[:, :, ::-1], restarts)[1].tobytes())
    cmyk = io.BytesIO()
    Image.fromarray(rgb).convert("CMYK").save(cmyk, "JPEG")
    (OUT / "cmyk.jpg").write_bytes(cmyk.getvalue())


def write_orientations():
    """exif.raw: the eight pictures that Pillow's exif_transpose makes of a 5x3 one, in order."""
    pixels = draw(5, 3, 3, 400)
    raw = pixels.tobytes()
    for orientation in range(1, 9):
        image = Image.fromarray(pixels)
        image.getexif()[0x0112] = orientation
        raw += as_rows(ImageOps.exif_transpose(image)).tobytes()
    (OUT / "exif.raw").write_bytes(raw)


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    write_resizes()
    write_presets()
    write_pngs()
    write_jpegs()
    write_orientations()
