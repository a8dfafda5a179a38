"""`python -m nssbg.compat.rembg.install_shim FOLDER`: a package `rembg` for code as it stands.

The folder is then put first on the path (PYTHONPATH=FOLDER), and `import rembg` gets
nssbg.compat.rembg. An installed rembg is never touched.
"""

from __future__ import annotations

import argparse
import site
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from nssbg import _fs
from nssbg._errors import NssbgError, OptionError

__all__ = ["install_shim", "main"]

_MARK = "# nssbg's stand-in for rembg; made by nssbg.compat.rembg.install_shim."

_TEXT = f'''{_MARK}
"""nssbg.compat.rembg under the name of rembg."""

import importlib
import sys

_TARGET = "nssbg.compat.rembg"
_package = importlib.import_module(_TARGET)
for _name in ("bg", "matting", "session_factory", "sessions"):
    importlib.import_module(_TARGET + "." + _name)
for _name, _module in list(sys.modules.items()):
    if _name == _TARGET or _name.startswith(_TARGET + "."):
        sys.modules["rembg" + _name[len(_TARGET):]] = _module
'''


def install_shim(folder: str | Path) -> Path:
    """Write the package `rembg` into a folder of its own.

    Args:
        folder: Made if it is not there. May hold nothing but an earlier shim.

    Returns:
        The folder, absolute: what to put first on the path.

    Raises:
        OptionError: It is where packages are installed, or holds something else.
    """
    place = Path(folder).expanduser().absolute()
    if place.resolve() in _package_folders():
        raise OptionError(
            f"{place}: packages are installed there; the stand-in goes into a folder of its own"
        )
    target = place / "rembg" / "__init__.py"
    others = [] if not place.is_dir() else [one for one in place.iterdir() if one.name != "rembg"]
    if others:
        raise OptionError(f"{place}: holds other files ({others[0].name}, ...); name an empty one")
    ours = target.is_file() and target.read_text("utf-8", "replace").startswith(_MARK)
    if target.parent.exists() and not ours:
        raise OptionError(f"{target.parent}: is there already and is not nssbg's stand-in")
    target.parent.mkdir(parents=True, exist_ok=True)
    _fs.write(target, _TEXT.encode())
    return place


def _package_folders() -> set[Path]:
    paths = sysconfig.get_paths()
    found = [paths["purelib"], paths["platlib"], site.getusersitepackages()]
    found += [item for item in sys.path if item.endswith(("site-packages", "dist-packages"))]
    return {Path(item).resolve() for item in found}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it as a command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m nssbg.compat.rembg.install_shim",
        description="Write a package `rembg` that is nssbg into a folder of its own.",
    )
    parser.add_argument("folder", metavar="FOLDER", help="made if it is not there")
    try:
        place = install_shim(parser.parse_args(arguments).folder)
    except (NssbgError, OSError) as error:
        sys.stderr.write(f"nssbg: {error}\n")
        return getattr(error, "exit_code", 1)
    sys.stdout.write(f"{place}\nrun your program with PYTHONPATH={place}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
