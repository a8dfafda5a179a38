"""Fuzzes for some minutes: `make fuzz MINUTES=n`. Exits with 1 where anything was found.

C++ targets run under the sanitizers (built by make), Python ones in watched processes; each new
fault is made small and saved with its verdict.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from fuzzing.judge import Judge, minimised
from fuzzing.known import KNOWN
from fuzzing.mutations import mutated
from fuzzing.seeds import KINDS, seeds
from fuzzing.targets import is_fault

__all__ = ["cases", "key_of", "label_of", "main"]

_SHARES = {"picture": 12, "onnx": 2, "toml": 1, "json": 1, "catalog": 1, "plans": 1}
_TEXTS = {"toml", "json", "catalog", "plans"}
CORPUS = Path(__file__).parent / "corpus"


def cases(seed: int, kinds: tuple[str, ...] = KINDS):
    """Endless (kind, name of the seed, damaged bytes), the same for the same number."""
    rng = random.Random(seed)
    known: dict[str, list[tuple[str, bytes]]] = {kind: [] for kind in kinds}
    for kind, name, data in seeds():
        if kind in known:
            known[kind].append((name, data))
    weights = [_SHARES[kind] for kind in kinds]
    while True:
        kind = rng.choices(kinds, weights)[0]
        name, data = rng.choice(known[kind])
        other = rng.choice(known[kind])[1]
        yield kind, name, mutated(data, other, rng, text=kind in _TEXTS)


def label_of(kind: str, name: str) -> str:
    """A format for pictures, the kind for all else."""
    return name.rpartition(".")[2] if kind == "picture" else kind


def key_of(label: str, said: str) -> str:
    """What makes two faults the same."""
    return f"{label}: {said.removeprefix('fault: ')}"


def _python(seconds: float, seed: int, findings: Path) -> int:
    """Fuzz the Python readers; the number of different faults found."""
    end = time.monotonic() + seconds
    tried: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    with Judge() as judge:
        for kind, name, data in cases(seed):
            if time.monotonic() > end:
                break
            said = judge.verdict(kind, data)
            label = label_of(kind, name)
            tried[label] += 1
            outcomes["fault" if is_fault(said) else said] += 1
            if not is_fault(said):
                continue
            key = key_of(label, said)
            faults[key] += 1
            if faults[key] == 1 and key not in KNOWN:
                small = minimised(judge, kind, data, said, seconds=min(20.0, seconds / 4))
                digest = hashlib.sha256(small).hexdigest()[:10]
                findings.mkdir(parents=True, exist_ok=True)
                path = findings / f"{kind}-{label}-{digest}.bin"
                path.write_bytes(small)
                print(f"FOUND {key}\n      {path} ({len(small)} bytes)", flush=True)
    print("files by format: " + ", ".join(f"{k} {n}" for k, n in sorted(tried.items())))
    print("outcomes: " + ", ".join(f"{k} {n}" for k, n in sorted(outcomes.items())))
    for key, count in faults.most_common():
        print(f"{count:6} x {key}" + (f"; known: {KNOWN[key]}" if key in KNOWN else ""))
    return len(set(faults) - set(KNOWN))


def _compiled(binaries: Path, seconds: float, seed: int, findings: Path, *, guided: bool) -> int:
    """Run each C++ target for its share of the time; how many stopped on a fault."""
    programs = sorted(binaries.glob("nssbg_fuzz_*"))
    programs = [path for path in programs if path.is_file() and not path.suffix]
    if not programs:
        raise SystemExit(f"no fuzz targets in {binaries}")
    found = 0
    share = max(1, round(seconds / len(programs)))
    for program in programs:
        name = program.name.removeprefix("nssbg_fuzz_")
        findings.mkdir(parents=True, exist_ok=True)
        if guided:
            kept = findings.parent / "grown" / name
            kept.mkdir(parents=True, exist_ok=True)
            committed = CORPUS / "cpp" / name
            command = [str(program), f"-max_total_time={share}", f"-seed={seed}", "-max_len=600"]
            command += ["-print_final_stats=1", f"-artifact_prefix={findings}/{name}-", str(kept)]
            command += [str(committed)] if committed.is_dir() else []
        else:
            command = [str(program), "1000000000", str(seed), str(share)]
        done = subprocess.run(command, cwd=findings, capture_output=True, text=True, check=False)
        text = done.stdout + done.stderr
        lines = [line for line in text.splitlines() if "number_of_executed" in line]
        runs = lines[0].split()[-1] if lines else text.strip().splitlines()[-1] if text else "?"
        print(f"C++ {name}: {runs} inputs in {share} s, {'ok' if not done.returncode else 'FAULT'}")
        sys.stdout.flush()
        if done.returncode:
            found += 1
            print(text[-3000:])
    return found


def main() -> int:
    """Fuzz; 1 where anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--binaries", type=Path, help="folder of the C++ targets; none: skipped")
    parser.add_argument("--unguided", action="store_true", help="they were built without libFuzzer")
    parser.add_argument("--findings", type=Path, default=Path("build/fuzz-findings"))
    options = parser.parse_args()
    findings = options.findings.resolve()
    print(f"seed {options.seed}; what is found goes to {options.findings}")
    seconds = 60 * options.minutes
    found = 0
    if options.binaries:
        seconds /= 2
        found += _compiled(
            options.binaries, seconds, options.seed, findings / "cpp", guided=not options.unguided
        )
    found += _python(seconds, options.seed, findings / "python")
    print(f"{found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
