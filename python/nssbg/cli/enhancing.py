"""The options that say how a photograph is enhanced on its way, of `remove` and of `batch`."""

from __future__ import annotations

import argparse
from typing import Any, Literal

from nssbg._enhance_options import Enhancement
from nssbg._errors import OptionError
from nssbg._vocabulary import ENHANCE_ORDERS, UPSCALES
from nssbg.cli.enhance import strength

__all__ = ["add_enhance_options", "enhancement_of"]


def add_enhance_options(group: Any, *, with_off: bool = False) -> None:
    """Add them to a group of a parser.

    Args:
        group: The group.
        with_off: Whether "off" may be said, in place of a profile's.
    """
    more = "; off: not at all. In place of the profile's [enhance]" if with_off else ""
    group.add_argument(
        "--enhance",
        choices=(*ENHANCE_ORDERS, "off") if with_off else ENHANCE_ORDERS,
        help="before: enhance the photograph, then cut it out (default where another of these "
        f"options is given); after: cut it out as it is, then enlarge the cut-out{more}",
    )
    group.add_argument("--upscale", type=int, choices=UPSCALES, help="times the sides")
    group.add_argument("--denoise", type=float, help="0 to 1 (default: as the network does)")
    group.add_argument("--deblock", help="0 to 1, or auto: as the file's compression asks for")
    group.add_argument(
        "--enhance-model",
        metavar="MODEL",
        help="name or path; nssbg models list shows those of task image (default: one that comes "
        "with nssbg)",
    )


def enhancement_of(arguments: argparse.Namespace) -> Enhancement | Literal["off"] | None:
    """What the options say together; None: nothing.

    Raises:
        OptionError: They do not go together, or one is not what it must be.
    """
    said = arguments.enhance
    if isinstance(said, dict):  # kept of an earlier run
        return Enhancement(**said)
    given: dict[str, Any] = {
        "upscale": arguments.upscale,
        "denoise": arguments.denoise,
        "deblock": strength(arguments.deblock),
        "model": arguments.enhance_model,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if said == "off":
        if given:
            raise OptionError("--enhance off goes with no other option about enhancing")
        return "off"
    if said is None and not given:
        return None
    return Enhancement(order=said or "before", **given)
