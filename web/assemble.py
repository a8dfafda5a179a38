"""Puts the site together in web/dist, which `web/build.py` filled with builds and packages.

The site is the studio page with the engine in the browser: files that any file server gives, below
any path. `index.html` names that engine and carries the policy; `site.json` lists every file of the
site with its size and SHA-256, which the engine and the service worker hold what they load to;
`service-worker.js` carries the same list, so that a change of one file is a new service worker.
"""

from __future__ import annotations

import ast
import hashlib
import html
import json
import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WEB = ROOT / "web"
DIST = WEB / "dist"
SAMPLES = ROOT / "python" / "nssbg" / "studio_page" / "samples"
#: The page may talk to its own site and nothing else; WebAssembly may be compiled, texts may not.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'; font-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'"
)
#: Modules of the page, as folders and files of web/; the engine over HTTP and the mock are not.
PAGE = ("main.js", "texts.en.js", "icon.svg", "app", "style", "engine", "core", "site")
NOT_OF_THE_SITE = ("engine/server.js", "engine/mock.js", "engine/wasm/service-worker.js")
#: What the worker loads once, with a progress bar, and keeps; all else the service worker keeps.
HEAVY = (".wasm", ".onnx")
SERVICE_WORKER = "service-worker.js"


def assemble() -> dict[str, Any]:
    """Write the page's files beside the builds; what `site.json` says."""
    assets = DIST / "assets"
    shutil.rmtree(assets, ignore_errors=True)
    for name in PAGE:
        for path in sorted([WEB / name] if (WEB / name).is_file() else (WEB / name).rglob("*")):
            below = path.relative_to(WEB)
            if path.is_file() and below.as_posix() not in NOT_OF_THE_SITE:
                _copy(path, assets / below)
    shutil.rmtree(DIST / "samples", ignore_errors=True)
    for path in sorted(SAMPLES.glob("*.jpg")):
        _copy(path, DIST / "samples" / path.name)
    (DIST / "index.html").write_text(_document(), encoding="utf-8")
    site = {"nssbg": package_version(), "policy": POLICY, "files": _listed()}
    digest = hashlib.sha256(json.dumps(site, sort_keys=True).encode()).hexdigest()
    site = {"version": digest[:16], **site}
    text = json.dumps(site, indent=1)
    (DIST / "site.json").write_text(text + "\n", encoding="utf-8")
    source = (WEB / "engine" / "wasm" / SERVICE_WORKER).read_text(encoding="utf-8")
    (DIST / SERVICE_WORKER).write_text(f"self.SITE = {text};\n{source}", encoding="utf-8")
    return site


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)


def _document() -> str:
    """The page's own document, with the other engine and with its policy."""
    text = (WEB / "index.html").read_text(encoding="utf-8")
    policy = html.escape(POLICY, quote=False)
    changes = {
        'data-engine="./engine/server.js"': 'data-engine="./engine/wasm.js" '
        'data-extras="./site/extras.js"',
        '<meta charset="utf-8">': '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="robots" content="noindex">\n': "",
    }
    for old, new in changes.items():
        if text.count(old) != 1:
            raise SystemExit(f"web/index.html: {old!r} stands there {text.count(old)} times, not 1")
        text = text.replace(old, new)
    return text


def _listed() -> dict[str, dict[str, Any]]:
    """Every file that a browser may ask for, by its path below the site."""
    found = {}
    for path in sorted(DIST.rglob("*")):
        name = path.relative_to(DIST).as_posix()
        # Written after this list, or for Node and for those who build.
        if name in ("site.json", SERVICE_WORKER) or path.suffix in (".txt", ".cjs"):
            continue
        if path.is_dir() or (name.startswith("core/") and path.suffix == ".json"):
            continue
        data = path.read_bytes()
        found[name] = {
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "kept": "worker" if path.suffix in HEAVY else "shell",
        }
    return found


def package_version() -> str:
    """`nssbg.__version__`, without importing what may not be compiled."""
    tree = ast.parse((ROOT / "python" / "nssbg" / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__version__":
            return str(ast.literal_eval(node.value))
    raise SystemExit("python/nssbg/__init__.py has no __version__")
