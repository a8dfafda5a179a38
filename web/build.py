"""Builds what the browser's engine runs on into web/dist/: `make web`.

core/: three builds of one module, each in a folder of its own (`nssbg-core.js`, `.wasm`, with
threads a worker): `simd-threads` for cross-origin isolated pages, `simd`, and `plain` for engines
without SIMD. Beside them `build.json`: the compiler, the sizes, and a digest of the sources that
tests hold the files to. models/: the bundled network and its sidecar as JSON. runtime/:
onnxruntime-web from npm. Needs Emscripten and Node (and npm for the runtime); what is missing it
says, and ends well (docs/decisions/1050-web-toolchain.md). decoder/: the decoder of JPEG files.
With all of it there, `web/assemble.py` puts the site together around it.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from assemble import assemble

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "web" / "dist"
CORE = DIST / "core"
BUNDLED = ROOT / "python" / "nssbg" / "_models" / "bundled"
PROFILES = ROOT / "python" / "nssbg" / "batch" / "profiles"
#: Of a preset's first file, what decides how it looks (web/engine/wasm/asking.js).
LOOKS = (
    *("canvas", "fill", "align", "enlarge", "trim", "padding", "longest_side", "background"),
    "shadow",
)
#: What comes from npm: into which folder, from which folder of which package, which files.
PACKAGES = {
    "runtime": (
        "onnxruntime-web@1.30.0",
        "dist",
        (
            *("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"),
            # With WebGPU, in its place where the browser has one.
            *("ort.jspi.min.mjs", "ort-wasm-simd-threaded.jspi.mjs"),
            "ort-wasm-simd-threaded.jspi.wasm",
        ),
    ),
    "decoder": ("@jsquash/jpeg@1.6.0", "codec/dec", ("mozjpeg_dec.js", "mozjpeg_dec.wasm")),
}
#: What each build adds to the compiler's flags.
BUILDS = {
    "simd-threads": "-msimd128 -pthread",
    "simd": "-msimd128",
    "plain": "",
}
#: WebAssembly's own exceptions: Emscripten's go through JavaScript at every call that may throw.
EXCEPTIONS = "-fwasm-exceptions"
#: Where Debian keeps acorn, which Emscripten's optimiser needs; only Debian's Node looks there.
DEBIAN_MODULES = Path("/usr/share/nodejs")
NAME = "nssbg-core"


def main() -> int:
    """Build what is asked for; 0 also where a tool is missing, which is said."""
    parser = argparse.ArgumentParser(description="Build the core for the browser.")
    parser.add_argument("--builds", nargs="+", choices=tuple(BUILDS), default=list(BUILDS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    copy_models()
    write_presets()
    absent = fetch_packages()
    if absent is not None:
        print(f"web: without what comes from npm: {absent}")
    missing = missing_tool()
    if missing is not None:
        print(f"web: skipped: {missing}")
        return 0
    digest = source_digest()
    sizes = {}
    for build in asked.builds:
        sizes[build] = compiled(build, asked.jobs)
        for name, (raw, packed) in sizes[build].items():
            print(f"web: {build}/{name}: {raw} bytes, {packed} by gzip")
    manifest = CORE / "build.json"
    before = json.loads(manifest.read_text()) if manifest.exists() else {}
    kept = before.get("files", {}) if before.get("sources") == digest else {}
    facts = {"sources": digest, "compiler": compiler_version(), "files": {**kept, **sizes}}
    manifest.write_text(json.dumps(facts, indent=1) + "\n")
    if absent is None:
        site = assemble()
        total = sum(file["bytes"] for file in site["files"].values())
        print(f"web: the site {site['version']}: {len(site['files'])} files, {total} bytes")
    return 0


def missing_tool() -> str | None:
    """What is not there that a build needs, and where it comes from; None: all is there."""
    if shutil.which("em++") is None:
        return "em++ is missing (Debian: emscripten, node-acorn; or emsdk)"
    if shutil.which("node") is None:
        return "node is missing, which Emscripten runs (Debian: nodejs)"
    if shutil.which("cmake") is None or shutil.which("ninja") is None:
        return "cmake or ninja is missing; make web installs them into the environment"
    return None


def copy_models() -> None:
    """The bundled network, and what it wants as JSON: of its float form, the one of the site."""
    into = DIST / "models"
    into.mkdir(parents=True, exist_ok=True)
    for sidecar in sorted(BUNDLED.glob("*.toml")):
        told = tomllib.loads(sidecar.read_text(encoding="utf-8"))
        told.pop("int8", None)
        shutil.copyfile(BUNDLED / told["file"], into / told["file"])
        (into / f"{sidecar.stem}.json").write_text(json.dumps(told) + "\n")


def write_presets() -> None:
    """The marketplaces' presets for the page: what the first file of each looks like."""
    found = []
    for path in sorted(PROFILES.glob("*.toml")):
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        output = {key: told["outputs"][0][key] for key in LOOKS if key in told["outputs"][0]}
        found.append({"name": path.stem, "summary": told.get("summary", ""), "output": output})
    DIST.mkdir(parents=True, exist_ok=True)
    (DIST / "presets.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def fetch_packages() -> str | None:
    """Put what comes from npm in place; why that could not be done, or None."""
    for folder, (package, below, files) in PACKAGES.items():
        into = DIST / folder
        marker = into / "package.txt"
        said = "\n".join((package, *files))
        if marker.exists() and marker.read_text() == said:
            continue
        if shutil.which("npm") is None:
            return "npm is missing"
        where = ROOT / "build" / "web" / "npm"
        where.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--prefix", str(where), "--no-audit", "--no-fund"]
        done = subprocess.run(
            [*command, "--ignore-scripts", package], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            return f"npm install {package} failed: {done.stderr.strip().splitlines()[-1:]}"
        into.mkdir(parents=True, exist_ok=True)
        came = where / "node_modules" / package.rpartition("@")[0]
        for name in files:
            shutil.copyfile(came / below / name, into / name)
        marker.write_text(said)
    return None


def source_digest() -> str:
    """SHA-256 of all that the builds are made from."""
    found = hashlib.sha256()
    files = [ROOT / "CMakeLists.txt", Path(__file__).resolve(), *(ROOT / "cmake").glob("*.cmake")]
    files.append(ROOT / "cpp" / "CMakeLists.txt")
    for folder in ("include", "src", "bindings"):
        every = (ROOT / "cpp" / folder).rglob("*")
        files += [path for path in every if path.is_file() and path.suffix != ".md"]
    for path in sorted(files):
        found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def compiled(build: str, jobs: int) -> dict[str, tuple[int, int]]:
    """Compile one build into its folder; the bytes of its files, as they are and by gzip."""
    where = ROOT / "build" / "web" / build
    environment = dict(os.environ)
    if DEBIAN_MODULES.is_dir():
        paths = [environment.get("NODE_PATH", ""), str(DEBIAN_MODULES)]
        environment["NODE_PATH"] = os.pathsep.join(path for path in paths if path)
    configure = [
        *("emcmake", "cmake", "-G", "Ninja", "-S", str(ROOT), "-B", str(where)),
        "-DCMAKE_BUILD_TYPE=Release",
        f"-DCMAKE_CXX_FLAGS={EXCEPTIONS} {BUILDS[build]}".rstrip(),
        f"-DNSSBG_WEB_THREADS={'ON' if 'threads' in build else 'OFF'}",
    ]
    subprocess.run(configure, env=environment, check=True, stdout=subprocess.DEVNULL)
    make = ["cmake", "--build", str(where), "--parallel", str(jobs), "--target", NAME]
    subprocess.run(make, env=environment, check=True)
    made = where / "cpp" / "bindings" / "web"
    into = CORE / build
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    for path in sorted(made.glob(f"{NAME}*")):
        shutil.copyfile(path, into / path.name)
        if path.name.endswith(".worker.js"):  # Node has its workers as CommonJS
            shutil.copyfile(path, into / f"{path.stem}.cjs")
    (into / "package.json").write_text('{"type": "module"}\n')
    return {
        path.name: (path.stat().st_size, len(gzip.compress(path.read_bytes(), 9, mtime=0)))
        for path in sorted(into.glob(f"{NAME}*"))
        if path.suffix != ".cjs"
    }


def compiler_version() -> str:
    """The first line that the compiler says of itself."""
    said = subprocess.run(["em++", "--version"], capture_output=True, text=True, check=True)
    return said.stdout.splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())
