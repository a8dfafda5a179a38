"""`nssbg profiles [NAME]`: the profiles that outputs are made and checked by."""

from __future__ import annotations

import argparse
import json
from typing import Any

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> None:
    """Register the sub-command."""
    parser = subparsers.add_parser(
        "profiles",
        help="list profiles, or show one as TOML with its sources",
        description="Without a name: every profile of this package. With one: its TOML, whose "
        "comments name the marketplace's rule behind each line; a start for a file of your own.",
    )
    parser.add_argument("name", nargs="?", help="a profile's name, or a TOML file to check")
    parser.add_argument("--json", action="store_true", help="machine-readable")


def run(arguments: argparse.Namespace) -> int:
    """List the profiles or show one."""
    from nssbg.batch.profile import list_profiles, load_profile, profile_path

    if arguments.name is None:
        profiles = list_profiles()
        if arguments.json:
            print(json.dumps([profile.as_dict() for profile in profiles], indent=1))
            return 0
        width = max(len(profile.name) for profile in profiles)
        for profile in profiles:
            print(f"{profile.name.ljust(width)}  {profile.summary} (as of {profile.as_of})")
        return 0
    profile = load_profile(arguments.name)
    if arguments.json:
        print(json.dumps({**profile.as_dict(), "fingerprint": profile.fingerprint}, indent=1))
    else:
        print(profile_path(arguments.name).read_text(encoding="utf-8"), end="")
    return 0
