"""Plots of a document of `nssbg bench` as inline SVG, drawn from its figures alone.

In: results. Out: an <svg> element each, or "" where there is nothing to draw. Colours come from
the page's style by class, so that a plot is readable on light and dark ground alike.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from nssbg.bench.tables import number

__all__ = ["memory", "roofline", "scaling", "stage_stack", "throughput"]

Result = Mapping[str, Any]

_WIDTH = 760
_ROW = 24
_LABELS = 300
_COLORS = 10  # classes c0 to c9 of the page's style


def _svg(height: float, parts: Sequence[str], title: str) -> str:
    shown = html.escape(title)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{shown}">'
        f"<title>{shown}</title>{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{html.escape(words)}</text>'
    )


def _rect(x: float, y: float, width: float, height: float, color: int, title: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}" '
        f'class="c{color % _COLORS}"><title>{html.escape(title)}</title></rect>'
    )


def _line(x0: float, y0: float, x1: float, y1: float, kind: str) -> str:
    return f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" class="{kind}"/>'


def _legend(names: Sequence[str], y: float) -> tuple[list[str], float]:
    """Colours and names in rows from y on; the parts and where they end."""
    parts: list[str] = []
    x = 0.0
    for index, name in enumerate(names):
        width = 26 + 7.2 * len(name)
        if x + width > _WIDTH:
            x, y = 0.0, y + 20
        parts.append(_rect(x, y, 12, 12, index, name))
        parts.append(_text(x + 17, y + 11, name))
        x += width + 10
    return parts, y + 24


def _way(one: Result) -> str:
    asked = one["asked"]
    return f"{one['model']}, {asked['backend']} {asked['device']} {asked['precision']}"


def _threads(one: Result) -> str:
    count = one["asked"]["threads"]
    return "1 thread" if count == 1 else f"{count} threads"


def _usable(results: Sequence[Result]) -> list[Result]:
    return [one for one in results if one["statistics"] is not None]


def _nice(value: float) -> float:
    """The next of 1, 2, 5, 10, ... at or above a value."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))


def stage_stack(results: Sequence[Result]) -> str:
    """Milliseconds of each stage, one bar a size and way."""
    rows = [one for one in _usable(results) if one["scope"] == "stages" and one["stages"]]
    if not rows:
        return ""
    names = [
        name
        for name in dict.fromkeys(part["stage"] for one in rows for part in one["stages"])
        if name != "compose"  # measured beside, no part of the whole
    ]
    parts, y = _legend(names, 4)
    totals = [
        sum(part["ms"] for part in one["stages"] if part["stage"] != "compose") for one in rows
    ]
    # One scale a size: 48 MP would make a line of 1 MP.
    for size in dict.fromkeys(one["size"] for one in rows):
        group = [(one, total) for one, total in zip(rows, totals, strict=True)]
        group = [(one, total) for one, total in group if one["size"] == size]
        scale = (_WIDTH - _LABELS - 80) / max(total for _, total in group)
        parts.append(_text(0, y + 14, str(size), "strong"))
        y += 22
        for one, total in group:
            parts.append(_text(_LABELS - 8, y + 14, _way(one), anchor="end"))
            x = float(_LABELS)
            for part in one["stages"]:
                if part["stage"] not in names:
                    continue
                width = part["ms"] * scale
                title = f"{part['stage']}: {number(part['ms'])} ms"
                parts.append(_rect(x, y + 2, width, 16, names.index(part["stage"]), title))
                x += width
            parts.append(_text(x + 6, y + 14, f"{number(total)} ms"))
            y += _ROW
        y += 8
    return _svg(y, parts, "Milliseconds of each stage")


def throughput(results: Sequence[Result]) -> str:
    """Pictures a second, one bar a way, one colour a device; its interval as a line."""
    rows = [one for one in _usable(results) if one["scenario"] == "batch"]
    rows = rows or [
        one for one in _usable(results) if one["scenario"] == "single" and one["scope"] == "network"
    ]
    if not rows:
        return ""
    devices = list(
        dict.fromkeys(f"{one['asked']['backend']} {one['asked']['device']}" for one in rows)
    )
    parts, y = _legend(devices, 4)
    for kind in dict.fromkeys((one["scope"], one["size"]) for one in rows):
        group = [one for one in rows if (one["scope"], one["size"]) == kind]
        scale = (_WIDTH - _LABELS - 90) / max(_highest(one) for one in group)
        parts.append(_text(0, y + 14, " ".join(filter(None, kind)), "strong"))
        y += 22
        for one in group:
            device = f"{one['asked']['backend']} {one['asked']['device']}"
            rate = one["pictures_per_second"]
            parts.append(_text(_LABELS - 8, y + 14, _way(one), anchor="end"))
            title = f"{number(rate)} pictures a second"
            parts.append(_rect(_LABELS, y + 2, rate * scale, 16, devices.index(device), title))
            interval = one["statistics"]["interval_ms"]
            end = rate
            if interval is not None:
                low, high = 1e3 / interval[1], 1e3 / interval[0]
                parts.append(
                    _line(_LABELS + low * scale, y + 10, _LABELS + high * scale, y + 10, "range")
                )
                end = max(rate, high)
            parts.append(_text(_LABELS + end * scale + 6, y + 14, f"{number(rate)}/s"))
            y += _ROW
        y += 8
    return _svg(y, parts, "Pictures a second")


def _highest(one: Result) -> float:
    interval = one["statistics"]["interval_ms"]
    rate = float(one["pictures_per_second"])
    return rate if interval is None else max(rate, 1e3 / interval[0])


def _shown(tick: float) -> str:
    """A tick in three digits and no exponent."""
    return f"{tick:.0f}" if tick >= 100 else f"{tick:.3g}"


def _axes(
    width: float, height: float, ticks_x: Sequence[float], ticks_y: Sequence[float], place: Any
) -> list[str]:
    left, top = 70, 10
    parts = [
        _line(left, top, left, top + height, "axis"),
        _line(left, top + height, left + width, top + height, "axis"),
    ]
    for tick in ticks_x:
        x, _ = place(tick, ticks_y[0])
        parts.append(_line(x, top + height, x, top + height + 4, "axis"))
        parts.append(_text(x, top + height + 18, _shown(tick), anchor="middle"))
    for tick in ticks_y:
        _, y = place(ticks_x[0], tick)
        parts.append(_line(left, y, left + width, y, "grid"))
        parts.append(_text(left - 6, y + 4, _shown(tick), anchor="end"))
    return parts


def _series(
    lines: Mapping[str, Sequence[tuple[float, float]]],
    title: str,
    x_words: str,
    y_words: str,
    *,
    ideal: bool = False,
) -> str:
    """Lines over a common x; nothing where no line has two points."""
    lines = {name: sorted(points) for name, points in lines.items() if len(points) > 1}
    if not lines:
        return ""
    width, height = _WIDTH - 100.0, 260.0
    xs = sorted({x for points in lines.values() for x, _ in points})
    most_x = max(xs)
    most_y = _nice(max(y for points in lines.values() for _, y in points))

    def place(x: float, y: float) -> tuple[float, float]:
        return 70 + x / most_x * width, 10 + height - y / most_y * height

    parts = _axes(width, height, xs, [most_y * part / 4 for part in range(5)], place)
    if ideal:
        least = min(xs)
        parts.append(_line(*place(least, least), *place(most_x, min(most_x, most_y)), "ideal"))
    for index, (name, points) in enumerate(lines.items()):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        parts.append(f'<polyline points="{path}" class="l{index % _COLORS}"/>')
        for x, y in points:
            px, py = place(x, y)
            shown = html.escape(f"{name}: {y:.3g} at {x:g}")
            parts.append(
                f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4" class="c{index % _COLORS}">'
                f"<title>{shown}</title></circle>"
            )
    parts.append(_text(70 + width, height + 46, x_words, anchor="end"))
    parts.append(_text(76, 22, y_words))
    legend, end = _legend(list(lines), height + 56)
    return _svg(end, [*parts, *legend], title)


def scaling(results: Sequence[Result]) -> str:
    """How many times as fast more threads are as the fewest, the dashed line being ideal."""
    groups: dict[str, list[tuple[float, float]]] = {}
    for one in _usable(results):
        if one["scope"] == "network" and one["scenario"] == "single":
            groups.setdefault(_way(one), []).append(
                (one["asked"]["threads"], one["statistics"]["p50_ms"])
            )
    lines = {}
    for name, points in groups.items():
        fewest, slowest = min(points)
        lines[name] = [(count, fewest * slowest / spent) for count, spent in points]
    return _series(lines, "Scaling over threads", "threads", "times as fast", ideal=True)


def memory(results: Sequence[Result], megapixels: Mapping[str, float]) -> str:
    """Peak memory of the process over the pictures' size."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for one in _usable(results):
        if one["scope"] == "picture" and one["size"] in megapixels and one["peak_host_bytes"]:
            if one["scenario"] == "cold":
                continue
            name = f"{_way(one)}, {one['scenario']}"
            lines.setdefault(name, []).append(
                (megapixels[one["size"]], one["peak_host_bytes"] / 1e6)
            )
    return _series(lines, "Peak memory over the pictures' size", "megapixels", "MB")


def roofline(results: Sequence[Result], peaks: Mapping[str, Any]) -> str:
    """Operations a second over operations a byte, both logarithmic, under the machine's roofs."""
    points = [
        (one, one["floor"]["operations"] / one["floor"]["bytes"])
        for one in _usable(results)
        if one["scope"] == "network" and one["floor"] is not None and one["floor"]["operations"] > 0
    ]
    if not points:
        return ""
    bandwidth = peaks["read_bytes"]
    roofs = peaks["operations"]
    rates = [one["floor"]["operations"] / one["statistics"]["p50_ms"] * 1e3 for one, _ in points]
    width, height = _WIDTH - 100.0, 300.0
    low_x = math.floor(math.log10(min(min(x for _, x in points), *_ridges(roofs, bandwidth)))) - 0.3
    high_x = math.ceil(math.log10(max(x for _, x in points))) + 0.3
    low_y = math.floor(math.log10(min(rates) / 1e9))
    high_y = math.ceil(math.log10(max(roofs.values()) / 1e9) + 0.1)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - low_x) / (high_x - low_x)
        up = (math.log10(y) - low_y) / (high_y - low_y)
        return 70 + across * width, 10 + height - up * height

    ticks_x = [10.0**power for power in range(math.ceil(low_x), math.floor(high_x) + 1)]
    ticks_y = [10.0**power for power in range(low_y, high_y + 1)]
    parts = _axes(width, height, ticks_x, ticks_y, place)
    for index, (name, reached) in enumerate(roofs.items()):
        ridge = reached / bandwidth
        start = max(10**low_x, 10**low_y * 1e9 / bandwidth)
        parts.append(
            _line(*place(start, start * bandwidth / 1e9), *place(ridge, reached / 1e9), "roof")
        )
        parts.append(_line(*place(ridge, reached / 1e9), *place(10**high_x, reached / 1e9), "roof"))
        # Side by side: two precisions may reach nearly the same.
        x, y = place(10**high_x, reached / 1e9)
        words = f"{name} {reached / 1e9:.0f} GOP/s"
        parts.append(_text(x - 150 * index, max(y - 5, 22), words, anchor="end"))
    names = [f"{_way(one)}, {one['scenario']}, {_threads(one)}" for one, _ in points]
    for index, ((_, intensity), rate) in enumerate(zip(points, rates, strict=True)):
        x, y = place(intensity, rate / 1e9)
        shown = html.escape(f"{names[index]}: {rate / 1e9:.0f} GOP/s")
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" class="c{index % _COLORS}">'
            f"<title>{shown}</title></circle>"
        )
    parts.append(_text(70 + width, height + 46, "operations a byte", anchor="end"))
    parts.append(_text(76, 22, "GOP/s"))
    legend, end = _legend(names, height + 56)
    return _svg(end, [*parts, *legend], "Roofline of each network")


def _ridges(roofs: Mapping[str, float], bandwidth: float) -> list[float]:
    return [reached / bandwidth for reached in roofs.values()]
