"""Ray: the pictures of a dataset, or a catalog, on the machines of a cluster.

    import nssbg.ray

    pictures = ray.data.read_binary_files("s3://shop/in", include_paths=True)
    rows = nssbg.ray.remove(pictures, root="s3://shop/in", output="s3://shop/out")
    rows.write_parquet("s3://shop/rows")

`CutOut` is the callable class under it, for `Dataset.map_batches`; `RayBatch` is `nssbg.Batch` with
a cluster's workers (`nssbg batch --engine ray`). Needs nssbg[ray]; no scheduler, queue or protocol
of our own: Ray Data hands out the work and restarts what died.
"""

from __future__ import annotations

import os

# Ray reports its use to its makers unless it is told not to; nothing is sent from here.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

from nssbg._errors import OptionError
from nssbg._installed import installed, not_installed

if not installed("ray"):
    raise OptionError(not_installed("ray"))

from nssbg.ray.actor import CutOut
from nssbg.ray.dataset import remove
from nssbg.ray.engine import RayBatch
from nssbg.ray.resources import Resources, resources_for

__all__ = ["CutOut", "RayBatch", "Resources", "remove", "resources_for"]
