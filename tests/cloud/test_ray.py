"""Catalogs and datasets on a Ray cluster: workers die, the driver dies, the store fails.

Whatever happens, each input has one committed output, with the single-machine run's bytes. The
short form is part of `make test` where Ray is installed; `make test-ray` runs the long one.
"""

import hashlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys

import pytest
from batch_catalog import FAST, product_bytes
from object_store import Faults, environment, faulty, make_bucket
from ray_cluster import POISON, kill_a_worker, ray_cluster

import nssbg

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None,
        reason="Ray is not installed: make test-ray brings it",
    ),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(sys.platform != "linux", reason="workers are found by /proc"),
]

# Starting Ray's workers takes most of each test's time: two seconds of work in twenty.
long_form = pytest.mark.skipif(
    os.environ.get("NSSBG_RAY") != "long", reason="of the long form: make test-ray"
)
LONG = os.environ.get("NSSBG_RAY") == "long"
COUNT = 200 if LONG else 40
OPTIONS = {"model": "studio", "effort": "fast", "report": False}


@pytest.fixture(scope="module")
def site(s3_endpoint, tmp_path_factory):
    """A store behind a proxy that injects faults, and a cluster that reaches it."""
    folder = tmp_path_factory.mktemp("cluster")
    faults = Faults()
    with faulty(s3_endpoint, faults) as endpoint:
        there = {**environment(endpoint), "NSSBG_HOME": str(folder / "home")}
        with ray_cluster(folder / "hook", there) as (address, token):
            yield Site(faults, endpoint, address, token)


class Site:
    def __init__(self, faults, endpoint, address, token):
        self.faults, self.endpoint = faults, endpoint
        self.address, self.token = address, token


@pytest.fixture
def shop(site, request, monkeypatch, tmp_path):
    """A bucket on that site, filled; the single-machine run's digests; the faults are off."""
    import fsspec

    site.faults.busy = site.faults.lost = site.faults.stalled = site.faults.late = 0.0
    for key, value in environment(site.endpoint).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:50]
    make_bucket(site.endpoint, name)
    fsspec.filesystem("s3").clear_instance_cache()
    store = system()
    for number in range(COUNT):
        key = f"{'abc'[number % 3]}/{number:04}.jpg"
        data = product_bytes(number, side=64)
        store.pipe_file(f"{name}/in/{key}", data)
        path = tmp_path / "in" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    rows = nssbg.Batch(tmp_path / "in", tmp_path / "local", **OPTIONS)
    expected = {row.output: row.output_sha256 for row in rows}
    assert len(expected) == COUNT
    return f"s3://{name}", expected


def system():
    import s3fs

    return s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)


def check_once(bucket, expected):
    """Each input has one entry and one output, the single-machine run's; no remnants."""
    from nssbg.batch.store.manifest import read_store
    from nssbg.batch.store.objects import open_objects

    entries = [one for one in read_store(open_objects(f"{bucket}/out")) if one.row.status == "done"]
    assert len(entries) == len(expected)
    assert {entry.row.output: entry.row.output_sha256 for entry in entries} == expected
    store, top = system(), f"{bucket.partition('://')[2]}/out"
    there = {}
    for path in store.find(top):
        name = path.removeprefix(f"{top}/")
        if not name.startswith(".nssbg/"):
            there[name] = hashlib.sha256(store.cat_file(path)).hexdigest()
        else:
            assert name.partition("/")[2].partition("/")[0] not in ("parts", "commits", "begun")
    assert there == expected


def ray_batch(bucket, site, **options):
    import nssbg.ray

    batch = nssbg.ray.RayBatch(f"{bucket}/in", f"{bucket}/out", **{**OPTIONS, **options})
    return batch.on(site.address, workers=2, batch_size=8 if LONG else 4)


def test_a_worker_dies_and_the_store_fails(shop, site):
    bucket, expected = shop
    site.faults.busy, site.faults.lost, site.faults.late = 0.04, 0.02, 1.0
    killed = 0
    rows = []
    for row in ray_batch(bucket, site):
        rows.append(row)
        if len(rows) in (COUNT // 8, COUNT // 3) and kill_a_worker(site.token):
            killed += 1
    assert killed >= 1
    assert sorted(row.output for row in rows) == sorted(expected)
    assert {row.status for row in rows} == {"done"}
    assert site.faults.counts.get("busy")
    assert site.faults.counts.get("lost")
    again = ray_batch(bucket, site)
    assert {row.status for row in again} == {"skipped"}
    site.faults.busy = site.faults.lost = site.faults.late = 0.0
    check_once(bucket, expected)


def command(bucket, site):
    code = "from nssbg.cli.entry import command; command()"
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, "batch", f"{bucket}/in", f"{bucket}/out",
         *FAST, "--engine", "ray", "--address", site.address, "--workers", "2",
         "--progress", "jsonl", "--no-report"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


@long_form
def test_the_driver_dies_and_another_goes_on(shop, site):
    bucket, expected = shop
    process = command(bucket, site)
    for number, _ in enumerate(process.stdout):
        if number >= COUNT // 6:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    process = command(bucket, site)
    told, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    rows = [one for line in told.splitlines() if (one := json.loads(line))["event"] == "row"]
    assert len(rows) == COUNT
    assert sum(row["status"] == "skipped" for row in rows) >= COUNT // 6
    check_once(bucket, expected)


def test_a_poisoned_picture_fails_alone_with_its_reason(shop, site):
    bucket, expected = shop
    name = bucket.partition("://")[2]
    data = product_bytes(3, side=64)
    system().pipe_file(
        f"{name}/in/b/poison.jpg", data[:2] + b"\xff\xfe\x00\x0e" + POISON + data[2:]
    )
    rows = list(ray_batch(bucket, site))
    assert len(rows) == COUNT + 1
    (failed,) = [row for row in rows if row.status == "failed"]
    assert failed.input == f"{bucket}/in/b/poison.jpg"
    assert failed.error.kind == "CrashError"
    assert "a process of its own for it ended by SIGSEGV" in failed.error.message
    assert failed.attempts == 2
    check_once(bucket, expected)


@long_form
def test_pictures_that_are_bad_and_names_that_collide(shop, site):
    bucket, expected = shop
    name = bucket.partition("://")[2]
    system().pipe_file(f"{name}/in/a/torn.jpg", product_bytes(3, side=64)[:500])
    rows = list(ray_batch(bucket, site))
    assert [row.error.kind for row in rows if row.error] == ["ImageDecodeError"]
    check_once(bucket, expected)
    system().pipe_file(f"{name}/in/a/0000.jpeg", product_bytes(3, side=64))
    with pytest.raises(nssbg.OptionError, match="would both be written"):
        list(ray_batch(bucket, site))


@pytest.fixture
def connected(site):
    """This process as a driver on the cluster."""
    import ray

    import nssbg.ray  # noqa: F401

    if not ray.is_initialized():
        ray.init(address=site.address, log_to_driver=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield ray
    ray.shutdown()


@long_form
def test_a_dataset_of_bytes_into_a_store_and_again(shop, site, connected):
    import pyarrow.fs

    bucket, expected = shop
    name = bucket.partition("://")[2]
    arrow = pyarrow.fs.S3FileSystem(
        access_key="testing", secret_key="testing", scheme="http", region="us-east-1",
        endpoint_override=site.endpoint.partition("://")[2],
    )  # fmt: skip
    for _ in range(2):
        pictures = connected.data.read_binary_files(
            f"{name}/in", filesystem=arrow, include_paths=True
        )
        cut = nssbg.ray.remove(
            pictures, root=f"{bucket}/in", output=f"{bucket}/up", model="studio",
            options=nssbg.CutoutOptions(effort="fast"), workers=2,
        )  # fmt: skip
        rows = cut.take_all()
        assert {row["output"]: row["output_sha256"] for row in rows} == expected
    store = system()
    there = {
        path.removeprefix(f"{name}/up/"): hashlib.sha256(store.cat_file(path)).hexdigest()
        for path in store.find(f"{name}/up")
        if "/.nssbg/" not in path
    }
    assert there == expected


def test_a_dataset_of_paths_to_blobs_and_shards(shop, connected, tmp_path):
    _, expected = shop
    paths = sorted(str(path) for path in (tmp_path / "in").rglob("*.jpg"))[:9]
    pictures = connected.data.from_items(paths)
    options = {
        "root": tmp_path / "in",
        "model": "studio",
        "options": nssbg.CutoutOptions(effort="fast"),
        "workers": 1,
    }
    cut = nssbg.ray.remove(pictures, **options)
    cut.write_parquet(str(tmp_path / "blobs"))
    rows = connected.data.read_parquet(str(tmp_path / "blobs")).take_all()
    assert len(rows) == 9
    for row in rows:
        assert hashlib.sha256(row["data"]).hexdigest() == expected[row["name"]]
        assert json.loads(row["row"])["verdict"] == "pass"
    # Parquet with blobs in it is a source as well: name and bytes.
    again = connected.data.from_items(
        [{"name": "x/1.jpg", "bytes": (tmp_path / "in/a/0000.jpg").read_bytes()}]
    )
    (row,) = nssbg.ray.remove(again, **{**options, "root": ""}).take_all()
    assert hashlib.sha256(row["data"]).hexdigest() == expected["a/0000.png"]
    assert row["name"] == "x/1.png"
    shards = nssbg.ray.remove(pictures, results="webdataset", **options)
    shards.write_webdataset(str(tmp_path / "shards"), encoder=None)
    members = _members(tmp_path / "shards")
    assert len(members) == 18
    assert {
        f"{name.removesuffix('.png')}.png": hashlib.sha256(data).hexdigest()
        for name, data in members.items()
        if name.endswith(".png")
    }.items() <= expected.items()


def _members(folder):
    import tarfile

    found = {}
    for path in folder.glob("*.tar"):
        with tarfile.open(path) as shard:
            for member in shard.getmembers():
                found[member.name] = shard.extractfile(member).read()
    return found


@long_form
def test_names_of_a_dataset_that_collide_fail_and_overwrite_nothing(shop, connected, tmp_path):
    shop  # noqa: B018
    (tmp_path / "in/a/0000.jpeg").write_bytes(product_bytes(500, side=64))
    pictures = connected.data.from_items(
        [str(tmp_path / "in/a/0000.jpg"), str(tmp_path / "in/a/0000.jpeg")]
    )
    rows = nssbg.ray.remove(
        pictures, root=tmp_path / "in", output=tmp_path / "out", model="studio", workers=1
    ).take_all()
    assert sorted(row["status"] for row in rows) == ["done", "failed"]
    assert "would both be written to a/0000.png" in "".join(row["error"] for row in rows)
    assert [path.name for path in (tmp_path / "out/a").iterdir()] == ["0000.png"]


@long_form
def test_a_folder_that_ray_filled_is_a_folder_like_any_other(site, tmp_path, monkeypatch):
    import nssbg.ray
    from nssbg.batch.status import status_of

    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))
    for number in range(6):
        path = tmp_path / "in" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(product_bytes(number, side=64))
    options = {**OPTIONS, "report": True}
    batch = nssbg.ray.RayBatch(tmp_path / "in", tmp_path / "out", **options)
    assert {row.status for row in batch.on(site.address, workers=1)} == {"done"}
    # The workers made the thumbnails.
    assert "UklGR" in (tmp_path / "out/report.html").read_text()
    assert status_of(tmp_path / "out").done == 6
    assert {row.status for row in nssbg.Batch(tmp_path / "in", tmp_path / "out", **OPTIONS)} == {
        "skipped"
    }
    (tmp_path / "in/0.jpg").write_bytes(product_bytes(99, side=64))
    done = [
        row.output
        for row in nssbg.Batch(tmp_path / "in", tmp_path / "out", **OPTIONS)
        if row.status == "done"
    ]
    assert done == ["0.png"]
    batch = nssbg.ray.RayBatch(tmp_path / "in", tmp_path / "out", **OPTIONS)
    assert {row.status for row in batch.on(site.address, workers=1)} == {"skipped"}


def test_a_cluster_that_is_not_there(shop):
    import nssbg.ray
    from nssbg.ray.cluster import ClusterError

    bucket, _ = shop
    batch = nssbg.ray.RayBatch(f"{bucket}/in", f"{bucket}/out", **OPTIONS)
    with pytest.raises(ClusterError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        list(batch.on("127.0.0.1:1"))
