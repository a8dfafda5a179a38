"""Joins a Ray cluster, or starts one on this machine, and sizes a pool of workers in it."""

from __future__ import annotations

import logging
import re
import socket
from typing import Any

from nssbg._errors import NssbgError
from nssbg.ray.resources import Resources

__all__ = ["ClusterError", "join", "pool_of"]

# Processors, as Ray counts them, beyond those of workers on a cluster of this machine alone: the
# tasks that read and write around the workers wait for one, and workers for them.
_SPARE = 2
# Bytes of Ray's object store on such a cluster: rows and bounded batches of pictures go through it.
_STORE = 512 << 20
_KNOCK_SECONDS = 10.0


class ClusterError(NssbgError):
    """The Ray cluster cannot be used."""


def join(address: str | None, workers: int = 0) -> bool:
    """See that this process is of a cluster.

    Args:
        address: As `ray.init` takes it; None: the one this process is of already, else one is
            started on this machine.
        workers: That one on this machine is started for; 0: one a processor.

    Returns:
        Whether this process was not of one before: the caller calls `ray.shutdown` in the end.

    Raises:
        ClusterError: There is no cluster at that address.
    """
    import ray

    if ray.is_initialized():
        return False
    if address is not None:
        _knock(address)
    quiet: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "include_dashboard": False,
    }
    try:
        if address is not None:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            return True
        from nssbg import _core

        cores = workers or _core.usable_cores()
        ray.init(num_cpus=cores + _SPARE, object_store_memory=_STORE, **quiet)
    except (ConnectionError, RuntimeError, OSError, ValueError) as error:
        raise _absent(address or "this machine", error) from error
    return True


def _knock(address: str) -> None:
    """See that something listens at an address: Ray waits for minutes, then ends the process."""
    found = re.fullmatch(r"(?:ray://)?\[?([^\[\]]+)\]?:([0-9]+)", address)
    if found is None:  # "auto", "local"
        return
    try:
        socket.create_connection((found[1], int(found[2])), timeout=_KNOCK_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _absent(address, error) from error


def _absent(where: str, error: Exception) -> ClusterError:
    return ClusterError(
        f"no Ray cluster at {where}: {error}; start one (ray start --head), or leave --address out "
        "for one on this machine"
    )


def pool_of(needs: Resources, workers: int = 0) -> dict[str, Any]:
    """Keywords of `Dataset.map_batches` for a pool of workers.

    Args:
        needs: Of one worker.
        workers: At most; 0: as many as the cluster has room for, with some left for the tasks
            around them: a pool that takes all processors waits for itself.
    """
    import ray
    from ray.data import ActorPoolStrategy

    if not workers and ray.is_initialized():
        found = ray.cluster_resources()
        room = int((found.get("CPU", 1) - 1) // needs.num_cpus)
        if needs.num_gpus:
            room = min(room, int(found.get("GPU", 0) // needs.num_gpus))
        workers = max(1, room)
    made: dict[str, Any] = {"num_cpus": needs.num_cpus, "memory": needs.memory}
    if needs.num_gpus:
        made["num_gpus"] = needs.num_gpus
    # All at the start: a pool that grows as it is needed takes a minute for each few workers. One
    # is enough to go on with where there is less room than was thought.
    made["compute"] = (
        ActorPoolStrategy(min_size=1, max_size=workers, initial_size=workers)
        if workers
        else ActorPoolStrategy(min_size=1, max_size=None)
    )
    return made
