"""What mypy and pyright make of the public surface: types revealed, mistakes refused."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy
import PIL
import pytest

import nssbg

# Lines end with the type that is revealed, as both checkers write it, or with "error".
SNIPPET = '''
import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

import nssbg


class Tensor:
    """What torch's tensors look like to a checker."""

    def __array__(self, dtype: Any = None) -> NDArray[Any]:
        return np.zeros((4, 4, 3), np.uint8)


def check(
    remover: nssbg.Remover,
    image: Image,
    array: NDArray[np.uint8],
    file: BinaryIO,
    source: nssbg.ImageSource,
    effort: nssbg.Effort,
) -> None:
    reveal_type(nssbg.remove("a.jpg"))  # Path
    reveal_type(nssbg.remove(Path("a.jpg"), model="studio", effort=effort))  # Path
    reveal_type(nssbg.remove(array, "a.png"))  # Path
    reveal_type(nssbg.remove(b"", format="webp"))  # bytes
    reveal_type(nssbg.remove(io.BytesIO()))  # bytes
    reveal_type(nssbg.remove(file, mask=True))  # bytes
    reveal_type(nssbg.remove(image, background=(255, 255, 255)))  # Image
    reveal_type(nssbg.remove(array, background=nssbg.Gradient(("red", "blue"))))  # ndarray
    reveal_type(nssbg.remove(Tensor()))  # ndarray
    reveal_type(remover.remove("a.jpg", overwrite=False))  # Path
    reveal_type(remover.remove(bytearray()))  # bytes
    reveal_type(remover.remove(image, matte="extend"))  # Image
    reveal_type(remover.remove(array, strength=0.5))  # ndarray
    reveal_type(remover.remove(source))  # Path | bytes | Image | ndarray
    reveal_type(remover.cutout(source, refine="matting"))  # Cutout
    reveal_type(remover.cutout(source).report)  # Report
    reveal_type(remover.cutout(source).rgba)  # ndarray
    reveal_type(remover.cutout(source).to_pil())  # Image
    reveal_type(remover.cutout(source).save("a.webp", quality=80))  # Path
    reveal_type(remover.alpha(source, effort="fast"))  # ndarray
    reveal_type(nssbg.alpha.choke(array, 1.0))  # ndarray
    with remover.map([source], decontaminate="off") as stream:
        reveal_type(stream)  # Stream
        for outcome in stream:
            reveal_type(outcome)  # Outcome
            reveal_type(outcome.error)  # Exception | None
    with remover.frames([array], channels="bgr", effort="fast") as cutouts:
        reveal_type(cutouts)  # FrameStream
        for cutout in cutouts:
            reveal_type(cutout)  # ndarray
    remover.frames([array], channels="gbr")  # error
    nssbg.no_such  # error
    nssbg.remove("a.jpg", bckground=3)  # error
    nssbg.remove("a.jpg", alpha_only=True)  # error
    nssbg.remove("a.jpg", effort="turbo")  # error
    nssbg.remove(3)  # error
    nssbg.Remover(backend="tensorflow")  # error
    remover.remove(image, treshold=3)  # error
    remover.cutout(source, strength="half")  # error
    remover.map([source], ordred=False)  # error
    remover.cutout(source).encode("gif")  # error
    nssbg.CutoutOptions(matte="keep")  # error


async def later(remover: nssbg.Remover, image: Image) -> None:
    reveal_type(await remover.remove_async(image))  # Image
    reveal_type(await remover.remove_async("a.jpg", effort="best"))  # Path
'''
LINES = SNIPPET.splitlines()
EXPECTED = {
    number: line.rpartition("  # ")[2] for number, line in enumerate(LINES, 1) if "  # " in line
}


def plain(type_text):
    """A type without modules and parameters, its members in order: comparable between checkers."""
    text = re.sub(r"\[(?:[^\[\]]|\[(?:[^\[\]]|\[[^\[\]]*\])*\])*\]", "", type_text)
    members = {part.strip().rpartition(".")[2] for part in text.split("|")}
    return " | ".join(sorted(members))


def seen(output, revealed, error):
    """Line -> type revealed there, or "error"."""
    found = {}
    for line in output.splitlines():
        if (match := re.search(revealed, line)) is not None:
            found[int(match[1])] = plain(match[2])
        elif (match := re.search(error, line)) is not None:
            found[int(match[1])] = "error"
    return found


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    return done.stdout + done.stderr


def basedpyright():
    """The program. Its wheel carries the node that pyright's own would download."""
    if importlib.util.find_spec("basedpyright") is None:
        pytest.skip("basedpyright is not installed (dependency group lint)")
    return str(Path(sysconfig.get_path("scripts")) / "basedpyright")


@pytest.fixture(scope="module")
def snippet(tmp_path_factory):
    path = tmp_path_factory.mktemp("typing") / "snippet.py"
    path.write_text(SNIPPET, encoding="utf-8")
    return path


def check(found, output):
    wrong = {
        f"{number}: {LINES[number - 1].strip()}": found.get(number)
        for number, wanted in EXPECTED.items()
        if found.get(number) != (wanted if wanted == "error" else plain(wanted))
    }
    assert not wrong, f"{wrong}\n{output}"
    assert not found.keys() - EXPECTED.keys(), output


def test_mypy_sees_the_types_and_refuses_mistakes(snippet):
    pytest.importorskip("mypy", reason="mypy is not installed (dependency group lint)")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", snippet.name]
    output = run(command, snippet.parent)
    revealed = r':(\d+): note: Revealed type is "(.*)"'
    check(seen(output, revealed, r":(\d+): error: "), output)


def test_pyright_sees_the_types_and_refuses_mistakes(snippet):
    program = basedpyright()
    (snippet.parent / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    command = [program, "--pythonpath", sys.executable, snippet.name]
    output = run(command, snippet.parent)
    if " errors, " not in output:
        pytest.skip(f"pyright does not run here: {output.strip()[-300:]}")
    revealed = r':(\d+):\d+ - information: Type of ".*" is "(.*)"'
    check(seen(output, revealed, r":(\d+):\d+ - error: "), output)


def test_pyright_knows_the_type_of_everything_public(tmp_path):
    program = basedpyright()
    venv.create(tmp_path / "venv", with_pip=False)
    (packages,) = (tmp_path / "venv").glob("[Ll]ib/**/site-packages")
    for module in (nssbg, numpy, PIL):
        folder = Path(module.__file__).parent
        if module is nssbg:  # an editable installation has no folder of its own there
            shutil.copytree(folder, packages / folder.name, ignore=shutil.ignore_patterns("*.onnx"))
        else:
            (packages / folder.name).symlink_to(folder, target_is_directory=True)
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    done = subprocess.run(
        [program, "--verifytypes", "nssbg", "--ignoreexternal", "--outputjson"],
        env={
            **os.environ,
            "VIRTUAL_ENV": str(tmp_path / "venv"),
            "PATH": os.pathsep.join((str(scripts), os.environ.get("PATH", ""))),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    try:
        told = json.loads(done.stdout)["typeCompleteness"]
    except (ValueError, KeyError):
        pytest.skip(f"pyright does not run here: {(done.stdout + done.stderr).strip()[-300:]}")
    assert told["pyTypedPath"], done.stdout[-2000:]
    unknown = [
        f"{symbol['name']}: {[said['message'] for said in symbol['diagnostics']]}"
        for symbol in told["symbols"]
        if symbol["isExported"] and not symbol["isTypeKnown"]
    ]
    assert not unknown, "\n".join(unknown)
    assert told["exportedSymbolCounts"]["withKnownType"] > 300
    assert told["completenessScore"] == 1
