"""Spot checks of the kernels' tests: plants a fault, rebuilds, and expects a test to fail.

    python tests/mutation/mutate.py [NAME ...]

In: the checkout and the environment of `make mutate`. Out: one line a mutation, and an exit code
of 1 where one survives. Works on a copy; a mutation is found by the text it changes, wherever the
file lies.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("cpp", "cmake", "CMakeLists.txt", "CMakePresets.json")
# Where a fault is looked for once the C++ tests have passed.
PYTHON_TESTS = ("golden", "property", "unit/test_prepare.py", "reference/test_refine_twin.py")


@dataclass(frozen=True)
class Mutation:
    """One fault.

    Attributes:
        name: What is wrong with it.
        old: Text that stands in exactly one file of the core, once.
        new: What is put there.
    """

    name: str
    old: str
    new: str


MUTATIONS = (
    Mutation(
        "compose: the division by 255 loses its rounding",
        "const Wide shifted = value + static_cast<std::uint32_t>(full<T> / 2 + 1);",
        "const Wide shifted = value + static_cast<std::uint32_t>(1);",
    ),
    Mutation(
        "compose: front and background swapped in the scalar tail",
        "divided<T>(front * alpha + back * (full<T> - alpha))",
        "divided<T>(back * alpha + front * (full<T> - alpha))",
    ),
    Mutation(
        "tiles: the picture's last pixel is mirrored twice",
        "const std::int64_t period = 2 * (static_cast<std::int64_t>(count) - 1);",
        "const std::int64_t period = 2 * static_cast<std::int64_t>(count) - 1;",
    ),
    Mutation(
        "tiles: a fade forgets the tile that comes after it",
        "(1.0f - next * down);",
        "1.0f;",
    ),
    Mutation(
        "defocus: what lies behind a sharp surface shines through",
        "float seen = 1.0f - covered[x];",
        "float seen = 1.0f;",
    ),
    Mutation(
        "defocus: a polygon's light goes the wrong way round",
        "runs.push_back({-row, ",
        "runs.push_back({row, ",
    ),
    Mutation(
        "refine: cubic rows round down",
        "static_cast<int16_t>(low + high + 16) >> 5",
        "static_cast<int16_t>(low + high) >> 5",
    ),
    Mutation(
        "refine: the upper clamp of a cubic is missing",
        "value = value > 255 ? int16_t{255} : value;",
        "",
    ),
    Mutation(
        "refine: halving takes one pixel twice",
        "upper[2 * i] + upper[2 * i + 1] + lower[2 * i] + lower[2 * i + 1]",
        "upper[2 * i] + upper[2 * i + 1] + lower[2 * i] + lower[2 * i]",
    ),
    Mutation(
        "refine: windows of eight columns, not nine",
        "(second[x + 4] + second[x + 6])) + work[x + 8];",
        "(second[x + 4] + second[x + 6]));",
    ),
    Mutation(
        "matting: the ridge is nine times as large",
        "const float ridge = epsilon * ninth;",
        "const float ridge = epsilon;",
    ),
    Mutation(
        "decontaminate: alpha 1 does not count as soft",
        "any_soft |= static_cast<T>(a[i] - 1) < static_cast<T>(opaque - 1);",
        "any_soft |= static_cast<T>(a[i] - 2) < static_cast<T>(opaque - 2);",
    ),
    Mutation(
        "blur-fusion: the background's share is not weighted",
        "unit(fore + a * (color - a * fore - (1.0f - a) * back))",
        "unit(fore + a * (color - a * fore - back))",
    ),
    Mutation(
        "png: Paeth prefers the corner in a tie",
        "const int low = to_up <= to_corner ? up : corner;",
        "const int low = to_up < to_corner ? up : corner;",
    ),
    Mutation(
        "png: Average rounds up",
        "((left & *up) + ((left ^ *up) >> 1))",
        "((left & *up) + (((left ^ *up) + 1) >> 1))",
    ),
    Mutation(
        "prepare: neighbours' weights swapped",
        "const float left = 1.0f - right;\n        out[i] = upper *",
        "const float left = right;\n        out[i] = upper *",
    ),
    Mutation(
        "prepare: 16 bits are divided by 256",
        "static_cast<float>(value) / 257.0f; }",
        "static_cast<float>(value) / 256.0f; }",
    ),
    Mutation(
        "studio: the last, narrower block is scaled as a whole one",
        "const double rest_scale = 1.0 / (unit * rest * rows);",
        "const double rest_scale = 1.0 / (unit * factor * rows);",
    ),
    Mutation(
        "studio: the smoothing reads one column too far left",
        "const std::ptrdiff_t left = x > 0 ? x - 1 : x;",
        "const std::ptrdiff_t left = x > 1 ? x - 2 : x;",
    ),
)


def file_of(mutation: Mutation, tree: Path) -> Path:
    """The file that a mutation changes."""
    kinds = (".cpp", ".hpp", ".inl")
    files = [path for path in (tree / "cpp").rglob("*") if path.suffix in kinds]
    found = [path for path in files if mutation.old in path.read_text()]
    if len(found) != 1 or found[0].read_text().count(mutation.old) != 1:
        names = ", ".join(str(path.relative_to(tree)) for path in found) or "no file"
        sys.exit(f"{mutation.name}: its text stands in {names}, not once; bring it up to date")
    return found[0]


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command, its output kept."""
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
        cwd=ROOT,
        timeout=1800,
    )


class Copy:
    """A copy of the core with a build of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.build_folder = folder / "build"
        for name in COPIED:
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
        shutil.copytree(
            ROOT / "python" / "nssbg",
            folder / "python" / "nssbg",
            ignore=shutil.ignore_patterns("*.so", "__pycache__"),
        )
        done = run(
            *("cmake", "-G", "Ninja", "-S", folder, "-B", self.build_folder),
            *("-DCMAKE_BUILD_TYPE=Release", "-DNSSBG_BUILD_TESTS=ON", "-DNSSBG_BUILD_PYTHON=ON"),
            f"-DPython_EXECUTABLE={sys.executable}",
        )
        if done.returncode:
            sys.exit(done.stdout + done.stderr)

    def built(self) -> str:
        """Builds the tests and the extension; what the compiler says where it cannot."""
        done = run("cmake", "--build", self.build_folder, "--target", "nssbg_tests", "_core")
        if done.returncode:
            return done.stdout[-2000:]
        (extension,) = self.build_folder.rglob("_core*.so")
        shutil.copy(extension, self.folder / "python" / "nssbg" / extension.name)
        return ""

    def failing(self) -> str:
        """The first suite that fails, or ""."""
        (program,) = self.build_folder.rglob("nssbg_tests")
        if run(program).returncode:
            return "C++"
        path = str(self.folder / "python")
        where = run(
            sys.executable, "-c", "import nssbg; print(nssbg.__file__)", PYTHONPATH=path
        ).stdout
        if path not in where:
            sys.exit(f"an editable install hides the copy ({where.strip()}); use make mutate")
        tests = [ROOT / "tests" / name for name in PYTHON_TESTS]
        done = run(sys.executable, "-m", "pytest", "-x", "-q", *tests, PYTHONPATH=path)
        return "Python" if done.returncode else ""


def main() -> int:
    """Plant each fault in turn; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="only mutations whose name holds one of these")
    wanted = parser.parse_args().names
    chosen = [m for m in MUTATIONS if not wanted or any(name in m.name for name in wanted)]
    survivors = []
    with tempfile.TemporaryDirectory(prefix="nssbg-mutation-") as folder:
        copy = Copy(Path(folder))
        places = {mutation: file_of(mutation, copy.folder) for mutation in MUTATIONS}
        problem = copy.built() or copy.failing()
        if problem:
            sys.exit(f"the tests do not pass without a mutation: {problem}")
        for mutation in chosen:
            path, begun = places[mutation], time.monotonic()
            before = path.read_text()
            path.write_text(before.replace(mutation.old, mutation.new))
            problem = copy.built()
            caught = "" if problem else copy.failing()
            path.write_text(before)
            if problem:
                sys.exit(f"{mutation.name}: does not compile: {problem}")
            if not caught:
                survivors.append(mutation)
            said = f"caught by {caught}" if caught else "SURVIVES"
            print(f"{said:<18} {mutation.name} ({time.monotonic() - begun:.0f} s)", flush=True)
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main())
