"""What bench.peers writes, from hand-made timings: who is behind, the tables and the plots."""

from __future__ import annotations

import argparse
import xml.etree.ElementTree as ElementTree

import pytest

from bench import peer_pages
from bench.peers import Task, behind
from bench.timing import Timing, Timings, interleaved, spent, table


def task(**values):
    times = {"nssbg": 10.0, "fast peer": 8.0, "slow peer": 30.0}
    timings = tuple(
        Timing(name, tuple(wall + 0.01 * n for n in range(7)), 10.0 / wall, (wall,) * 7)
        for name, wall in times.items()
    )
    absent = {"gone": "not installed: No module named 'gone'"}
    return Task("encode", "What it is.", Timings("t", timings, {}), "MB", values, absent)


def test_a_peer_that_is_faster_or_better_is_named():
    lines = behind([task(**{"nssbg": 5.0, "fast peer": 6.0, "slow peer": 4.0})])
    assert len(lines) == 2
    assert lines[0].startswith("encode: fast peer takes 8.00 ms of processor")
    assert "6 MB against 5" in lines[0]
    assert lines[1] == "encode: slow peer has 4 MB, nssbg's best 5"
    assert behind([task(**{"nssbg": 4.0, "fast peer": 6.0, "slow peer": 4.0})])[1:] == []


def test_the_page_keeps_what_is_not_of_the_peers(tmp_path, monkeypatch):
    (tmp_path / "pictures").mkdir()
    page = tmp_path / "benchmarks.md"
    page.write_text(f"before\n{peer_pages.BEGIN}\nold\n{peer_pages.END}\nafter\n")
    monkeypatch.setattr(peer_pages, "DOCS", tmp_path)
    found = task(**{"nssbg": 5.0, "fast peer": 6.0, "slow peer": 4.0, "untimed": 1.0})
    options = argparse.Namespace(megapixels=4.0, scenes=["small"], rounds=7, threads=2)
    for _ in range(2):
        written = peer_pages.write_pages([found], ["a line"], "2026-11-24", "v 1", options)
    assert [path.name for path in written] == ["benchmarks.md", "peers-encode.svg"]
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert text.count(peer_pages.BEGIN) == 1
    # What speaks against nssbg stands before the tables.
    assert text.index("keep in mind") < text.index("- a line") < text.index("| fast peer")
    assert "gone is left out: not installed" in text
    assert "| untimed" in text
    svg = ElementTree.fromstring((tmp_path / "pictures" / "peers-encode.svg").read_text())
    bars = [float(bar.get("width")) for bar in svg.iter("{http://www.w3.org/2000/svg}rect")]
    assert bars[1] < bars[0] < bars[2]
    page.write_text("no marks")
    with pytest.raises(SystemExit, match="lacks the lines"):
        peer_pages.write_pages([found], [], "", "", options)


def test_interleaved_takes_turns_and_tells_wall_and_processor_time(capsys):
    order = []
    timings = interleaved(
        {"a": lambda: order.append("a"), "b": lambda: order.append("b")}, runs=3, warmup=1
    )
    assert order == ["a", "b", "b", "a", "a", "b", "b", "a"]
    assert [len(t.samples) for t in timings.timings] == [3, 3]
    assert [len(t.processor) for t in timings.timings] == [3, 3]
    assert "CPU ms" in capsys.readouterr().out
    assert spent(lambda: 5).result == 5


def test_a_table_lines_up():
    lines = table(["name", "ms"], [["a long one", "1"], ["b", "1000"]]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1] == "| ---------- | ---: |"
