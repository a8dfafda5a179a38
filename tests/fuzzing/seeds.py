"""The files that fuzzing begins with: one small file of every kind that the package reads.

Made on the spot by nssbg's own encoders, Pillow and tifffile, so that no seed has to be kept.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

__all__ = ["KINDS", "model_seeds", "picture_seeds", "seeds"]

KINDS = ("picture", "onnx", "toml", "json", "catalog", "plans")


def _pixels(height: int = 36, width: int = 52) -> np.ndarray:
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:height, :width]
    base = np.stack([rows * 6, columns * 4, rows + columns], axis=-1)
    return (base + rng.integers(0, 9, base.shape)).astype(np.uint8)


def _interlaced_png(samples: np.ndarray) -> bytes:
    """An Adam7 file of 16-bit RGB, which neither Pillow nor nssbg writes."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    steps = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
    raw = b""
    for x, y, across, down in (*steps, (0, 1, 1, 2)):
        for row in samples[y::down, x::across]:
            raw += b"\0" + row.astype(">u2").tobytes()
    height, width = samples.shape[:2]
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 1))
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


def picture_seeds() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of a picture in every format and manner that is read."""
    import tifffile
    from PIL import Image, features

    from nssbg._io import encode

    pixels = _pixels()
    deep = pixels.astype(np.uint16) * 257
    alpha = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    alpha[:9] = 40
    rgba = np.concatenate([pixels, alpha], axis=2)
    image, with_alpha = Image.fromarray(pixels), Image.fromarray(rgba)

    for name, array, format in (
        ("own.png", rgba, "png"),
        ("own-16.png", deep, "png"),
        ("own-16.tif", deep, "tiff"),
        ("own.webp", rgba, "webp"),
        ("own.jpg", pixels, "jpeg"),
    ):
        yield name, encode(array, format=format)
    yield "interlaced-16.png", _interlaced_png(deep)

    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Title", "seed " * 9, zip=True)
    exif = Image.Exif()
    exif[274] = 6
    exif[305] = "seed"
    profile = {"icc_profile": _profile()}
    saved: list[tuple[str, Image.Image, str, dict]] = [
        ("baseline.jpg", image, "JPEG", {"exif": exif, **profile, "dpi": (72, 72)}),
        ("progressive.jpg", image, "JPEG", {"progressive": True, "subsampling": 0}),
        ("restarts.jpg", image, "JPEG", {"restart_marker_rows": 1}),
        ("gray.jpg", image.convert("L"), "JPEG", {}),
        ("cmyk.jpg", image.convert("CMYK"), "JPEG", {}),
        ("palette.png", image.quantize(16), "PNG", {"transparency": 3}),
        ("gray.png", image.convert("L"), "PNG", {"transparency": 9}),
        ("gray-alpha.png", with_alpha.convert("LA"), "PNG", {"pnginfo": info, "exif": exif}),
        ("bilevel.png", image.convert("1"), "PNG", {"dpi": (300, 300), **profile}),
        ("gray-16.png", Image.fromarray(deep[:, :, 0]), "PNG", {}),
        ("lossy.webp", with_alpha, "WEBP", {"quality": 60, "exif": exif, **profile}),
        ("lossless.webp", image, "WEBP", {"lossless": True}),
        (
            "animated.webp",
            image,
            "WEBP",
            {"save_all": True, "append_images": [image.rotate(90), with_alpha]},
        ),
        ("plain.gif", image.quantize(32), "GIF", {}),
        (
            "animated.gif",
            image.quantize(32),
            "GIF",
            {"save_all": True, "append_images": [image.rotate(9).quantize(8)], "transparency": 1},
        ),
        ("rgb.bmp", image, "BMP", {}),
        ("palette.bmp", image.quantize(64), "BMP", {}),
        ("bilevel.bmp", image.convert("1"), "BMP", {}),
        ("lzw.tif", image, "TIFF", {"compression": "tiff_lzw", "exif": exif, **profile}),
        ("deflate.tif", with_alpha, "TIFF", {"compression": "tiff_adobe_deflate"}),
        ("jpeg.tif", image, "TIFF", {"compression": "jpeg"}),
        ("packbits.tif", image.convert("L"), "TIFF", {"compression": "packbits"}),
        ("fax.tif", image.convert("1"), "TIFF", {"compression": "group4"}),
        ("float.tif", Image.fromarray(deep[:, :, 0] / np.float32(65535)), "TIFF", {}),
        ("gray-16.tif", Image.fromarray(deep[:, :, 0]), "TIFF", {}),
        (
            "pages.tif",
            image,
            "TIFF",
            {"save_all": True, "append_images": [image.convert("L"), with_alpha]},
        ),
    ]
    if features.check("avif"):
        saved.append(("rgb.avif", image, "AVIF", {"quality": 60, "speed": 9, "exif": exif}))
        saved.append(("alpha.avif", with_alpha, "AVIF", {"quality": 60, "speed": 9}))
    for module, format, suffix in (
        ("pillow_heif", "HEIF", "heic"),
        ("pillow_jxl", "JXL", "jxl"),
    ):
        try:
            plugin = __import__(module)
        except ImportError:
            continue
        if format == "HEIF":
            plugin.register_heif_opener()
        saved.append((f"rgb.{suffix}", image, format, {}))
        saved.append((f"alpha.{suffix}", with_alpha, format, {}))
    for name, image, format, options in saved:
        file = io.BytesIO()
        image.save(file, format, **options)
        yield name, file.getvalue()

    for name, array, options in (
        ("tiles-16.tif", deep, {"tile": (16, 16), "photometric": "rgb"}),
        (
            "planes-16.tif",
            deep.transpose(2, 0, 1),
            {"planarconfig": "separate", "photometric": "rgb"},
        ),
        ("predictor-16.tif", deep, {"predictor": True, "compression": "zlib"}),
        ("big.tif", deep, {"bigtiff": True, "photometric": "rgb"}),
        ("big-endian.tif", deep, {"byteorder": ">", "photometric": "rgb"}),
        ("half.tif", (deep / 65535).astype(np.float16), {"photometric": "rgb"}),
        ("float32.tif", (deep / 65535).astype(np.float32), {"photometric": "rgb"}),
        ("double.tif", deep[:, :, 0] / 65535.0, {}),
        ("strips.tif", deep, {"rowsperstrip": 5, "photometric": "rgb", "compression": "zlib"}),
    ):
        file = io.BytesIO()
        tifffile.imwrite(file, array, **options)
        yield name, file.getvalue()


def _profile() -> bytes:
    from PIL import ImageCms

    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[24:36] = bytes(12)  # when it was made: a seed is the same bytes at any time
    return bytes(made)


def model_seeds() -> Iterator[tuple[str, str, bytes]]:
    """Kind, name and bytes of everything that is read about models."""
    import onnx
    from onnx import TensorProto, helper

    from nssbg._models import catalog
    from nssbg._planner.candidates import Candidate, Measurement

    place = Path(catalog.__file__)
    yield "catalog", "catalog.toml", place.with_name("catalog.toml").read_bytes()
    for path in sorted(place.with_name("bundled").glob("*.toml")):
        yield "toml", path.name, path.read_bytes()
    sidecar = {"name": "own", "file": "own.onnx", "size": [64, 96], "mean": 0.5, "std": [1, 1, 2]}
    sidecar |= {"filter": "bilinear", "activation": "sigmoid", "aliases": ["a", "b"]}
    yield "json", "own.onnx.json", json.dumps(sidecar).encode()
    image = {"name": "x4", "file": "x4.onnx", "size": 96, "task": "image", "scale": 4}
    image |= {"multiple": 8, "overlap": 16, "conditions": ["denoise", "deblock"]}
    yield "json", "x4.onnx.json", json.dumps(image).encode()

    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "height", None])
        for name in ("input", "output", "other")
    ]
    weights = helper.make_tensor("weight", TensorProto.FLOAT, [40], [0.25] * 40)
    nodes = [
        helper.make_node("Sigmoid", ["input"], ["output"]),
        helper.make_node("GatherND", ["input", "weight"], ["other"]),
    ]
    graph = helper.make_graph(nodes, "graph", values[:1], values[1:], [weights])
    model = helper.make_model(graph, producer_name="seed", producer_version="1")
    yield "onnx", "model.onnx", onnx.ModelProto.SerializeToString(model)

    candidate = Candidate(**_fields_of(Candidate))
    measured = Measurement(**{**_fields_of(Measurement), "candidate": candidate})
    plans = {"key": [asdict(measured)] * 2, "other": []}
    yield "plans", "plans.json", json.dumps(plans, default=str).encode()


def _fields_of(kind: type) -> dict:
    """Plausible values for a dataclass, so that a new field needs no change here."""
    from dataclasses import MISSING, fields

    made: dict = {}
    for field in fields(kind):
        if field.default is not MISSING or field.default_factory is not MISSING:
            continue
        words = str(field.type)
        made[field.name] = 1.5 if "float" in words else 2 if "int" in words else "cpu"
    return made


def seeds() -> list[tuple[str, str, bytes]]:
    """All seeds: kind, name, bytes."""
    images = [("picture", name, data) for name, data in picture_seeds()]
    return [*images, *model_seeds()]
