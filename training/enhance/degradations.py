"""What happens to a clean patch: blur, a smaller size, sensor noise in linear light, JPEG.

In: a clean patch, uint8 RGB, larger than what is learnt by a margin. Out: the patch the network
sees, the two strengths it is told, and the clean patch it is to give. Everything follows from the
random generator that is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

#: Noise that denoise = 1 stands for: root mean square, of 255, as the picture is encoded.
STRONGEST_NOISE = 50.0
#: JPEG qualities that deblock = 0 and = 1 stand for; nssbg._enhance.jpeg_quality has the same.
CLEAN_QUALITY, WORST_QUALITY = 95.0, 20.0

_SUBSAMPLING = (  # as cameras, phones, web services and editors write
    (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, 0.65),
    (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422, 0.12),
    (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, 0.23),
)
_RESIZERS = (
    (Image.Resampling.BICUBIC, 0.55),
    (Image.Resampling.LANCZOS, 0.15),
    (Image.Resampling.BOX, 0.10),
    (Image.Resampling.HAMMING, 0.10),
    (Image.Resampling.BILINEAR, 0.10),
)


@dataclass(frozen=True)
class Shares:
    """How often what happens, 0..1; see recipe.toml.

    Noise alone, JPEG alone or both; neither is what is left to 1.
    """

    noise: float
    jpeg: float
    both: float = 0.0
    blur: float = 0.0
    linear_resize: float = 0.0
    gray: float = 0.03


def deblock_of(quality: float) -> float:
    """The strength that a network is told for a JPEG quality."""
    share = (CLEAN_QUALITY - quality) / (CLEAN_QUALITY - WORST_QUALITY)
    return float(min(max(share, 0.0), 1.0))


def to_linear(encoded: Pixels) -> Floats:
    """Linear light of 0..1 from sRGB."""
    return _LINEAR[encoded]


def _linear_table() -> Floats:
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(
        np.float32
    )


_LINEAR = _linear_table()


def from_linear(linear: Floats) -> Floats:
    """sRGB of 0..1, not clipped above."""
    value = np.maximum(linear, 0)
    return np.where(
        value <= 0.0031308, 12.92 * value, 1.055 * np.power(value, 1 / 2.4) - 0.055
    ).astype(np.float32)


def _bytes(values: Floats) -> Pixels:
    return np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)


def sensor_noise(clean: Pixels, strength: float, random: np.random.Generator) -> Pixels:
    """Photon and read noise in linear light, with the gains of a white balance.

    `strength` is about what comes out as root mean square of 255, in mid-tones; half of the
    time the noise is spread over neighbours, as demosaicing and small sizes do.
    """
    linear = to_linear(clean)
    gains = np.array([random.uniform(1.2, 2.2), 1.0, random.uniform(1.2, 2.2)], np.float32)
    # The slope of sRGB in a mid-tone of 0.2 is about 1.12: noise of the encoded picture there.
    wanted = strength / 255 / 1.12
    photons = random.uniform(0.2, 1.0)  # share of the variance at 0.2 that photons have
    shot = photons * wanted**2 / 0.2
    read = np.sqrt((1 - photons) * wanted**2)
    spread = np.sqrt(shot * linear * gains + (read * gains) ** 2)
    noise = random.standard_normal(linear.shape, np.float32)
    if random.random() < 0.5:
        soft = cv2.GaussianBlur(noise, (0, 0), random.uniform(0.4, 0.8))
        noise = soft / max(float(soft.std()), 1e-6)
    return _bytes(from_linear(linear + spread * noise))


def white_noise(clean: Pixels, sigma: float, random: np.random.Generator) -> Pixels:
    """Gaussian noise of one sigma on the encoded values, as tables of denoisers have it."""
    noise = random.standard_normal(clean.shape, np.float32)
    return _bytes((clean + np.float32(sigma) * noise) / 255)


def jpeg(picture: Pixels, quality: int, subsampling: int) -> Pixels:
    """Written as a JPEG and read again."""
    settings = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        subsampling,
    ]
    done, data = cv2.imencode(".jpg", picture[..., ::-1], settings)
    if not done:
        raise ValueError("a patch could not be written as a JPEG")
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def _drawn(choices: tuple[tuple[int, float], ...], random: np.random.Generator) -> int:
    at = random.random() * sum(share for _, share in choices)
    for value, share in choices:
        at -= share
        if at < 0:
            return value
    return choices[-1][0]


def blur(patch: Pixels, random: np.random.Generator) -> Pixels:
    """A slight blur of any direction: focus, lens, motion."""
    wide, narrow = random.uniform(0.3, 1.3), random.uniform(0.3, 1.3)
    angle = random.uniform(0, np.pi)
    y, x = np.mgrid[-4:5, -4:5].astype(np.float32)
    along = np.cos(angle) * x + np.sin(angle) * y
    across = np.cos(angle) * y - np.sin(angle) * x
    kernel = np.exp(-0.5 * ((along / wide) ** 2 + (across / narrow) ** 2))
    return cv2.filter2D(patch, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101)


def halved(patch: Pixels, shares: Shares, random: np.random.Generator) -> Pixels:
    """A patch at half its size by one of the common resizers, in encoded or in linear light."""
    filter_ = Image.Resampling(_drawn(_RESIZERS, random))
    height, width = patch.shape[0] // 2, patch.shape[1] // 2
    if random.random() >= shares.linear_resize:
        return np.asarray(Image.fromarray(patch).resize((width, height), filter_))
    linear = to_linear(patch)
    planes = [
        np.asarray(Image.fromarray(plane).resize((width, height), filter_))
        for plane in np.moveaxis(linear, 2, 0)
    ]
    return _bytes(from_linear(np.stack(planes, axis=2)))


def spoiled(
    clean: Pixels, shares: Shares, random: np.random.Generator, *, is_gray: bool = False
) -> tuple[Pixels, float, float]:
    """A clean patch with noise and JPEG's artefacts, or without; and the two strengths.

    A gray patch keeps equal channels, so that its noise cannot be averaged away over them.
    """
    picture, denoise, deblock = clean, 0.0, 0.0
    at = random.random()
    is_written = shares.noise <= at < shares.noise + shares.jpeg + shares.both
    is_noisy = at < shares.noise or (is_written and at >= shares.noise + shares.jpeg)
    if is_noisy:
        # Denser where photographs lie; the square root alone would leave strong noise unlearnt.
        strength = random.uniform(0, 1) ** 1.3 * 55
        noisy = sensor_noise if random.random() < 0.45 else white_noise
        picture = noisy(picture, strength, random)
        if is_gray:
            picture = np.repeat(picture[..., 1:2], 3, axis=2)
        error = picture.astype(np.float32) - clean
        denoise = min(float(np.sqrt(np.mean(error**2))) / STRONGEST_NOISE, 1.0)
    if is_written:
        quality = int(20 + 76 * random.random() ** 1.3)  # more of what needs it
        picture = jpeg(picture, quality, _drawn(_SUBSAMPLING, random))
        deblock = deblock_of(quality)
    return picture, denoise, deblock


def gray(patch: Pixels) -> Pixels:
    """The luma in each channel."""
    return np.repeat(cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
