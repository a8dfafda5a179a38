"""Packs the npm package @nssbg/web: `make web-npm`, after `make web`.

What comes out is `build/web/nssbg-web-VERSION.tgz`: the modules of web/npm with their types, the
engine's worker as one file, and what that loads, as `make web` left it in web/dist. Each of those
files is named in `npm/assets.js` by an address that bundlers understand, with its size and SHA-256.
Needs npm, which brings esbuild and the TypeScript compiler (docs/decisions/1055-npm-package.md).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from assemble import package_version

from build import BUILDS, DIST, PACKAGES, ROOT

WEB = ROOT / "web"
TOOLS = ROOT / "build" / "web" / "tools"
#: What packs: exact versions, so that a package can be made again.
PACKERS = ("esbuild@0.25.12", "typescript@5.9.3")
#: Modules of the page's engine that the package's own import.
SHARED = ("engine/interface.js", "engine/wasm/worker-client.js")
MODEL = "nssbg-lite"
#: Bundlers write smaller files into the program as data: addresses, which a policy forbids and
#: a worker does not load; so files are at least this long.
LEAST_BYTES = 4097


class UnpackedError(Exception):
    """Why there is no package."""


def main() -> int:
    """Pack, and print the package's path."""
    parser = argparse.ArgumentParser(description="Pack the npm package @nssbg/web.")
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "web", metavar="FOLDER")
    asked = parser.parse_args()
    try:
        print(packed(asked.into))
    except UnpackedError as why:
        print(f"web-npm: skipped: {why}", file=sys.stderr)
        return 3
    return 0


def packed(into: Path) -> Path:
    """The package's file in a folder.

    Raises:
        UnpackedError: A tool, or something that `make web` makes, is missing.
    """
    if shutil.which("npm") is None:
        raise UnpackedError("npm is missing")
    wanted = _wanted()
    missing = [name for name in wanted if not (DIST / name).exists()]
    if missing:
        raise UnpackedError(f"web/dist has no {missing[0]}: make web, with all its builds")
    _fetch_packers()
    stage = into / "npm-package"
    shutil.rmtree(stage, ignore_errors=True)
    for path in sorted((WEB / "npm").glob("*.js")):
        _copy(path, stage / "npm" / path.name)
    for name in SHARED:
        _copy(WEB / name, stage / name)
    files = stage / "npm" / "files"
    for name in wanted:
        _copy(DIST / name, files / name)
    _run("esbuild", WEB / "engine" / "wasm-worker.js", *_BUNDLING, f"--outfile={files}/worker.js")
    _pad(files)
    (stage / "npm" / "assets.js").write_text(_assets(files), encoding="utf-8")
    _copy(ROOT / "LICENSE", stage / "LICENSE")
    _copy(WEB / "npm" / "README.md", stage / "README.md")
    (stage / "NOTICE.txt").write_text(_notice(), encoding="utf-8")
    facts = json.loads((WEB / "npm" / "package.json").read_text(encoding="utf-8"))
    facts = {"name": facts.pop("name"), "version": package_version(), **facts}
    (stage / "package.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    _run("tsc", *_TYPING, *sorted((stage / "npm").glob("*.js")))
    command = ["npm", "pack", "--silent", "--pack-destination", str(into)]
    done = subprocess.run(command, cwd=stage, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"npm pack failed: {done.stderr.strip()}")
    return into / done.stdout.strip().splitlines()[-1]


#: One module without imports but those of Node, which only Node comes to.
_BUNDLING = ("--bundle", "--format=esm", "--external:node:*", "--minify", "--target=es2022")
_TYPING = (
    *("--allowJs", "--checkJs", "--strict", "--declaration", "--emitDeclarationOnly"),
    *("--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler"),
    *("--lib", "es2022,dom,dom.iterable", "--skipLibCheck"),
)


def _wanted() -> list[str]:
    """Files of web/dist that the engine may ask for."""
    wanted = [f"models/{MODEL}.json", f"models/{MODEL}.onnx"]
    for build in BUILDS:
        wanted += [f"core/{build}/nssbg-core.{suffix}" for suffix in ("js", "wasm")]
        if "threads" in build:
            wanted.append(f"core/{build}/nssbg-core.worker.js")
    wanted += [f"{folder}/{name}" for folder, (_, _, names) in PACKAGES.items() for name in names]
    return sorted(wanted)


def _fetch_packers() -> None:
    marker = TOOLS / "packers.txt"
    if marker.exists() and marker.read_text() == "\n".join(PACKERS):
        return
    TOOLS.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--prefix", str(TOOLS), "--no-audit", "--no-fund"]
    done = subprocess.run(
        [*command, "--ignore-scripts", *PACKERS], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-1:]
        raise UnpackedError(f"npm install {' '.join(PACKERS)} failed: {said}")
    marker.write_text("\n".join(PACKERS))


def _run(tool: str, *arguments: object) -> None:
    command = [str(TOOLS / "node_modules" / ".bin" / tool), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{tool} failed:\n{done.stdout}{done.stderr}")


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)


def _pad(folder: Path) -> None:
    """Make small files long enough; blanks at the end mean nothing in JSON and JavaScript."""
    for path in folder.rglob("*.js*"):
        data = path.read_bytes()
        path.write_bytes(data + b" " * max(0, LEAST_BYTES - 1 - len(data)) + b"\n")


def _assets(folder: Path) -> str:
    """The module that names every file; bundlers look for `new URL('...', import.meta.url)`."""
    lines = []
    for path in sorted(folder.rglob("*.*")):
        name = path.relative_to(folder).as_posix()
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        address = f"new URL('./files/{name}', import.meta.url).href"
        lines.append(f"  '{name}': {{ bytes: {len(data)}, sha256: '{digest}', own: {address} }},\n")
    return (
        "/** The engine's files: made by web/pack.py. */\n\n"
        "/** @typedef {{bytes: number, sha256: string, address: string}} Asset */\n\n"
        "/** @type {Record<string, {bytes: number, sha256: string, own: string}>} */\n"
        f"const ASSETS = {{\n{''.join(lines)}}};\n\n"
        "/** @param {string | null} publicPath the folder that they were copied to; null: where"
        " they are\n"
        " * @returns {{worker: string, files: Record<string, Asset>}} */\n"
        "export function files(publicPath) {\n"
        "  const all = Object.entries(ASSETS).map(([name, { own, ...facts }]) => [name,"
        " { ...facts, address: publicPath ? new URL(name, publicPath).href : own }]);\n"
        "  const files = Object.fromEntries(all);\n"
        "  return { worker: files['worker.js'].address, files };\n"
        "}\n"
    )


def _notice() -> str:
    """Whose work is in the files, and under what licence."""
    runtime, decoder = PACKAGES["runtime"][0], PACKAGES["decoder"][0]
    return (
        "npm/files holds, beside nssbg's own core and network (Apache-2.0, see LICENSE):\n"
        f"  runtime/  {runtime}, Microsoft Corporation, MIT\n"
        f"  decoder/  {decoder}, Jamie Sinclair, Apache-2.0; in it mozjpeg and libjpeg-turbo,\n"
        "            IJG, modified BSD and zlib licences\n"
        "  core/     glue and C and C++ libraries of Emscripten and LLVM, MIT and Apache-2.0 with\n"
        "            LLVM exceptions\n"
    )


if __name__ == "__main__":
    sys.exit(main())
