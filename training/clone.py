"""Brings the commits that sources.toml names into the clones folder: `python training/clone.py`.

One commit of each repository and only the folders that are used, with git; what is there stays.
`--from` is where the repositories come from: a URL or a path with {repository} in it.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import catalogue

ORIGIN = "https://github.com/{repository}"
BESIDE = ("README*", "LICENSE*", "LICENCE*")  # what is kept of a repository's top


def folders_of(sources: list[catalogue.Source]) -> dict[tuple[str, str], list[str]]:
    """Folders, tables and lists wanted of each repository and commit."""
    wanted: dict[tuple[str, str], list[str]] = {}
    for source in sources:
        paths = wanted.setdefault((source.repository, source.commit), [])
        paths += [f"/{p}" for p in (source.folder, source.table) if p and f"/{p}" not in paths]
        listed = catalogue.list_of(source)
        if listed is not None:
            wanted.setdefault(listed[:2], []).append(f"/{listed[2]}")
    return wanted


def git(clone: Path, *words: str) -> None:
    """One git command in a clone; raises CalledProcessError with git's words on the terminal."""
    subprocess.run(["git", "-C", str(clone), *words], check=True)


def bring(clone: Path, origin: str, commit: str, paths: list[str]) -> None:
    """Checks out these paths of one commit, without history and without other files' contents."""
    clone.mkdir(parents=True, exist_ok=True)
    git(clone, "init", "-q")
    # By name: contents that are left out now are asked of the remote at the checkout.
    git(clone, "config", "remote.origin.url", origin)
    git(clone, "sparse-checkout", "set", "--no-cone", *paths, *(f"/{b}" for b in BESIDE))
    git(clone, "fetch", "-q", "--depth", "1", "--filter=blob:none", "origin", commit)
    git(clone, "checkout", "-q", "--detach", commit)


def main() -> None:
    """Reads the command line; brings what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="origin", default=ORIGIN, help=f"default: {ORIGIN}")
    options = parser.parse_args()
    sources = catalogue.read_catalogue()
    for (repository, commit), paths in folders_of(sources).items():
        clone = catalogue.clones_folder() / repository
        if all((clone / path.lstrip("/")).exists() for path in paths):
            print(f"{repository}: there already")
            continue
        bring(clone, options.origin.format(repository=repository), commit, paths)
        print(f"{repository}: {commit[:12]}", flush=True)


if __name__ == "__main__":
    main()
