"""Two pages for `bench.browser`: @nssbg/web as packed, and @imgly/background-removal as published.

Both are what a user of either package serves: the package bundled by esbuild into one module, its
files beside it. The peer's network comes from the last version of its data that npm has
(`@imgly/background-removal-data` 1.4.5: "medium" is ISNet in float16, which later versions call
"isnet_fp16", "small" is "isnet_quint8"), its runtime from the onnxruntime-web that it asks for.
Both are laid out as its own data package lays them out, in chunks that `resources.json` lists.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "bench-browser"
ESBUILD = ROOT / "build" / "web" / "tools" / "node_modules" / ".bin" / "esbuild"
PEER = ("@imgly/background-removal@1.7.0", "onnxruntime-web@1.21.0")
PEER_DATA = "@imgly/background-removal-data@1.4.5"
#: Names of the peer's models in its version 1.7.0, and in its data of 1.4.5.
PEER_MODELS = {"isnet_fp16": "/models/medium", "isnet_quint8": "/models/small"}
CHUNK = 4 << 20

OURS = """
import { removeBackground } from '@nssbg/web';
Object.assign(window, { run: removeBackground });
"""
#: The peer's own defaults but for where its data is.
THEIRS = """
import { removeBackground } from '@imgly/background-removal';
const publicPath = new URL('data/', document.baseURI).href;
const run = (file, how) => removeBackground(file, { publicPath, ...how });
Object.assign(window, { run });
"""
PAGE = '<!doctype html><meta charset="utf-8"><title>bench</title><link rel="icon" href="data:,">'


def our_site() -> Path:
    """The page of this package, packed anew."""
    command = [sys.executable, str(ROOT / "web" / "pack.py")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    package = done.stdout.strip()
    where = WORK / "ours"
    shutil.rmtree(where, ignore_errors=True)
    _install(where, package)
    site = _bundled(where, OURS)
    shutil.copytree(where / "node_modules" / "@nssbg" / "web" / "npm" / "files", site / "files")
    return site


def their_site() -> Path:
    """The page of the peer; 213 MB of data come once."""
    where = WORK / "theirs"
    if not (where / "node_modules" / "@imgly" / "background-removal-data").is_dir():
        _install(where, *PEER, PEER_DATA)
    site = _bundled(where, THEIRS)
    data = site / "data"
    data.mkdir()
    came = where / "node_modules" / "@imgly" / "background-removal-data" / "dist"
    listed = json.loads((came / "resources.json").read_text())
    resources = {}
    for name, old in PEER_MODELS.items():
        # Version 1.7.0 asks for a chunk by its "name", which that of 1.4.5 called "hash".
        chunks = [{**chunk, "name": chunk["hash"]} for chunk in listed[old]["chunks"]]
        resources[f"/models/{name}"] = {**listed[old], "chunks": chunks}
        for chunk in chunks:
            shutil.copyfile(came / chunk["hash"], data / chunk["hash"])
    for path in sorted((where / "node_modules" / "onnxruntime-web" / "dist").glob("ort-wasm-*")):
        if path.suffix in (".mjs", ".wasm"):
            resources[f"/onnxruntime-web/{path.name}"] = _chunked(path, data)
    (data / "resources.json").write_text(json.dumps(resources))
    return site


def _chunked(path: Path, into: Path) -> dict[str, object]:
    """A file as the peer's data has it: pieces by their digests."""
    data = path.read_bytes()
    chunks = []
    for begin in range(0, len(data), CHUNK):
        piece = data[begin : begin + CHUNK]
        name = hashlib.sha256(piece).hexdigest()
        (into / name).write_bytes(piece)
        chunks.append({"name": name, "offsets": [begin, begin + len(piece)]})
    mime = "application/wasm" if path.suffix == ".wasm" else "text/javascript"
    return {"chunks": chunks, "size": len(data), "mime": mime}


def _install(where: Path, *packages: str) -> None:
    where.mkdir(parents=True, exist_ok=True)
    (where / "package.json").write_text('{"name": "bench", "private": true, "type": "module"}\n')
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
    subprocess.run(["npm", "install", *quiet, *packages], cwd=where, check=True)


def _bundled(where: Path, source: str) -> Path:
    site = where / "site"
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir()
    (where / "app.js").write_text(source)
    flags = ["--bundle", "--format=esm", "--minify", "--log-level=error"]
    subprocess.run([ESBUILD, "app.js", *flags, "--outfile=site/app.js"], cwd=where, check=True)
    (site / "index.html").write_text(f'{PAGE}<script type="module" src="app.js"></script>\n')
    return site
