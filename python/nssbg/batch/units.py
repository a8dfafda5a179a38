"""Work units: one picture with all that decides what becomes of it, and the key of that.

A unit's key changes when, and only when, its outputs could: with the picture's bytes, the options,
the profile, the model's weights, the version of nssbg, or the corrections.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nssbg import __version__
from nssbg._compose.canvas import Box
from nssbg._corrections import Corrections
from nssbg._enhance_options import Enhancement
from nssbg._options import CutoutOptions, CutoutOptionsDict
from nssbg.batch.address import is_uri
from nssbg.batch.profile import OutputSpec, Profile

if TYPE_CHECKING:
    from nssbg._models.sidecar import ModelDescription

__all__ = [
    "DEFAULT_PROFILE",
    "WorkUnit",
    "enhancement_identity",
    "enhancements_of",
    "keywords",
    "model_identity",
    "recipe_digest",
    "settings_digest",
    "with_overrides",
]

# Without a profile: the cut-out as PNG at its own size, checked for nothing but being one.
DEFAULT_PROFILE = Profile(
    "cutout",
    (OutputSpec(name="{dir}/{stem}.{ext}", format="png", color_space="keep"),),
    summary="The cut-out as transparent PNG, at the picture's own size",
    metadata="keep",
    provenance=False,
)


@dataclass(frozen=True)
class WorkUnit:
    """One picture and what is to be made of it.

    Attributes:
        input: Its path or name, as it was given.
        profile: What is made of it; with what its own row overrides.
        outputs: Names of its outputs, relative to the output root.
        dir: For name templates: the folder it is mirrored to.
        stem: For name templates.
        index: For name templates: its place in the batch, from 1.
        sku: For name templates, and for what shares scale.
        settings: Digest of all that decides about its outputs but its own bytes.
        corrections: Path of its corrections, and their fingerprint; None: it has none.
        set_boxes: Boxes of the subjects that it shares scale and baseline with, its own among
            them (see `render_outputs`); () where it stands alone.
    """

    input: str
    profile: Profile
    outputs: tuple[str, ...] = ()
    dir: str = ""
    stem: str = ""
    index: int = 1
    sku: str = ""
    settings: str = ""
    corrections: tuple[str, str] | None = None
    set_boxes: tuple[Box, ...] = ()

    @property
    def identity(self) -> bytes:
        """What a manifest files it under: the input's absolute path or URI, and the profile."""
        path = self.input
        if not is_uri(path):
            path = os.path.abspath(path)  # noqa: PTH100  (links are not followed)
        return os.fsencode(path) + b"\0" + self.profile.name.encode()

    @property
    def fields(self) -> dict[str, Any]:
        """Values for name templates."""
        return {"dir": self.dir, "sku": self.sku or None, "index": self.index}

    def key(self, input_sha256: str) -> str:
        """The unit's fingerprint, for an input of these bytes."""
        return hashlib.sha256(f"{input_sha256} {self.settings}".encode()).hexdigest()


def keywords(
    options: CutoutOptions,
    corrections: Corrections | Callable[[Any], Corrections | None] | None,
    enhance: Enhancement | Callable[[Any], Enhancement | None] | None = None,
) -> CutoutOptionsDict:
    """The record's values as keywords of `Remover.cutout` and `map`, with what a unit has itself.

    Args:
        options: Of the batch.
        corrections: Of a unit's picture, or what gives them for a source.
        enhance: Of a unit's profile, or what gives it for a source.
    """
    return {
        "effort": options.effort,
        "refine": options.refine,
        "decontaminate": options.decontaminate,
        "strength": options.strength,
        "matte": options.matte,
        "ignore_alpha": options.ignore_alpha,
        "corrections": corrections,
        "enhance": enhance,
    }


def enhancements_of(profiles: Iterable[Profile]) -> list[Enhancement]:
    """How pictures are enhanced by these profiles: each way once."""
    return list(dict.fromkeys(p.enhance for p in profiles if p.enhance is not None))


def recipe_digest(
    profile: Profile, options: CutoutOptions, model: str, extra: Mapping[str, Any] | None = None
) -> str:
    """Digest of what the units of one profile share.

    Args:
        profile: What is made.
        options: How pictures are cut out.
        model: See `model_identity`.
        extra: Other values that change outputs or verdicts, plain ones.
    """
    cut = {**keywords(options, None)}
    del cut["corrections"], cut["enhance"]  # each unit, and each profile, has its own
    record = {
        "profile": profile.fingerprint,
        "options": cut,
        "model": model,
        "version": __version__,
        "extra": dict(extra or {}),
    }
    if profile.enhance is not None:
        record["enhancing"] = enhancement_identity(profile.enhance)
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def settings_digest(recipe: str, outputs: Iterable[str], corrections: str | None = None) -> str:
    """Digest of everything that decides about a unit's outputs but its own bytes.

    Args:
        recipe: See `recipe_digest`.
        outputs: The outputs' names.
        corrections: Fingerprint of its corrections; None: it has none.
    """
    record = [recipe, [os.fsencode(name).hex() for name in outputs], corrections]
    return hashlib.sha256(json.dumps(record).encode()).hexdigest()


def model_identity(model: str) -> str:
    """A text that changes with the weights that a model name stands for on this machine.

    A published model has its published checksum, one that is named by its path that of the file
    as it is now: a gigabyte takes a second, once a run.

    Raises:
        ModelError: The model is unknown, or its file cannot be read.
    """
    from nssbg._models.catalog import describe
    from nssbg._segment.opening import BUNDLED

    if model == "studio":
        return "studio"
    return f"{model} {_weights(describe(BUNDLED if model == 'auto' else model))}"


def enhancement_identity(enhancement: Enhancement) -> str:
    """The same of the network that an enhancement means.

    Raises:
        ModelError: It is unknown, of another task, or its file cannot be read; or none is named and
            none comes with nssbg.
        OptionError: It cannot do what is wanted.
    """
    from nssbg._pipeline.enhancing import enhancing_model

    described = enhancing_model(enhancement)
    # What a sidecar says decides too: its scale, the conditions it can be told.
    told = [described.scale, list(described.conditions), described.mean, described.std]
    return f"{described.name} {_weights(described)} {told}"


def _weights(described: ModelDescription) -> str:
    """What changes with a model's weights: a published checksum, else that of its file."""
    from nssbg._errors import ModelError
    from nssbg._models.store import hash_file

    text = described.checksum
    if not text:
        path = described.path
        if path is None:
            return described.name
        parts = (path, path.with_suffix(".bin")) if path.suffix == ".xml" else (path,)
        try:
            text = " ".join(hash_file(Path(part), "sha256") for part in parts)
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    return text


def with_overrides(
    profile: Profile,
    *,
    name: str | None = None,
    background: str | None = None,
    metadata: str | None = None,
    enhance: Enhancement | Literal["off"] | None = None,
) -> Profile:
    """A profile with what a command line or a row of a list sets in its place.

    Args:
        profile: As it was loaded.
        name: Template of the output's name; for profiles of one output.
        background: Colour of all cut-outs that have one, or "transparent".
        metadata: Policy: keep, copyright or strip.
        enhance: How pictures are enhanced; "off": not at all.

    Raises:
        OptionError: The override does not fit the profile.
    """
    from nssbg._compose.background import color_from
    from nssbg._errors import OptionError
    from nssbg.batch.names import check_template
    from nssbg.batch.profile import WITH_ALPHA

    outputs = profile.outputs
    if name is not None:
        if len(outputs) > 1:
            raise OptionError(
                f"profile {profile.name} writes {len(outputs)} files for each picture; give their "
                "names in the profile, not by --name"
            )
        check_template(name)
        outputs = (replace(outputs[0], name=name),)
    if background is not None:
        color = None if background == "transparent" else background
        if color is not None:
            color_from(color)
        required = profile.require.background
        if required is not None and (color is None or color_from(color) != color_from(required)):
            raise OptionError(
                f"background {background}: profile {profile.name} requires {required}; leave the "
                "background out, or use another profile"
            )
        for output in outputs:
            if color is None and output.kind == "cutout" and output.format not in WITH_ALPHA:
                raise OptionError(f"background {background}: {output.format} has no transparency")
        outputs = tuple(
            replace(
                one,
                background=color,
                exact_background=one.exact_background and color is not None,
            )
            if one.kind == "cutout"
            else one
            for one in outputs
        )
    if enhance is None:
        enhance = profile.enhance or "off"
    return replace(
        profile,
        outputs=outputs,
        metadata=metadata or profile.metadata,
        enhance=None if enhance == "off" else enhance,
    )
