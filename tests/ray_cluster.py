"""A Ray cluster of the tests' own: one process that starts it and takes it down again.

Its workers have a hook that ends the process which reads a poisoned picture, as a bug in a
decoder would.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path

POISON = b"NSSBG-POISON"

_HOOK = '''
"""Ends the process that hashes a poisoned picture; put into workers by the tests."""
import importlib.abc, importlib.machinery, os, signal, sys

class Poisoned:
    def __init__(self, real):
        self._real = real
    def __getattr__(self, name):
        return getattr(self._real, name)
    def sha256(self, data=b""):
        if b"NSSBG-POISON" in bytes(data):
            os.kill(os.getpid(), signal.SIGSEGV)
        return self._real.sha256(data)

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name not in ("nssbg.batch.resume", "nssbg.batch.store.listing"):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        inner = spec.loader.exec_module
        def exec_module(module):
            inner(module)
            module.hashlib = Poisoned(module.hashlib)
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
'''

_CLUSTER = """
import logging, sys
import ray
ray.init(num_cpus=6, object_store_memory=200 << 20, include_dashboard=False,
         log_to_driver=False, logging_level=logging.ERROR)
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
"""


@contextmanager
def ray_cluster(folder: Path, environment: dict[str, str]):
    """A cluster of six logical processors; its address."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(textwrap.dedent(_HOOK))
    token = f"NSSBG_TEST_CLUSTER={folder}"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={
            **os.environ,
            **environment,
            "PYTHONPATH": os.pathsep.join([str(folder), *_tests_path()]),
            "RAY_USAGE_STATS_ENABLED": "0",
            "NSSBG_TEST_CLUSTER": str(folder),
        },
    )
    address = process.stdout.readline().strip()
    assert address, "no Ray cluster came up"
    try:
        yield address, token
    finally:
        process.stdin.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


def _tests_path() -> list[str]:
    return [str(Path(__file__).parent)]


def workers(token: str) -> list[int]:
    """Process numbers of the pools' workers of one cluster."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes()
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if words.startswith(b"ray::MapWorker") and token.encode() in environment:
            found.append(int(folder.name))
    return found


def kill_a_worker(token: str) -> bool:
    """Kill one worker; whether there was one."""
    for pid in workers(token)[:1]:
        os.kill(pid, signal.SIGKILL)
        return True
    return False
