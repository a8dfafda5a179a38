"""C++ core of nssbg: kernels and what they run on."""

from collections.abc import Sequence
from typing import Annotated, overload

import numpy
from numpy.typing import NDArray


def enter_call() -> None:
    """
    Count a call into another library's native code; end it with leave_call. Waits while the process forks; SystemExit once the interpreter ends.
    """

def leave_call() -> None:
    """End what enter_call began, in the same thread."""

def keep_for_ever(object: object) -> None:
    """Never destroy this object, not even when the interpreter ends."""

def stand_before_error_handler(setter: int) -> None:
    """
    Put a handler that can be silenced before libtiff's; takes TIFFSetErrorHandler's address.
    """

def silence_thread(silent: bool) -> None:
    """
    Drop libtiff's messages on this thread; calls with True and False come in pairs.
    """

@overload
def over_image(rgba: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], background: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], threads: int = 1) -> NDArray[numpy.uint8]: ...

@overload
def over_image(rgba: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], background: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], threads: int = 1) -> NDArray[numpy.uint16]:
    """H x W x 3: straight rgba over a picture (whose row stride may be 0)."""

@overload
def over_gradient(rgba: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], colors: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], radial: bool, origin: float, across: float, down: float, center_x: float, center_y: float, scale: float, threads: int = 1) -> NDArray[numpy.uint8]: ...

@overload
def over_gradient(rgba: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], colors: Annotated[NDArray[numpy.uint16], dict(shape=(None, None), device='cpu', writable=False)], radial: bool, origin: float, across: float, down: float, center_x: float, center_y: float, scale: float, threads: int = 1) -> NDArray[numpy.uint16]:
    """H x W x 3: straight rgba over a gradient given as a table of colours."""

@overload
def over_layer(front: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], back: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], threads: int = 1) -> NDArray[numpy.uint8]: ...

@overload
def over_layer(front: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], back: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], threads: int = 1) -> NDArray[numpy.uint16]:
    """H x W x 4: one straight layer over another, straight result."""

@overload
def subject_box(rgba: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], threshold: int, threads: int = 1) -> tuple: ...

@overload
def subject_box(rgba: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], threshold: int, threads: int = 1) -> tuple:
    """
    (top, left, bottom, right) of the pixels whose alpha is above the threshold.
    """

@overload
def suppress_spill(rgba: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], screen: int, strength: float = 1.0, threads: int = 1) -> NDArray[numpy.uint8]: ...

@overload
def suppress_spill(rgba: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], screen: int, strength: float = 1.0, threads: int = 1) -> NDArray[numpy.uint16]:
    """A copy of rgba with a chroma screen's spill taken down."""

@overload
def premultiply(rgba: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], threads: int = 1) -> NDArray[numpy.uint8]: ...

@overload
def premultiply(rgba: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], threads: int = 1) -> NDArray[numpy.uint16]:
    """Straight to premultiplied alpha."""

class CorrectionGrid:
    @overload
    def __init__(self, image: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], alpha: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], full_size: bool, threads: int) -> None: ...

    @overload
    def __init__(self, image: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], alpha: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], full_size: bool, threads: int) -> None: ...

    @overload
    def __init__(self, image: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], alpha: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], full_size: bool, threads: int) -> None: ...

    @overload
    def __init__(self, image: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], alpha: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], full_size: bool, threads: int) -> None: ...

    def shape(self) -> tuple: ...

    def apply(self, keep: Sequence[tuple[float, float]], drop: Sequence[tuple[float, float]], mask: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)] | None, in_bytes: bool) -> tuple:
        """The corrected map, and where it was changed."""

@overload
def corrected_alpha(image: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], before: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], full_size: bool, coarse: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], changed: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)] | None, keep: Sequence[tuple[float, float]], drop: Sequence[tuple[float, float]], mask: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)] | None, level: str, threads: int) -> tuple: ...

@overload
def corrected_alpha(image: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], before: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], full_size: bool, coarse: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], changed: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)] | None, keep: Sequence[tuple[float, float]], drop: Sequence[tuple[float, float]], mask: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)] | None, level: str, threads: int) -> tuple: ...

@overload
def corrected_alpha(image: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], before: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], full_size: bool, coarse: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], changed: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)] | None, keep: Sequence[tuple[float, float]], drop: Sequence[tuple[float, float]], mask: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)] | None, level: str, threads: int) -> tuple: ...

@overload
def corrected_alpha(image: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], before: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], full_size: bool, coarse: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], changed: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)] | None, keep: Sequence[tuple[float, float]], drop: Sequence[tuple[float, float]], mask: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)] | None, level: str, threads: int) -> tuple:
    """The full-size alpha from a corrected coarse one: (alpha, report)."""

@overload
def resize_map(map: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], height: int, width: int) -> NDArray[numpy.uint8]: ...

@overload
def resize_map(map: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], height: int, width: int) -> NDArray[numpy.float32]:
    """
    A map at a size: means of boxes where a side gets smaller, else bilinear.
    """

@overload
def correction_trimap(coarse: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], height: int, width: int) -> NDArray[numpy.uint8]: ...

@overload
def correction_trimap(coarse: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], height: int, width: int) -> NDArray[numpy.uint8]:
    """
    Sure where a coarse map is, two cells away from where it is not: 0, 128, 255.
    """

@overload
def mix_changed(before: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], after: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], changed: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)]) -> NDArray[numpy.uint8]: ...

@overload
def mix_changed(before: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], after: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], changed: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)]) -> NDArray[numpy.float32]:
    """
    The method's own full-size alpha, and the refined one where something was changed.
    """

def region_of_box(box: tuple[float, float, float, float], height: int, width: int) -> tuple:
    """
    The part of a picture that a method looks at for a box, and the box within it.
    """

def paint(strokes: Sequence[tuple[bool, float, Sequence[tuple[float, float]]]], height: int, width: int, origin: tuple[float, float], scale: tuple[float, float]) -> NDArray[numpy.uint8]:
    """Brush strokes as a mask: 255 keep, 0 drop, 128 nothing said."""

KEPT_FROM: int = 224

DROPPED_UP_TO: int = 31

@overload
def decontaminate(image: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], alpha: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], background: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu')] | None = None, method: str = 'multilevel', strength: float = 1.0, extend: bool = False, gradient_weight: float = 0.20000000298023224, regularization: float = 9.999999747378752e-06, threads: int = 1) -> NDArray[numpy.uint8]: ...

@overload
def decontaminate(image: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], alpha: Annotated[NDArray[numpy.uint16], dict(shape=(None, None), device='cpu', writable=False)], background: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu')] | None = None, method: str = 'multilevel', strength: float = 1.0, extend: bool = False, gradient_weight: float = 0.20000000298023224, regularization: float = 9.999999747378752e-06, threads: int = 1) -> NDArray[numpy.uint8]: ...

@overload
def decontaminate(image: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], alpha: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], background: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu')] | None = None, method: str = 'multilevel', strength: float = 1.0, extend: bool = False, gradient_weight: float = 0.20000000298023224, regularization: float = 9.999999747378752e-06, threads: int = 1) -> NDArray[numpy.uint8]: ...

@overload
def decontaminate(image: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], alpha: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], background: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu')] | None = None, method: str = 'multilevel', strength: float = 1.0, extend: bool = False, gradient_weight: float = 0.20000000298023224, regularization: float = 9.999999747378752e-06, threads: int = 1) -> NDArray[numpy.uint16]: ...

@overload
def decontaminate(image: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], alpha: Annotated[NDArray[numpy.uint16], dict(shape=(None, None), device='cpu', writable=False)], background: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu')] | None = None, method: str = 'multilevel', strength: float = 1.0, extend: bool = False, gradient_weight: float = 0.20000000298023224, regularization: float = 9.999999747378752e-06, threads: int = 1) -> NDArray[numpy.uint16]: ...

@overload
def decontaminate(image: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], alpha: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], background: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu')] | None = None, method: str = 'multilevel', strength: float = 1.0, extend: bool = False, gradient_weight: float = 0.20000000298023224, regularization: float = 9.999999747378752e-06, threads: int = 1) -> NDArray[numpy.uint16]:
    """
    Straight H x W x 4 from H x W x 3 and its alpha, edge colours freed of the background.
    """

@overload
def defocus(image: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], rgba: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], radii: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], blades: int = 0, rotation: float = 0.0, threads: int = 1) -> NDArray[numpy.uint8]: ...

@overload
def defocus(image: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], rgba: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], radii: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], blades: int = 0, rotation: float = 0.0, threads: int = 1) -> NDArray[numpy.uint16]:
    """
    H x W x 3: the image's background without the subject (straight rgba), blurred by circles of confusion of radii pixels (h x w, negative in front of the focus).
    """

@overload
def radii_of_plane(alpha: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], radius: float) -> NDArray[numpy.float32]: ...

@overload
def radii_of_plane(alpha: Annotated[NDArray[numpy.uint16], dict(shape=(None, None), device='cpu', writable=False)], radius: float) -> NDArray[numpy.float32]:
    """
    Radii of circles of confusion of a ground that the subject stands on: n x 1.
    """

@overload
def resample(pixels: Annotated[NDArray[numpy.uint8], dict(device='cpu', writable=False)], part: tuple[float, float, float, float], height: int, width: int) -> NDArray[numpy.uint8]: ...

@overload
def resample(pixels: Annotated[NDArray[numpy.uint16], dict(device='cpu', writable=False)], part: tuple[float, float, float, float], height: int, width: int) -> NDArray[numpy.uint16]:
    """A part (left, top, right, bottom) of a cut-out or an alpha at a size."""

@overload
def resample_to_fit(image: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], fit: str, height: int, width: int) -> NDArray[numpy.uint8]: ...

@overload
def resample_to_fit(image: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], fit: str, height: int, width: int) -> NDArray[numpy.uint16]:
    """
    A picture as a background of a size: it fills all, or all of it is shown.
    """

@overload
def resample_window(pixels: Annotated[NDArray[numpy.uint8], dict(device='cpu', writable=False)], scale: float, top: float, left: float, box: tuple[int, int, int, int]) -> NDArray[numpy.uint8]: ...

@overload
def resample_window(pixels: Annotated[NDArray[numpy.uint16], dict(device='cpu', writable=False)], scale: float, top: float, left: float, box: tuple[int, int, int, int]) -> NDArray[numpy.uint16]:
    """A box of a canvas on which pixels lie scaled and moved."""

@overload
def placement(rgba: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], canvas: tuple[int, int, float, float, float, bool, float, float], trim: bool, also: tuple[int, int, int, int], threads: int) -> tuple: ...

@overload
def placement(rgba: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], canvas: tuple[int, int, float, float, float, bool, float, float], trim: bool, also: tuple[int, int, int, int], threads: int) -> tuple:
    """Where a cut-out comes to lie on a canvas: scale, top, left, drawn."""

@overload
def draw(rgba: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], scale: float, top: float, left: float, drawn: tuple[int, int, int, int], height: int, width: int) -> NDArray[numpy.uint8]: ...

@overload
def draw(rgba: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], scale: float, top: float, left: float, drawn: tuple[int, int, int, int], height: int, width: int) -> NDArray[numpy.uint16]:
    """A cut-out on a transparent canvas."""

def shared_canvas(boxes: Sequence[tuple[int, int, int, int]], canvas: tuple[int, int, float, float, float, bool, float, float]) -> tuple:
    """One scale and one baseline for several pictures of one product."""

def align_shares(align: str) -> tuple[float, float]:
    """Shares of the free space above the subject and left of it."""

def size_within(height: int, width: int, longest: int) -> tuple[int, int]:
    """Height and width with a longer side of at most so many pixels."""

SOLID_ALPHA: float = 0.5

VISIBLE_ALPHA: float = 0.1

FAINT_ALPHA: float = 0.02

@overload
def png_encode(pixels: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], compression: str, chunks: bytes, threads: int) -> bytes: ...

@overload
def png_encode(pixels: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], compression: str, chunks: bytes, threads: int) -> bytes:
    """
    Encode H x W x C samples (C 1, 3 or 4; uint8 or uint16, any strides) to a PNG file's bytes; chunks are whole chunks to stand before the pixels.
    """

@overload
def orient(pixels: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], orientation: int, threads: int) -> NDArray[numpy.uint8]: ...

@overload
def orient(pixels: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], orientation: int, threads: int) -> NDArray[numpy.uint16]:
    """
    Turn H x W x C pixels (C 1, 3 or 4; uint8 or uint16, packed rows) as an EXIF orientation, 1 to 8, asks.
    """

def png_unfilter(filtered: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), order='C', device='cpu', writable=False)], pixel_bytes: int) -> NDArray[numpy.uint8]:
    """
    Undo PNG's row filters: height x (1 + row_bytes) to height x row_bytes, uint8.
    """

def prepare_f32_from_u8(source: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], target: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), device='cpu')], filter: str, content: Sequence[int], fill: Sequence[int], mean: Sequence[float], std: Sequence[float], threads: int, part: Sequence[float] = [0.0, 0.0, 0.0, 0.0]) -> None:
    """Fill target (3 x H x W) from source (H x W x 1, 3 or 4)."""

def prepare_f16_from_u8(source: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], target: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu')], filter: str, content: Sequence[int], fill: Sequence[int], mean: Sequence[float], std: Sequence[float], threads: int, part: Sequence[float] = [0.0, 0.0, 0.0, 0.0]) -> None:
    """Fill target (3 x H x W) from source (H x W x 1, 3 or 4)."""

def prepare_u8_from_u8(source: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], target: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu')], filter: str, content: Sequence[int], fill: Sequence[int], mean: Sequence[float], std: Sequence[float], threads: int, part: Sequence[float] = [0.0, 0.0, 0.0, 0.0]) -> None:
    """Fill target (3 x H x W) from source (H x W x 1, 3 or 4)."""

def prepare_f32_from_u16(source: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], target: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), device='cpu')], filter: str, content: Sequence[int], fill: Sequence[int], mean: Sequence[float], std: Sequence[float], threads: int, part: Sequence[float] = [0.0, 0.0, 0.0, 0.0]) -> None:
    """Fill target (3 x H x W) from source (H x W x 1, 3 or 4)."""

def prepare_f16_from_u16(source: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], target: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu')], filter: str, content: Sequence[int], fill: Sequence[int], mean: Sequence[float], std: Sequence[float], threads: int, part: Sequence[float] = [0.0, 0.0, 0.0, 0.0]) -> None:
    """Fill target (3 x H x W) from source (H x W x 1, 3 or 4)."""

def prepare_u8_from_u16(source: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], target: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu')], filter: str, content: Sequence[int], fill: Sequence[int], mean: Sequence[float], std: Sequence[float], threads: int, part: Sequence[float] = [0.0, 0.0, 0.0, 0.0]) -> None:
    """Fill target (3 x H x W) from source (H x W x 1, 3 or 4)."""

def empty_planar_f32(height: int, width: int) -> NDArray[numpy.float32]:
    """A 1 x 3 x H x W float32 array over pooled memory, contents undefined."""

def empty_planar_u16(height: int, width: int) -> NDArray[numpy.uint16]:
    """A 1 x 3 x H x W uint16 array over pooled memory, contents undefined."""

def empty_planar_u8(height: int, width: int) -> NDArray[numpy.uint8]:
    """A 1 x 3 x H x W uint8 array over pooled memory, contents undefined."""

@overload
def refine(image: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], coarse: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], trimap: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)] | None, level: str, threads: int, tile: int) -> tuple: ...

@overload
def refine(image: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], coarse: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], trimap: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)] | None, level: str, threads: int, tile: int) -> tuple: ...

@overload
def refine(image: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], coarse: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], trimap: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)] | None, level: str, threads: int, tile: int) -> tuple: ...

@overload
def refine(image: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], coarse: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], trimap: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)] | None, level: str, threads: int, tile: int) -> tuple:
    """Refine a coarse alpha to the image's size: (alpha, report)."""

class RefineStreamU8U8:
    def __init__(self, height: int, width: int, coarse: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], level: str, threads: int) -> None: ...

    def push(self, rows: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)]) -> NDArray[numpy.uint8]: ...

    def report(self) -> dict: ...

class RefineStreamU8F32:
    def __init__(self, height: int, width: int, coarse: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], level: str, threads: int) -> None: ...

    def push(self, rows: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)]) -> NDArray[numpy.float32]: ...

    def report(self) -> dict: ...

class RefineStreamU16U8:
    def __init__(self, height: int, width: int, coarse: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], level: str, threads: int) -> None: ...

    def push(self, rows: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)]) -> NDArray[numpy.uint8]: ...

    def report(self) -> dict: ...

class RefineStreamU16F32:
    def __init__(self, height: int, width: int, coarse: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], level: str, threads: int) -> None: ...

    def push(self, rows: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)]) -> NDArray[numpy.float32]: ...

    def report(self) -> dict: ...

@overload
def clean_components(alpha: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu')], holes: bool, level: float, least_area: int, keep_largest: bool, deepest: float = 0.0, of_largest: float = 0.0, faint: float = 0.0) -> dict: ...

@overload
def clean_components(alpha: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu')], holes: bool, level: float, least_area: int, keep_largest: bool, deepest: float = 0.0, of_largest: float = 0.0, faint: float = 0.0) -> dict:
    """Remove small components or fill holes of an alpha, in place."""

@overload
def remove_stray_alpha(alpha: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu')], level: float, reach: float) -> None: ...

@overload
def remove_stray_alpha(alpha: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu')], level: float, reach: float) -> None:
    """Set to 0 what lies far from all that is above the level, in place."""

@overload
def post_process(alpha: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu')]) -> None: ...

@overload
def post_process(alpha: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu')]) -> None:
    """Post-process the map of a network whose subjects are opaque, in place."""

@overload
def choke(alpha: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], pixels: float, threads: int) -> NDArray[numpy.uint8]: ...

@overload
def choke(alpha: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], pixels: float, threads: int) -> NDArray[numpy.float32]:
    """Move an alpha's edge inwards (negative: outwards)."""

@overload
def feather(alpha: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], sigma: float, threads: int) -> NDArray[numpy.uint8]: ...

@overload
def feather(alpha: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], sigma: float, threads: int) -> NDArray[numpy.float32]:
    """Gaussian blur of an alpha."""

@overload
def merge_alpha(alpha: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], existing: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)]) -> NDArray[numpy.uint8]: ...

@overload
def merge_alpha(alpha: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], existing: Annotated[NDArray[numpy.uint16], dict(shape=(None, None), device='cpu', writable=False)]) -> NDArray[numpy.uint16]: ...

@overload
def merge_alpha(alpha: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], existing: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)]) -> NDArray[numpy.float32]: ...

@overload
def merge_alpha(alpha: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], existing: Annotated[NDArray[numpy.uint16], dict(shape=(None, None), device='cpu', writable=False)]) -> NDArray[numpy.float32]:
    """The product of an alpha with the one that the picture came with."""

def edge_pixels(choke: float, softness: float, height: int, width: int) -> tuple:
    """
    Choke and softness, given as shares of the most that is offered, in pixels.
    """

LARGEST_DIP: float = 0.01

COMPONENT_LEVEL: float = 0.02

COMPONENT_SHARE: float = 2e-06

def isa_levels() -> list[str]:
    """ISA levels compiled in that this processor can run, lowest first."""

def isa() -> str:
    """The ISA level in use: NSSBG_ISA where set, else the highest available."""

def set_isa(name: str) -> None:
    """
    Force an ISA level ('v1'..'v4' or 'auto'); ValueError if it cannot run here.
    """

def compiled_isa() -> int:
    """
    The level that the active kernels were compiled for, by the compiler's word.
    """

def usable_cores() -> int:
    """Cores this process may use: affinity mask and cgroup quota."""

def pool_statistics() -> dict:
    """
    Bytes of the memory pool: held by results, idle for reuse, and the idle limit.
    """

def pool_trim() -> None:
    """Free the pool's idle blocks."""

def pool_set_idle_limit(bytes: int) -> None:
    """Keep at most this many idle bytes for reuse."""

def empty_u8(height: int, width: int, channels: int) -> NDArray[numpy.uint8]:
    """An H x W x C uint8 array over pooled memory, contents undefined."""

def confidence_features(alpha: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], flipped: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)] | None) -> tuple:
    """What the expected overlap of a network's map is made from."""

def confidence(alpha: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], flipped: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)] | None, single: Sequence[float], flip_tta: Sequence[float]) -> dict:
    """The overlap with the truth to be expected of a network's map."""

def map_confidence(alpha: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], single: Sequence[float]) -> float:
    """Orders the maps of one network, the surer ones first."""

@overload
def selector_features(studio: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], studio_confidence: float, network: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], network_overlap: float) -> tuple: ...

@overload
def selector_features(studio: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], studio_confidence: float, network: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], network_overlap: float) -> tuple: ...

@overload
def selector_features(studio: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], studio_confidence: float, network: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], network_overlap: float) -> tuple: ...

@overload
def selector_features(studio: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], studio_confidence: float, network: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], network_overlap: float) -> tuple:
    """What the choice between two alphas is made from."""

def select(features: Sequence[float], studio_is_better: Sequence[float], studio_overlap: Sequence[float], network_overlap: Sequence[float]) -> dict:
    """Which of two alphas to take."""

def coarse_alpha(maps: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], activation: str, range: str) -> int:
    """
    Maps x cells of a network's output to 0..1, in place; how many were not finite.
    """

def joined_maps(alpha: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], flipped: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)] | None, in_bytes: bool) -> object:
    """A map, or the mean of two, in float32 or in bytes."""

class SecondPass:
    @overload
    def __init__(self, first: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], height: int, width: int, effort: str, single: Sequence[float], input_pixels: int = 8388608) -> None: ...

    @overload
    def __init__(self, first: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], height: int, width: int, effort: str, single: Sequence[float], input_pixels: int = 8388608) -> None: ...

    @overload
    def answer(self, map: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)]) -> None: ...

    @overload
    def answer(self, map: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)]) -> None: ...

    def next(self, may_run: bool) -> object: ...

    def map(self) -> NDArray[numpy.float32]: ...

    def report(self) -> dict: ...

LOW_CONFIDENCE: float = 0.75

MOST_INPUT_PIXELS: int = 8388608

LEAST_BORDER: float = 0.5

SURE_STUDIO: float = 0.95

AGREEING: float = 0.97

TRUSTED_STUDIO: float = 0.7

@overload
def shadow_layer(alpha: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), device='cpu', writable=False)], shadow: tuple[str, float, float, float, float], color: Sequence[int]) -> NDArray[numpy.uint8]: ...

@overload
def shadow_layer(alpha: Annotated[NDArray[numpy.uint16], dict(shape=(None, None), device='cpu', writable=False)], shadow: tuple[str, float, float, float, float], color: Sequence[int]) -> NDArray[numpy.uint16]:
    """H x W x 4: a shadow of the subject, straight, of one colour."""

def layer_from_strength_u8(strength: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], color: Sequence[int]) -> NDArray[numpy.uint8]:
    """A layer of one colour from a map of how strong it is, 0 to 1."""

def layer_from_strength_u16(strength: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], color: Sequence[int]) -> NDArray[numpy.uint16]:
    """A layer of one colour from a map of how strong it is, 0 to 1."""

def shadow_room(box: tuple[int, int, int, int], height: int, width: int, shadow: tuple[str, float, float, float, float], tail: float) -> tuple:
    """
    Pixels that a shadow reaches beyond a subject's box: top, right, bottom, left.
    """

SHADOW_TAIL: float = 3.0

@overload
def studio_alpha(rgb: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], chroma: str, shadow: bool, threads: int, least_border: float) -> tuple: ...

@overload
def studio_alpha(rgb: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], chroma: str, shadow: bool, threads: int, least_border: float) -> tuple:
    """
    Alpha (None where too little of the border is one backdrop), shadow (or None) and report of the weights-free method for H x W x 3.
    """

LOW_STUDIO_CONFIDENCE: float = 0.5

@overload
def cut_tiles(image: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu', writable=False)], planes: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None, None), order='C', device='cpu')], origins: Annotated[NDArray[numpy.int64], dict(shape=(None, 2), order='C', device='cpu', writable=False)], scale: Annotated[NDArray[numpy.float32], dict(shape=(3), order='C', device='cpu', writable=False)], shift: Annotated[NDArray[numpy.float32], dict(shape=(3), order='C', device='cpu', writable=False)], threads: int = 1) -> None: ...

@overload
def cut_tiles(image: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu', writable=False)], planes: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None, None), order='C', device='cpu')], origins: Annotated[NDArray[numpy.int64], dict(shape=(None, 2), order='C', device='cpu', writable=False)], scale: Annotated[NDArray[numpy.float32], dict(shape=(3), order='C', device='cpu', writable=False)], shift: Annotated[NDArray[numpy.float32], dict(shape=(3), order='C', device='cpu', writable=False)], threads: int = 1) -> None:
    """
    Fill the colours of planes (N x C x h x w) with image * scale + shift at each origin (row, column), mirrored beyond the image's edges.
    """

@overload
def put_tile(planes: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), device='cpu', writable=False)], out: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), device='cpu')], left: int = 0, top: int = 0, right: int = 0, threads: int = 1) -> bool: ...

@overload
def put_tile(planes: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), device='cpu', writable=False)], out: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), device='cpu')], left: int = 0, top: int = 0, right: int = 0, threads: int = 1) -> bool:
    """
    Put 3 x h x w floats 0..1 over out (h x w x 3), rounded, faded in over left columns and top rows; False where one was not finite.
    """
