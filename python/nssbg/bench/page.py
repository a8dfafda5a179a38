"""bench.html: a document of `nssbg bench` as one file that loads nothing: tables and SVG plots.

It has no script; its style is the only one that its content policy lets in, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nssbg.bench import plots
from nssbg.bench.tables import figures

__all__ = ["as_html"]

_HEAD = (
    *("size", "model", "backend", "device", "precision", "threads"),
    *(
        "p50 ms",
        "±",
        "CPU ms",
        "p90",
        "p99",
        "pictures/s",
        "of floor",
        "peak MB",
        "max err/255",
        "remarks",
    ),
)
_NUMBERS = range(5, 15)


def as_html(document: Mapping[str, Any]) -> str:
    """The whole page."""
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    title = f"nssbg bench: {document['machine']['processor']}"
    results = document["results"]
    megapixels = _megapixels(document["pictures"]["items"])
    drawn = (
        ("Stages", plots.stage_stack(results), _STAGES),
        ("Throughput", plots.throughput(results), "The line in a bar is the median's interval."),
        ("Threads", plots.scaling(results), "Dashed: twice the threads, twice as fast."),
        ("Memory", plots.memory(results, megapixels), "Most resident memory of each process."),
        ("Roofline", plots.roofline(results, document["peaks"]), _ROOFLINE),
    )
    body = [f"<h1>{html.escape(title)}</h1>", _facts(document)]
    for heading, plot, note in drawn:
        if plot:
            body.append(f'<h2>{heading}</h2><p class="note">{html.escape(note)}</p>{plot}')
    body += _tables(results)
    body.append(_absent(document["absent"]))
    policy = f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-{digest}'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{style}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _megapixels(items: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Mean megapixels of each size's pictures."""
    found: dict[str, list[float]] = {}
    for item in items:
        found.setdefault(item["size"], []).append(item["height"] * item["width"] / 1e6)
    return {size: sum(values) / len(values) for size, values in found.items()}


_STAGES = (
    "One picture in memory, mean over the set; each size has its own scale. Encode is PNG; a "
    "composite over white is measured beside and not in the bars."
)
_ROOFLINE = (
    "Slope: memory bandwidth; flat: the most operations a second that each precision reached, all "
    "measured in this run. Bytes are weights, picture and map, each once: the least there can be."
)


def _facts(document: Mapping[str, Any]) -> str:
    machine, peaks = document["machine"], document["peaks"]
    commit = document["nssbg"]["commit"]
    quota = machine["cgroup_cpus"]
    reached = ", ".join(f"{k} {v / 1e9:.0f} GOP/s" for k, v in peaks["operations"].items())
    versions = [f"{r['name']} {r['version']}" for r in document["runtimes"] if r["version"]]
    noisy = sum(1 for one in document["results"] if one["noisy"])
    facts = {
        "When": document["created"],
        "nssbg": document["nssbg"]["version"] + (f", commit {commit}" if commit else ""),
        "Command": " ".join(document["command"]),
        "Processor": f"{machine['processor']}, {machine['isa']}, {', '.join(machine['features'])}",
        "Limits": f"{machine['usable_cores']} of {machine['cores']} cores, "
        + (f"cgroup quota {quota:g}, " if quota is not None else "no cgroup quota, ")
        + f"{machine['memory_limit_bytes'] / 1e9:.1f} GB of memory",
        "Clock": f"governor {machine['governor'] or 'not told'}",
        "Virtualisation": machine["virtualization"] or "none seen",
        "Peaks": f"{reached}; memory read {peaks['read_bytes'] / 1e9:.0f} GB/s",
        "Runtimes": ", ".join(versions) or "none",
        "System": f"{machine['system']}, {machine['python']}",
        "Pictures": f"{document['pictures']['name']}, sha256 {document['pictures']['sha256']}",
        "Noise": f"{noisy} of {len(document['results'])} results are marked; the yardstick spread "
        f"by {100 * document['yardstick']['spread']:.1f} %",
        "Energy": machine["energy"],
    }
    rows = "".join(f"<dt>{k}</dt><dd>{html.escape(str(v))}</dd>" for k, v in facts.items())
    return f"<dl>{rows}</dl>"


def _tables(results: Sequence[Mapping[str, Any]]) -> list[str]:
    parts = []
    for kind in dict.fromkeys((one["scope"], one["scenario"]) for one in results):
        rows = [one for one in results if (one["scope"], one["scenario"]) == kind]
        body = "".join(_row(one) for one in rows)
        head = "".join(
            f'<th class="n">{name}</th>' if i in _NUMBERS else f"<th>{name}</th>"
            for i, name in enumerate(_HEAD)
        )
        parts.append(
            f'<h2>{", ".join(kind)}</h2><div class="scroll"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )
    return parts


def _row(one: Mapping[str, Any]) -> str:
    asked = one["asked"]
    threads = str(asked["threads"])
    threads += f" x {asked['streams']}" if asked["streams"] > 1 else ""
    threads += f", batch {asked['batch']}" if asked["batch"] > 1 else ""
    cells = [
        *(one["size"] or "", one["model"], asked["backend"], asked["device"], asked["precision"]),
        threads,
        *figures(one),
    ]
    shown = "".join(
        f'<td class="n">{html.escape(cell)}</td>'
        if i in _NUMBERS
        else f"<td>{html.escape(cell)}</td>"
        for i, cell in enumerate(cells)
    )
    if one["problem"]:
        return f'<tr>{shown}<td class="wide failed">{html.escape(one["problem"])}</td></tr>'
    remarks = html.escape("; ".join([*one["noisy"], *one["fallbacks"]]))
    state = ' class="noisy"' if one["noisy"] else ""
    return f'<tr{state}>{shown}<td class="wide">{remarks}</td></tr>'


def _absent(absent: Sequence[Mapping[str, Any]]) -> str:
    if not absent:
        return ""
    names = ("model", "backend", "device", "precision", "reason", "remedy")
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(one[name] or '-')}</td>" for name in names) + "</tr>"
        for one in absent
    )
    head = "".join(f"<th>{n}</th>" for n in (*names[:4], "why not", "what would bring it"))
    return (
        f'<h2>Absent</h2><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
