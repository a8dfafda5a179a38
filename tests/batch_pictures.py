"""Drawn cut-outs, small profiles and metadata that the tests of batches share."""

import struct

import numpy as np
from PIL import Image, ImageCms

from nssbg._cutout import Cutout
from nssbg._types import Frame, Plan, Timings
from nssbg.batch.profile import OutputSpec, Profile

PLAN = Plan(model="nssbg-lite", backend="fake", device="CPU", license="Apache-2.0")


def cutout_of(rgba, **frame):
    rgb = np.ascontiguousarray(rgba[..., :3])
    account = {"plan": PLAN, "timings": Timings(), "confidence": 0.97}
    return Cutout.of_rgba(rgba, Frame(rgb=rgb, **frame), **account)


def product(height=400, width=300, *, noise=0, dtype=np.uint8):
    """A textured ellipse with a soft edge."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    away = np.hypot((y - height / 2) / (height * 0.35), (x - width / 2) / (width * 0.3))
    alpha = np.clip(0.5 - (away - 1) * height * 0.3 / 2, 0, 1)
    rgba = np.zeros((height, width, 4))
    rgba[..., 0] = 120 + 60 * np.sin(x / 5)
    rgba[..., 1] = 60 + 40 * np.sin(y / 7)
    rgba[..., 2] = 40
    if noise:
        rgba[..., :3] += np.random.default_rng(2).normal(0, noise, (height, width, 3))
    rgba[..., 3] = alpha * 255
    rgba = np.rint(np.clip(rgba, 0, 255)).astype(dtype)
    rgba[rgba[..., 3] == 0] = 0
    return rgba * 257 if dtype == np.uint16 else rgba


def profile_of(**spec):
    """A small JPEG profile over exact white."""
    base = {
        "name": "{stem}.{ext}",
        "format": "jpeg",
        "quality": 90,
        "background": "white",
        "exact_background": True,
        "width": 200,
        "height": 240,
        "fill": 0.85,
        "subsampling": "4:4:4",
    }
    return Profile("test", (OutputSpec(**{**base, **spec}),))


def exif_with_everything():
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x013B] = "Ann Other"
    exif[0x8298] = "(c) Ann"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8769)[0xA431] = "SERIAL123"
    return exif.tobytes().removeprefix(b"Exif\0\0")


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:Credit="Agency &amp; Co" '
    b'xmlns:aux="http://ns.adobe.com/exif/1.0/aux/" aux:SerialNumber="SERIAL123"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


def adobe_like_profile():
    """A matrix profile with wider primaries than sRGB's, made from LittleCMS's own."""
    base = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", base, 128)[0]
    places = {}
    for entry in range(132, 132 + 12 * count, 12):
        tag, at, _ = struct.unpack_from(">4sII", base, entry)
        places[tag] = at
    # The colorants of Adobe RGB (1998), adapted to D50.
    for tag, xyz in (
        (b"rXYZ", (0.60974, 0.31111, 0.01947)),
        (b"gXYZ", (0.20528, 0.62567, 0.06087)),
        (b"bXYZ", (0.14919, 0.06322, 0.74457)),
    ):
        struct.pack_into(">3i", base, places[tag] + 8, *(round(v * 65536) for v in xyz))
    return bytes(base).replace(
        "sRGB built-in".encode("utf-16-be"), "Wide built-in".encode("utf-16-be")
    )
