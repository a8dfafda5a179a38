"""A document of `nssbg bench` as text: Markdown for people; CSV, JSON lines and SQL for programs.

The flat forms have one row a result, each with the machine and the version, so that rows of many
machines can be put together.
"""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nssbg.bench.comparison import Comparison

__all__ = [
    "as_csv",
    "as_json",
    "as_jsonl",
    "as_markdown",
    "as_sql",
    "comparison_text",
    "figures",
    "flat_rows",
]

_SQL_TYPES = {int: "INTEGER", float: "REAL", bool: "INTEGER", str: "TEXT"}


def flat_rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row of scalars a result; None where there is no figure."""
    return [_flat(document, one) for one in document["results"]]


def _flat(document: Mapping[str, Any], one: Mapping[str, Any]) -> dict[str, Any]:
    found = one["statistics"] or {}
    floor, quality = one["floor"] or {}, one["quality"] or {}
    low, high = found.get("interval_ms") or (None, None)
    load = one["load_ms"]
    return {
        "created": document["created"],
        "nssbg_version": document["nssbg"]["version"],
        "nssbg_commit": document["nssbg"]["commit"],
        "machine": document["machine"]["fingerprint"],
        "processor": document["machine"]["processor"],
        "id": one["id"],
        "scope": one["scope"],
        "scenario": one["scenario"],
        "model": one["model"],
        "size": one["size"],
        **{name: one["asked"][name] for name in ("backend", "device", "precision")},
        **{name: one["asked"][name] for name in ("threads", "streams", "batch")},
        "runs": found.get("runs"),
        "rounds": found.get("rounds"),
        **{f"{name}_ms": found.get(f"{name}_ms") for name in ("mean", "sd", "minimum")},
        **{f"{name}_ms": found.get(f"{name}_ms") for name in ("p50", "p90", "p99")},
        "cpu_p50_ms": processor_ms(one),
        "interval_low_ms": low,
        "interval_high_ms": high,
        "pictures_per_second": one["pictures_per_second"],
        "first_ms": one["first_ms"],
        "process_ms": load.get("process"),
        "open_ms": load.get("open"),
        "open_compiled_ms": load.get("open compiled"),
        "peak_host_bytes": one["peak_host_bytes"],
        "device_bytes": one["device_bytes"],
        "joules": one["joules"],
        "floor_ms": floor.get("ms"),
        "floor_bound": floor.get("bound"),
        "floor_percent": floor.get("percent"),
        "mean_error": quality.get("mean_error"),
        "max_error": quality.get("max_error"),
        "noisy": "; ".join(one["noisy"]),
        "fallbacks": "; ".join(one["fallbacks"]),
        "problem": one["problem"],
    }


def processor_ms(one: Mapping[str, Any]) -> float | None:
    """Median of the processor time a picture; None where it was not counted.

    On a machine that others use too it says more than wall time.
    """
    times = [time for turn in one["cpu_ms"] for time in turn]
    return statistics.median(times) if times else None


def as_json(document: Mapping[str, Any]) -> str:
    """The document itself."""
    return json.dumps(document, indent=1) + "\n"


def as_jsonl(document: Mapping[str, Any]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(row) + "\n" for row in flat_rows(document))


def as_csv(document: Mapping[str, Any]) -> str:
    """Comma-separated values with a head line, RFC 4180."""
    rows = flat_rows(document)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["id"], lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_sql(document: Mapping[str, Any]) -> str:
    """Statements for SQLite: a table where there is none yet, and its rows."""
    rows = flat_rows(document)
    if not rows:
        return ""
    kinds = dict.fromkeys(rows[0], "TEXT")
    for row in rows:
        for name, value in row.items():
            if value is not None:
                kinds[name] = _SQL_TYPES[type(value)]
    columns = ",\n".join(f"  {name} {kind}" for name, kind in kinds.items())
    lines = [f"CREATE TABLE IF NOT EXISTS nssbg_bench (\n{columns}\n);"]
    for row in rows:
        values = ", ".join(_sql(value) for value in row.values())
        lines.append(f"INSERT INTO nssbg_bench ({', '.join(row)}) VALUES ({values});")
    return "\n".join(lines) + "\n"


def _sql(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, (int, float)):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table whose columns also line up in a terminal; numbers to the right."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    # At least two wide: a rule that aligns to the right takes a dash and a colon.
    widths = [max(2, *map(len, column)) for column in zip(head, *cells, strict=True)]
    left = [
        any(row[i] not in ("", "-") and not row[i].lstrip("+-")[:1].isdigit() for row in cells)
        for i in range(len(head))
    ]

    def line(row: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if to_left else cell.rjust(width)
            for cell, width, to_left in zip(row, widths, left, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    rule = [
        ("-" * width) if to_left else "-" * (width - 1) + ":"
        for width, to_left in zip(widths, left, strict=True)
    ]
    return [line(head), f"| {' | '.join(rule)} |", *map(line, cells)]


def number(value: float | None, unit: float = 1.0) -> str:
    """Three digits that count, or "-" where there is no figure."""
    if value is None:
        return "-"
    scaled = value / unit
    if scaled >= 100:
        return f"{scaled:.0f}"
    return f"{scaled:.1f}" if scaled >= 10 else f"{scaled:.2f}"


def percent(value: float | None) -> str:
    """A percentage with one digit behind the point below ten; "-" where there is none."""
    if value is None:
        return "-"
    return f"{value:.1f} %" if value < 10 else f"{value:.0f} %"


def as_markdown(document: Mapping[str, Any]) -> str:
    """The tables for people: machine, results a kind, stages, what is absent."""
    lines = _head(document)
    kinds = dict.fromkeys((one["scope"], one["scenario"]) for one in document["results"])
    for scope, scenario in kinds:
        chosen = [
            one
            for one in document["results"]
            if (one["scope"], one["scenario"]) == (scope, scenario)
        ]
        lines += ["", f"## {scope}, {scenario}", ""]
        lines += _cold_table(chosen) if scenario == "cold" else _result_table(chosen)
        lines += _remarks(chosen)
    lines += _stage_tables(document["results"])
    lines += _absent_lines(document["absent"])
    return "\n".join(lines) + "\n"


def _head(document: Mapping[str, Any]) -> list[str]:
    machine, peaks = document["machine"], document["peaks"]
    commit = document["nssbg"]["commit"]
    limits = [f"{machine['usable_cores']} of {machine['cores']} cores usable"]
    if machine["cgroup_cpus"] is not None:
        limits.append(f"cgroup quota {machine['cgroup_cpus']:g} processors")
    limits.append(f"{machine['memory_limit_bytes'] / 1e9:.1f} GB of memory")
    limits.append(f"governor {machine['governor'] or 'not told'}")
    limits.append(machine["virtualization"] or "not virtualised, as far as it tells")
    reached = [f"{name} {value / 1e9:.0f}" for name, value in peaks["operations"].items()]
    runtimes = [f"{r['name']} {r['version']}" for r in document["runtimes"] if r["version"]]
    spread = document["yardstick"]["spread"]
    load = "" if machine["load"] is None else f", load before {machine['load']:.2f}"
    pictures = document["pictures"]
    return [
        f"nssbg {document['nssbg']['version']}" + (f" ({commit[:10]})" if commit else ""),
        f"machine   {machine['processor']}, {machine['isa']}; {'; '.join(limits)}",
        f"peaks     {', '.join(reached)} GOP/s; memory read {peaks['read_bytes'] / 1e9:.0f} GB/s, "
        f"copied {peaks['copy_bytes'] / 1e9:.0f} GB/s ({peaks['threads']} threads)",
        f"runtimes  {', '.join(runtimes) or 'none'}; {machine['python']}; {machine['system']}",
        f"pictures  {pictures['name']} {pictures['sha256'][:12]}",
        f"noise     the yardstick spread by {100 * spread:.1f} %{load}",
        f"energy    {machine['energy']}",
    ]


def _how(one: Mapping[str, Any]) -> list[str]:
    asked = one["asked"]
    layout = f"{asked['threads']}"
    if asked["streams"] > 1:
        layout += f" x {asked['streams']} streams"
    if asked["batch"] > 1:
        layout += f", batch {asked['batch']}"
    return [
        one["size"] or "",
        one["model"],
        asked["backend"],
        asked["device"],
        asked["precision"],
        layout,
    ]


_HOW = ("size", "model", "backend", "device", "precision", "threads")


def _mark(one: Mapping[str, Any]) -> str:
    if one["problem"]:
        return "FAILED"
    return "~" if one["noisy"] else ""


def figures(one: Mapping[str, Any]) -> list[str]:
    """A result's figures as every table shows them, in their order.

    p50, half width of its interval, CPU, p90, p99, pictures/s, share of the floor, peak memory in
    MB, and the largest error of 255.
    """
    found, floor, quality = one["statistics"] or {}, one["floor"] or {}, one["quality"]
    width = found.get("half_width")
    return [
        number(found.get("p50_ms")),
        "-" if width is None else f"{100 * width:.1f} %",
        number(processor_ms(one)),
        number(found.get("p90_ms")),
        number(found.get("p99_ms")),
        number(one["pictures_per_second"]),
        percent(floor.get("percent")),
        number(one["peak_host_bytes"], 1e6),
        "-" if quality is None else f"{255 * quality['max_error']:.2f}",
    ]


def _result_table(results: Sequence[Mapping[str, Any]]) -> list[str]:
    joules = any(one["joules"] is not None for one in results)
    device = any(one["device_bytes"] is not None for one in results)
    rows = []
    for one in results:
        found = one["statistics"] or {}
        mean = f"{number(found.get('mean_ms'))} ± {number(found.get('sd_ms'))}"
        told = figures(one)
        row = [*_how(one), *told[:3], mean, *told[3:]]
        row += [number(one["joules"])] if joules else []
        row += [number(one["device_bytes"], 1e6)] if device else []
        rows.append([*row, _mark(one)])
    head = [
        *_HOW,
        "p50 ms",
        "±",
        "CPU ms",
        "mean ± sd",
        "p90",
        "p99",
        "pictures/s",
        "of floor",
        "peak MB",
    ]
    head += ["max err/255", *(["J/picture"] if joules else []), *(["device MB"] if device else [])]
    return _table([*head, ""], rows)


def _cold_table(results: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for one in results:
        found, load = one["statistics"] or {}, one["load_ms"]
        rows.append(
            [
                *_how(one),
                number(found.get("p50_ms")),
                number(load.get("process")),
                number(load.get("open")),
                number(load.get("open compiled")),
                number(one["first_ms"]),
                number(one["peak_host_bytes"], 1e6),
                _mark(one),
            ]
        )
    head = ["start to result ms", "process", "open", "open compiled", "first run", "peak MB", ""]
    return _table([*_HOW, *head], rows)


def _remarks(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why figures are marked, and what failed."""
    lines = [f"FAILED {one['id']}: {one['problem']}" for one in results if one["problem"]]
    noisy = [one for one in results if one["noisy"]]
    if noisy:
        reasons = dict.fromkeys(reason for one in noisy for reason in one["noisy"])
        shown = list(reasons)[:2]
        more = f"; and {len(reasons) - 2} more" if len(reasons) > 2 else ""
        lines.append(f"~ noisy ({len(noisy)} of {len(results)}): {'; '.join(shown)}{more}")
    return ["", *lines] if lines else []


def _stage_tables(results: Sequence[Mapping[str, Any]]) -> list[str]:
    staged = [one for one in results if one["stages"] and one["scope"] == "stages"]
    if not staged:
        return []
    names = dict.fromkeys(row["stage"] for one in staged for row in one["stages"])
    rows = []
    for one in staged:
        found = {row["stage"]: row for row in one["stages"]}
        cells = []
        for name in names:
            row = found.get(name)
            share = ""
            if row is not None and row["percent"] is not None:
                share = f" ({percent(row['percent'])})"
            cells.append("-" if row is None else f"{number(row['ms'])}{share}")
        rows.append([*_how(one), *cells])
    return [
        "",
        "## stages, ms (of floor)",
        "",
        *_table([*_HOW, *names], rows),
        "",
        "compose is a composite over white, measured beside; it is no part of the whole.",
    ]


def _absent_lines(absent: Sequence[Mapping[str, Any]]) -> list[str]:
    if not absent:
        return []
    grouped: dict[tuple[str, str, str, str, str], list[str]] = {}
    for one in absent:
        remedy = one["remedy"].replace(one["model"], "NAME") if one["model"] else one["remedy"]
        key = (one["backend"], one["device"], one["precision"], one["reason"], remedy)
        grouped.setdefault(key, []).append(one["model"])
    rows = [
        [
            *(backend, device or "-", precision or "-"),
            *(", ".join(filter(None, names)) or "all", reason, remedy or "-"),
        ]
        for (backend, device, precision, reason, remedy), names in grouped.items()
    ]
    head = ("backend", "device", "precision", "models", "why not", "what would bring it")
    return ["", "## absent", "", *_table(head, rows)]


def comparison_text(comparison: Comparison) -> str:
    """A comparison as a table and what to know of it."""
    rows = []
    for change in comparison.changes:
        by = 100 * (change.ratio - 1)
        rows.append(
            [
                change.id,
                number(change.before),
                number(change.after),
                f"{by:+.1f} %",
                f"{change.p:.2g}",
                change.verdict,
            ]
        )
    head = ("result", "before ms", "after ms", "change", "p", "verdict")
    lines = [*_table(head, rows), ""]
    lines.append(
        f"A false alarm anywhere among these {len(rows)}: at most "
        f"{100 * comparison.error_rate:g} % likely (rank-sum permutation test of the rounds, on "
        "times and on times over the yardstick, Holm's correction)."
    )
    lines.append(f"The yardstick took {comparison.yardstick_ratio:.3f} times as long.")
    lines += [f"note: {line}" for line in comparison.warnings]
    for names, where in ((comparison.only_before, "first"), (comparison.only_after, "second")):
        if names:
            lines.append(f"only in the {where}: {', '.join(names)}")
    return "\n".join(lines) + "\n"
