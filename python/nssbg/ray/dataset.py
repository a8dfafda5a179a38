"""`nssbg.ray.remove`: the pictures of a Ray dataset, cut out; the natural form in one line."""

from __future__ import annotations

import os
from typing import Any, Literal

from nssbg._enhance_options import Enhancement
from nssbg._options import CutoutOptions
from nssbg._vocabulary import Backend, LicenseUse, PrecisionChoice
from nssbg.batch.core import chosen_profile
from nssbg.batch.profile import Profile
from nssbg.batch.units import with_overrides
from nssbg.ray.actor import CutOut, Results
from nssbg.ray.cluster import pool_of
from nssbg.ray.resources import resources_for

__all__ = ["remove"]


def remove(
    dataset: Any,
    *,
    root: str | os.PathLike[str] = "",
    output: str | os.PathLike[str] | None = None,
    results: Results | None = None,
    profile: Profile | str | os.PathLike[str] | None = None,
    model: str = "auto",
    device: str = "auto",
    backend: Backend = "auto",
    precision: PrecisionChoice = "auto",
    license: LicenseUse | None = None,
    options: CutoutOptions | None = None,
    name: str | None = None,
    metadata: Literal["keep", "copyright", "strip"] | None = None,
    enhance: Enhancement | Literal["off"] | None = None,
    on_low_confidence: Literal["write", "review", "skip"] = "review",
    time_limit: float | None = None,
    workers: int = 0,
    batch_size: int = 0,
) -> Any:
    """The dataset's pictures, cut out: a dataset of what became of each.

    Nothing is run before its rows are asked for, as with all of Ray Data.

    Args:
        dataset: Rows as `CutOut` takes them; paths are read by the workers, bytes pass through
            Ray's object store.
        root: See `CutOut`; so are the others up to `time_limit`.
        output: See there.
        results: See there.
        profile: See there.
        model: See there.
        device: See there.
        backend: See there.
        precision: See there.
        license: See there.
        options: See there.
        name: See there.
        metadata: See there.
        enhance: See there.
        on_low_confidence: See there.
        time_limit: See there.
        workers: At most; 0: as many as the cluster has room for.
        batch_size: Pictures that a worker is handed at a time; 0: see `resources_for`.

    Returns:
        A `ray.data.Dataset`.
    """
    chosen = with_overrides(chosen_profile(profile), enhance=enhance).enhance
    needs = resources_for(
        model, device=device, backend=backend, enhance=() if chosen is None else (chosen,)
    )
    return dataset.map_batches(
        CutOut,
        batch_size=batch_size or needs.batch_size,
        batch_format="numpy",
        fn_constructor_kwargs={
            "root": os.fspath(root),
            "output": None if output is None else os.fspath(output),
            "results": results,
            "profile": profile,
            "model": model,
            "device": device,
            "backend": backend,
            "precision": precision,
            "license": license,
            "threads": needs.num_cpus,
            "options": options,
            "name": name,
            "metadata": metadata,
            "enhance": enhance,
            "on_low_confidence": on_low_confidence,
            "time_limit": time_limit,
        },
        **pool_of(needs, workers),
    )
