"""Numbers of the server in Prometheus's text format."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from nssbg import __version__
from nssbg._http.front_door import Access
from nssbg._memory import read_system_file

if TYPE_CHECKING:
    from nssbg._cutout import Report

__all__ = ["Metrics"]

# Upper bounds of the buckets of a request's time, in seconds.
_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
Row = tuple[str, float]


class Metrics:
    """Counts what comes and goes.

    Args:
        gauges: Name -> help and what gives the value now.
    """

    def __init__(self, gauges: dict[str, tuple[str, Callable[[], float]]]) -> None:
        self._gauges = gauges
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: Counter[tuple[str, float]] = Counter()
        self._seconds: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._images: Counter[str] = Counter()
        self._stages: Counter[str] = Counter()
        self._pixels = 0
        self._started = time.time()

    def request(self, access: Access) -> None:
        """A request has ended."""
        with self._lock:
            self._requests[access.route, access.status] += 1
            for bound in _BUCKETS:
                if access.seconds <= bound:
                    self._buckets[access.route, bound] += 1
            # Counter's type says int; it adds whatever numbers it is given.
            self._seconds[access.route] += access.seconds  # type: ignore[assignment]
            self._bytes["in"] += access.bytes_in
            self._bytes["out"] += access.bytes_out
            if access.kind:
                self._errors[access.kind] += 1

    def cut_out(self, report: Report) -> None:
        """A picture was cut out."""
        with self._lock:
            self._images[report.plan.model] += 1
            self._pixels += report.width * report.height
            for stage, milliseconds in report.timings.stages.items():
                self._stages[stage] += milliseconds / 1000  # type: ignore[assignment]

    def text(self) -> str:
        """Everything, in Prometheus's text format."""
        with self._lock:
            requests, buckets = dict(self._requests), dict(self._buckets)
            seconds, errors = dict(self._seconds), dict(self._errors)
            sizes, images, stages = dict(self._bytes), dict(self._images), dict(self._stages)
            pixels = self._pixels
        lines: list[str] = []

        def metric(name: str, kind: str, help: str, rows: Iterable[Row]) -> None:
            lines.append(f"# HELP {name} {help}")
            lines.append(f"# TYPE {name} {kind}")
            lines.extend(f"{name}{labels} {value:.15g}" for labels, value in rows)

        metric("nssbg_build_info", "gauge", "Always 1.", [(_labels(version=__version__), 1)])
        metric(
            "nssbg_http_requests_total",
            "counter",
            "Requests that ended, by route and status.",
            [(_labels(route=route, status=str(status)), count)
             for (route, status), count in sorted(requests.items())],
        )  # fmt: skip
        name = "nssbg_http_request_seconds"
        lines += [f"# HELP {name} Time of requests, by route.", f"# TYPE {name} histogram"]
        for route in sorted(seconds):
            count = sum(n for (one, _), n in requests.items() if one == route)
            for bound in _BUCKETS:
                labels = _labels(route=route, le=f"{bound:g}")
                lines.append(f"{name}_bucket{labels} {buckets.get((route, bound), 0)}")
            lines.append(f"{name}_bucket{_labels(route=route, le='+Inf')} {count}")
            lines.append(f"{name}_sum{_labels(route=route)} {seconds[route]:.15g}")
            lines.append(f"{name}_count{_labels(route=route)} {count}")
        metric(
            "nssbg_http_errors_total",
            "counter",
            "Requests without a result, by what went wrong.",
            [(_labels(kind=kind), count) for kind, count in sorted(errors.items())],
        )
        metric(
            "nssbg_http_bytes_total",
            "counter",
            "Bytes of bodies.",
            [(_labels(direction=way), count) for way, count in sorted(sizes.items())],
        )
        metric(
            "nssbg_images_total",
            "counter",
            "Pictures cut out, by model.",
            [(_labels(model=model), count) for model, count in sorted(images.items())],
        )
        metric("nssbg_pixels_total", "counter", "Pixels of these.", [("", pixels)])
        metric(
            "nssbg_stage_seconds_total",
            "counter",
            "Time in the stages of pictures.",
            [(_labels(stage=stage), value) for stage, value in sorted(stages.items())],
        )
        for gauge, (help, value) in self._gauges.items():
            metric(f"nssbg_{gauge}", "gauge", help, [("", value())])
        metric(
            "process_start_time_seconds", "gauge", "Unix time of the start.", [("", self._started)]
        )
        metric(
            "process_cpu_seconds_total", "counter", "Processor time.", [("", time.process_time())]
        )
        resident = resident_bytes()
        if resident is not None:
            metric("process_resident_memory_bytes", "gauge", "Resident memory.", [("", resident)])
        return "\n".join(lines) + "\n"


def resident_bytes() -> int | None:
    """Resident memory of this process; None where the system does not tell."""
    fields = read_system_file("/proc/self/statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else None


def _labels(**labels: str) -> str:
    told = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + ",".join(told) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
