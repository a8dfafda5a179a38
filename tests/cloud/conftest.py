"""One S3 server for all tests of object stores; without moto and s3fs they are skipped."""

import os
import secrets

import pytest
from object_store import environment, make_bucket, s3_server

# A token made up for the tests' own cluster, which refuses drivers that have none. Ray reads it
# when it is imported, by whichever test that is.
os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))


@pytest.fixture(scope="session")
def s3_endpoint():
    """The endpoint of an S3 server."""
    pytest.importorskip("s3fs", reason="s3fs is not installed: make test-ray brings it")
    pytest.importorskip(
        "moto.server", reason="moto's S3 server is not installed: make test-ray brings it"
    )
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def bucket(s3_endpoint, request, monkeypatch, tmp_path):
    """A fresh bucket's URI, reached without faults."""
    import re

    import fsspec

    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:60]
    for key, value in environment(s3_endpoint).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))
    make_bucket(s3_endpoint, name)
    fsspec.filesystem("s3").clear_instance_cache()
    return f"s3://{name}"
