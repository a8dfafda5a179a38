"""What mypy and pyright make of the public surface: types revealed, mistakes refused."""

import importlib.util
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

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
    # basedpyright's wheel carries the node that pyright would have to download.
    if importlib.util.find_spec("basedpyright") is None:
        pytest.skip("basedpyright is not installed (dependency group lint)")
    program = Path(sysconfig.get_path("scripts")) / "basedpyright"
    (snippet.parent / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    command = [str(program), "--pythonpath", sys.executable, snippet.name]
    output = run(command, snippet.parent)
    if " errors, " not in output:
        pytest.skip(f"pyright does not run here: {output.strip()[-300:]}")
    revealed = r':(\d+):\d+ - information: Type of ".*" is "(.*)"'
    check(seen(output, revealed, r":(\d+):\d+ - error: "), output)


def test_the_package_says_that_it_is_typed():
    import nssbg

    assert (Path(nssbg.__file__).parent / "py.typed").is_file()
