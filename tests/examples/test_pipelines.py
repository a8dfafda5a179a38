"""The examples of the page on pipelines, each run as its reader runs it, in a process of its own.

What an example needs beside nssbg is in the dependency group `pipelines` (`make test-pipelines`);
without it the example is skipped. torch is in no group: any build of it will do.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from batch_catalog import product_bytes
from PIL import Image

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "pipelines"
SIDE = 160


def needs(*packages, program=None):
    """Skip the test where a package, or a program that it starts, is not here."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if program is not None and shutil.which(program) is None:
        missing.append(f"the program {program}")
    reason = f"{', '.join(missing)} not installed (dependency group pipelines)"
    return pytest.mark.skipif(bool(missing), reason=reason)


@pytest.fixture
def env(tmp_path):
    """The environment of a machine without a network, whose user has no files yet."""
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("NSSBG_")},
        "HOME": str(tmp_path),
        "NSSBG_HOME": str(tmp_path / "home"),
        "NSSBG_OFFLINE": "1",
        "PYTHONPATH": str(EXAMPLES),
    }


@pytest.fixture
def shop(tmp_path):
    """Three products in two folders, two of which share a stem, and a file that is no picture."""
    for number, name in enumerate(("a/mug.jpg", "b/mug.jpg", "b/vase.jpg")):
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(product_bytes(number, side=SIDE))
    (tmp_path / "shop" / "b" / "torn.jpg").write_bytes(b"\xff\xd8 no picture")
    return tmp_path / "shop"


def run(env, *command, cwd=None):
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def check_cutout(picture):
    """A product of the catalog on nothing: its middle is there, its corners are not."""
    alpha = np.asarray(picture)[..., 3]
    assert alpha.shape == (SIDE, SIDE)
    assert alpha[SIDE // 2, SIDE // 2] == 255
    assert alpha[0, 0] == alpha[-1, -1] == 0
    assert 0.15 < (alpha > 127).mean() < 0.45


def check_rows(rows, out):
    """The rows of `shop`: three outputs in the mirrored tree, each its own, and one error."""
    found = {str(row["input"]).rpartition("shop/")[2]: row for row in rows}
    assert sorted(found) == ["a/mug.jpg", "b/mug.jpg", "b/torn.jpg", "b/vase.jpg"]
    torn = found.pop("b/torn.jpg")
    assert torn["status"] == "failed"
    assert "torn.jpg" in str(torn["error"])
    for name, row in found.items():
        assert (row["status"], row["output"]) == ("done", f"{name}.png")
        check_cutout(Image.open(out / row["output"]))
    assert len(list(out.rglob("*.png"))) == 3


def test_every_example_is_shown_on_the_page_and_run_here():
    page = (ROOT / "docs" / "guides" / "pipelines.md").read_text()
    shown = re.findall(r"^<!-- example: pipelines/(\w+\.py) -->$", page, re.M)
    here = sorted(path.name for path in EXAMPLES.glob("*.py"))
    assert sorted(shown) == here
    tested = Path(__file__).read_text()
    assert [name for name in here if name.removesuffix(".py") not in tested] == []


def test_pillow_images(env, shop, tmp_path):
    run(env, EXAMPLES / "pillow_images.py", shop / "a" / "mug.jpg", tmp_path / "card.png")
    card = np.asarray(Image.open(tmp_path / "card.png"))
    assert card.shape == (800, 800, 3)
    assert card[0, 0].tolist() == [232] * 3
    ys, xs = np.nonzero((card != 232).any(axis=2))
    assert abs(ys.min() + ys.max() - 800) <= 2  # in the middle
    assert abs(xs.min() + xs.max() - 800) <= 2


@needs("cv2")
def test_opencv_frames(env, tmp_path):
    import cv2

    film = cv2.VideoWriter(
        str(tmp_path / "in.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (SIDE, SIDE)
    )
    for number in range(12):
        frame = np.full((SIDE, SIDE, 3), 230, np.uint8)
        cv2.circle(frame, (60 + 3 * number, 80), 40, (160, 60, 30), -1)
        film.write(frame)
    film.release()
    said = run(env, EXAMPLES / "opencv_frames.py", tmp_path / "in.avi", tmp_path / "out.avi")
    assert re.fullmatch(r"12 frames, [\d.]+ a second\n", said)
    found = cv2.VideoCapture(str(tmp_path / "out.avi"))
    assert found.get(cv2.CAP_PROP_FPS) == 25
    for number in range(12):
        there, frame = found.read()
        assert there
        # Blue first, as it came: the disc where it was drawn, in order, and green beside it.
        assert np.abs(frame[80, 60 + 3 * number].astype(int) - (160, 60, 30)).max() < 40
        assert np.abs(frame[10, 10].astype(int) - (64, 177, 0)).max() < 25
    assert found.read()[0] is False


def test_asyncio_stream(env, shop, tmp_path):
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, EXAMPLES / "asyncio_stream.py", shop / "b", tmp_path / "out"],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert re.fullmatch(r"\S+/b/torn\.jpg: .+\n", done.stderr)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["mug.png", "vase.png"]
    check_cutout(Image.open(tmp_path / "out" / "vase.png"))


BACK_PRESSURE = """
import asyncio
import asyncio_stream
from pathlib import Path

photo, asked, taken = Path(__import__("sys").argv[1]).read_bytes(), 0, 0

async def photos():
    global asked
    while True:
        asked += 1
        yield photo

async def main():
    global taken
    results = asyncio_stream.cut_out(photos())
    async for result in results:
        taken += 1
        assert asked - taken <= asyncio_stream.AT_ONCE - 1, (asked, taken)
        await asyncio.sleep(0.1)
        assert asked - taken <= asyncio_stream.AT_ONCE - 1, (asked, taken)
        if taken == 6:
            break
    await results.aclose()
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()
                and not task.cancelling()]

asyncio.run(main())
print(taken)
"""


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Task.cancelling is new in Python 3.11")
def test_asyncio_stream_asks_no_more_than_is_taken(env, shop):
    assert run(env, "-c", BACK_PRESSURE, shop / "a" / "mug.jpg") == "6\n"


FASTAPI = """
import sys
import fastapi_endpoint, uvicorn

fastapi_endpoint.WAITING = int(sys.argv[2])
uvicorn.run(fastapi_endpoint.app, port=int(sys.argv[1]), log_level="error")
"""


@pytest.fixture
def endpoint(env):
    """Starts the endpoint with a number of requests that may wait; gives what posts to it."""
    servers = []

    def start(waiting):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-c", FASTAPI, str(port), str(waiting)]
        servers.append(subprocess.Popen(command, env=env, stderr=subprocess.PIPE))

        def post(body):
            """Status, headers and body of the answer."""
            address = f"http://127.0.0.1:{port}/cutout"
            request = urllib.request.Request(address, body, {"Content-Type": "image/jpeg"})
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.status, answer.headers, answer.read()
            except urllib.error.HTTPError as refused:
                with refused:
                    return refused.code, refused.headers, refused.read()

        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return post
            assert servers[-1].poll() is None, servers[-1].stderr.read().decode()
            time.sleep(0.1)
        raise AssertionError("the server did not come up")

    yield start
    for server in servers:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        server.stderr.close()


@needs("fastapi", "uvicorn")
def test_fastapi_endpoint(endpoint, shop):
    post = endpoint(16)
    status, headers, body = post((shop / "a" / "mug.jpg").read_bytes())
    assert (status, headers["Content-Type"]) == (200, "image/png")
    check_cutout(Image.open(io.BytesIO(body)))
    assert post(b"no picture")[0] == 422
    assert post(bytes(30_000_001))[0] == 413
    assert post((shop / "b" / "vase.jpg").read_bytes())[0] == 200


@needs("fastapi", "uvicorn")
def test_fastapi_endpoint_sends_away_what_is_too_much(endpoint):
    post = endpoint(-1)  # one inside at a time
    photo = product_bytes(5, side=900)
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: post(photo), range(24)))
    codes = {status for status, _, _ in answers}
    assert codes == {200, 503}
    assert {headers["Retry-After"] for status, headers, _ in answers if status == 503} == {"1"}
    assert post(photo)[0] == 200  # and each gave its place back


CELERY = """
import json, sys
from celery.contrib.testing.worker import start_worker
import celery_task

shop, out = sys.argv[1:]
with start_worker(celery_task.app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
    paths = ["a/mug.jpg", "b/mug.jpg", "b/vase.jpg", "b/torn.jpg"]
    rows = celery_task.cut.delay(paths, shop, out).get(timeout=60)
print(json.dumps(rows))
"""


@needs("celery")
def test_celery_task(env, shop, tmp_path):
    said = run(env, "-c", CELERY, shop, tmp_path / "out")
    rows = [{**row, "output": row["output"]} for row in json.loads(said.splitlines()[-1])]
    assert [row["status"] for row in rows] == ["done", "done", "done", "failed"]
    assert "torn.jpg" in rows[3]["error"]["message"]
    for row in rows[:3]:
        check_cutout(Image.open(tmp_path / "out" / row["output"]))


@needs("torch")
def test_dataloader(env, shop, tmp_path):
    (shop / "b" / "torn.jpg").unlink()
    said = run(env, EXAMPLES / "dataloader.py", shop / "b")
    covered = re.fullmatch(
        r"\(2, 4, 224, 224\) torch\.float32 covered (0\.\d+)\n", said.replace("  ", " ")
    )
    assert covered, said
    assert 0.3 < float(covered[1]) < 0.9  # a disc that fills the canvas


@needs("pandas")
def test_pandas_column(env, shop, tmp_path):
    import pandas as pd

    paths = [shop / name for name in ("b/mug.jpg", "a/mug.jpg", "b/torn.jpg", "b/mug.jpg")]
    photos = pd.DataFrame({"path": map(str, paths), "price": [1, 2, 3, 4]})
    photos.to_csv(tmp_path / "photos.csv", index=False)
    files = (tmp_path / "photos.csv", tmp_path / "cutouts.csv", tmp_path / "out")
    run(env, EXAMPLES / "pandas_column.py", *files)
    found = pd.read_csv(tmp_path / "cutouts.csv")
    assert found["price"].tolist() == [1, 2, 3, 4]
    assert found["path"].tolist() == list(map(str, paths))
    assert found["cutout"][0] == found["cutout"][3] != found["cutout"][1]
    assert found["cutout"].isna().tolist() == found["error"].notna().tolist()
    assert "torn.jpg" in found["error"][2]
    check_cutout(Image.open(found["cutout"][1]))


@needs("polars")
def test_polars_column(env, shop, tmp_path):
    import polars as pl

    paths = [str(shop / name) for name in ("b/mug.jpg", "a/mug.jpg", "b/torn.jpg", "b/mug.jpg")]
    pl.DataFrame({"path": paths, "price": [1, 2, 3, 4]}).write_parquet(tmp_path / "photos.parquet")
    files = (tmp_path / "photos.parquet", tmp_path / "cutouts.parquet", tmp_path / "out")
    for status in ("done", "skipped"):  # the second time nothing is left to do
        run(env, EXAMPLES / "polars_column.py", *files)
        found = pl.read_parquet(tmp_path / "cutouts.parquet")
        assert found["price"].to_list() == [1, 2, 3, 4]
        assert found["status"].to_list() == [status, status, "failed", status]
        assert found["cutout"][0] == found["cutout"][3] != found["cutout"][1]
        assert "torn.jpg" in found["error"][2]
        check_cutout(Image.open(found["cutout"][1]))


GRADIO = """
import sys
import gradio_app
from gradio_client import Client, handle_file

_, address, _ = gradio_app.page.launch(prevent_thread_lock=True, quiet=True)
cutout, alpha, told = Client(address, verbose=False).predict(
    handle_file(sys.argv[1]), "fast", api_name="/cut_out"
)
print(cutout, alpha, told, sep="\\n")
gradio_app.page.close(verbose=False)
"""


@needs("gradio")
def test_gradio_app(env, shop):
    said = run(env, "-c", GRADIO, shop / "a" / "mug.jpg").splitlines()
    cutout, alpha, told = said[-3:]
    check_cutout(Image.open(cutout))
    np.testing.assert_array_equal(
        np.asarray(Image.open(alpha).convert("L")), np.asarray(Image.open(cutout))[..., 3]
    )
    assert re.fullmatch(r"\S+, confidence 0\.\d\d", told)


STREAMLIT = """
import sys
from pathlib import Path
from streamlit.testing.v1 import AppTest

page = AppTest.from_file(sys.argv[1], default_timeout=60).run()
assert not page.exception, page.exception
assert [one.label for one in page.selectbox] == ["Background"]
page.get("file_uploader")[0].upload("mug.jpg", Path(sys.argv[2]).read_bytes(), "image/jpeg").run()
assert not page.exception, page.exception
assert len(page.get("download_button")) == 1, page
print("downloads")
"""


@needs("streamlit")
def test_streamlit_app(env, shop):
    said = run(env, "-c", STREAMLIT, EXAMPLES / "streamlit_app.py", shop / "a" / "mug.jpg")
    assert said.endswith("downloads\n")


@needs("daft", "pandas")
def test_daft_rows(env, shop, tmp_path):
    import pandas as pd

    table = tmp_path / "rows.parquet"
    run(env, EXAMPLES / "daft_rows.py", shop, tmp_path / "out", table)
    check_rows(pd.read_parquet(table).to_dict("records"), tmp_path / "out")


@needs("dask")
def test_dask_rows(env, shop, tmp_path):
    table = tmp_path / "rows.jsonl"
    run(env, EXAMPLES / "dask_rows.py", shop, tmp_path / "out", table)
    check_rows(list(map(json.loads, table.read_text().splitlines())), tmp_path / "out")


@needs("pyspark", "pandas", "pyarrow", program="java")
def test_spark_rows(env, shop, tmp_path):
    import pandas as pd

    table = tmp_path / "rows.parquet"
    env |= {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    run(env, EXAMPLES / "spark_rows.py", shop, tmp_path / "out", table, cwd=tmp_path)
    check_rows(pd.read_parquet(table).to_dict("records"), tmp_path / "out")
