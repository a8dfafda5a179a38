"""`nssbg bench` as a user runs it: a quick run whose document, tables and page are checked by
their form, never by their times."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import jsonschema
import pytest

from nssbg import _io as image_io
from nssbg._installed import RUNTIMES, installed
from nssbg.bench.document import schema_text
from nssbg.bench.page import as_html
from nssbg.bench.pictures import draw
from nssbg.bench.tables import as_csv, as_jsonl, as_markdown, as_sql
from nssbg.cli.main import main

RUNTIME = next(name for name in RUNTIMES if installed(name))
QUICK = ("--quick", "-r", "1", "--warmup", "0", "--duration", "0.01")


def command(*words, home, **more):
    return subprocess.run(
        [sys.executable, "-m", "nssbg.cli.main", "bench", *words],
        env={**os.environ, "NSSBG_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **more,
    )


def measured(folder, *words):
    """A quick run of every scenario: its process, folder and document."""
    done = command(
        *(*QUICK, *words, "--size", "0.05MP,0.1MP", "--scenario", "single,batch,cold"),
        *("-p", "float32", "--to", str(folder / "out")),
        home=folder / "home",
    )
    assert done.returncode == 0, done.stderr
    return done, folder, json.loads((folder / "out" / "bench.json").read_text())


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A network alone, and its stages."""
    words = ("-m", "nssbg-lite", "-b", RUNTIME, "--scope", "network,stages")
    return measured(tmp_path_factory.mktemp("network"), *words)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """From file to file, by the method whose processes start soonest."""
    return measured(tmp_path_factory.mktemp("files"), "-m", "studio", "--scope", "picture")


def strict(schema):
    """The schema with nothing allowed that it does not describe."""
    if isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            strict(value)
    elif isinstance(schema, list):
        for value in schema:
            strict(value)
    return schema


def test_the_documents_are_what_their_schema_says_and_nothing_else(quick, files):
    schema = json.loads(schema_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(strict(schema))
    problems = [
        f"{list(error.absolute_path)}: {error.message[:200]}"
        for _, _, document in (quick, files)
        for error in validator.iter_errors(document)
    ]
    assert not problems


def test_the_schema_sees_what_is_wrong(quick):
    _, _, document = quick
    validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
    for spoil in (
        lambda data: data.pop("machine"),
        lambda data: data.update(schema="nssbg.bench/2"),
        lambda data: data["results"][0]["samples_ms"][0].append(-1.0),
        lambda data: data["results"][0]["asked"].update(precision="float64"),
        lambda data: data["results"][0].update(problem=None),
    ):
        spoiled = json.loads(json.dumps(document))
        spoil(spoiled)
        assert not validator.is_valid(spoiled)


def test_every_combination_was_measured_and_what_ran_is_what_was_asked(quick, files):
    results = [one for _, _, document in (quick, files) for one in document["results"]]
    assert [one["id"] for one in results if one["problem"]] == []
    assert all(one["ran"] == one["asked"] for one in results)
    assert len({one["id"] for one in results}) == len(results)
    kinds = {(one["scope"], one["scenario"], one["size"]) for one in results}
    sizes = ("0.05MP", "0.1MP")
    assert len(kinds) == len(results)
    assert kinds == {
        *(("network", scenario, None) for scenario in ("single", "batch", "cold")),
        *(("stages", "single", size) for size in sizes),
        *(("picture", scenario, size) for scenario in ("single", "batch") for size in sizes),
        ("picture", "cold", "0.05MP"),  # the start does not grow with the picture
    }


def test_without_names_every_runtime_and_the_studio_method_are_measured(tmp_path):
    done = command(*QUICK, "--size", "0.05", "--scope", "stages", "-o", "json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    measured = {(one["model"], one["asked"]["backend"]) for one in document["results"]}
    assert measured == {
        ("studio", "core"),
        *(("nssbg-lite", one["name"]) for one in document["runtimes"] if one["installed"]),
    }
    (studio,) = [one for one in document["results"] if one["model"] == "studio"]
    assert "studio" in [row["stage"] for row in studio["stages"]]


def test_each_kind_of_result_has_its_figures(quick, files):
    results = [one for _, _, document in (quick, files) for one in document["results"]]
    for one in results:
        assert one["statistics"]["runs"] == sum(len(turn) for turn in one["samples_ms"])
        assert len(one["yardstick_ms"]) == len(one["samples_ms"])
        assert one["noisy"], "one round cannot have an interval"
        if one["scenario"] == "cold":
            assert {"process", "open", "open compiled"} <= set(one["load_ms"])
        if one["scope"] == "network":
            assert one["quality"]["max_error"] < 0.01  # all of it float32
        if one["scope"] == "network" and one["scenario"] != "cold":
            assert one["floor"] is None or one["floor"]["percent"] > 0
        if one["scope"] == "stages":
            stages = [row["stage"] for row in one["stages"]]
            wanted = {"decode", "foreground", "encode", "compose"}
            assert wanted | {"segment", "refine"} <= set(stages)
    if sys.platform.startswith("linux"):
        assert all(one["peak_host_bytes"] > one["base_host_bytes"] for one in results)


def test_no_plan_is_written_and_nothing_is_left_of_it(quick):
    _, folder, _ = quick
    left = sorted(p.name for p in (folder / "home").rglob("*") if p.is_file())
    assert "plans.json" not in left
    assert [name for name in left if name.endswith((".blob", ".ort"))] == []


def test_the_tables_hold_every_result(quick):
    done, folder, document = quick
    results = document["results"]
    assert done.stdout == (folder / "out" / "bench.md").read_text()
    rows = list(csv.DictReader(io.StringIO(as_csv(document))))
    assert [row["id"] for row in rows] == [one["id"] for one in results]
    assert float(rows[0]["p50_ms"]) == results[0]["statistics"]["p50_ms"]
    lines = [json.loads(line) for line in as_jsonl(document).splitlines()]
    assert [line["id"] for line in lines] == [row["id"] for row in rows]
    base = sqlite3.connect(":memory:")
    base.executescript(as_sql(document))
    base.executescript(as_sql(document))  # rows of several runs go into one table
    (count, least) = base.execute("select count(*), min(p50_ms) from nssbg_bench").fetchone()
    assert (count, least > 0) == (2 * len(results), True)
    base.close()
    text = as_markdown(document)
    for one in document["absent"]:
        assert one["reason"] in text


def test_a_name_with_quotes_does_no_harm_to_tables_and_page(quick):
    _, _, document = quick
    hostile = json.loads(json.dumps(document))
    hostile["results"][0]["model"] = "a'b\"|<script>x</script>"
    base = sqlite3.connect(":memory:")
    base.executescript(as_sql(hostile))
    assert base.execute("select model from nssbg_bench limit 1").fetchone()[0].startswith("a'b")
    base.close()
    assert "<script" not in as_html(hostile)


def test_the_page_loads_nothing_and_its_plots_are_well_formed(quick, files):
    plots = []
    for _, folder, document in (quick, files):
        page = (folder / "out" / "bench.html").read_text()
        assert "default-src 'none'" in page
        assert not re.search(r"(src|href)=|url\(|@import|<script", page)
        # Threads were not varied: no plot of them.
        assert "Scaling over threads" not in page
        rows = page.count("<tr") - page.count("<thead>") - len(document["absent"])
        assert rows == len(document["results"])
        plots += [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.S)]
    assert {svg.get("aria-label") for svg in plots} >= {
        "Milliseconds of each stage",
        "Pictures a second",
        "Peak memory over the pictures' size",
    }
    for svg in plots:
        width, height = map(float, svg.get("viewBox").split()[2:])
        for part in svg.iter("rect"):
            assert 0 <= float(part.get("x")) <= float(part.get("x")) + float(part.get("width"))
            assert float(part.get("x")) + float(part.get("width")) <= width
            assert float(part.get("y")) <= height


def test_comparing_a_run_with_itself_tells_no_change_and_one_that_got_slower_fails(
    quick, tmp_path, capsys
):
    _, folder, document = quick
    path = folder / "out" / "bench.json"
    assert main(["bench", "compare", str(path), str(path), "--fail-over", "5%"]) == 0
    assert "too few rounds" in capsys.readouterr().out
    many = json.loads(json.dumps(document))
    for one in many["results"]:
        middle = one["statistics"]["p50_ms"]
        one["samples_ms"] = [[middle * (1 + 0.001 * turn)] for turn in range(12)]
        one["yardstick_ms"] = [1.0 + 0.001 * (turn % 3) for turn in range(12)]
    (tmp_path / "a.json").write_text(json.dumps(many))
    slow = many["results"][0]
    slow["samples_ms"] = [[1.2 * time for time in turn] for turn in slow["samples_ms"]]
    (tmp_path / "b.json").write_text(json.dumps(many))
    files = [str(tmp_path / name) for name in ("a.json", "b.json")]
    assert main(["bench", "compare", *files]) == 0
    assert "slower" in capsys.readouterr().out
    assert main(["bench", "compare", *files, "--fail-over", "5%"]) == 1
    assert "20.0 % slower, 5% was allowed" in capsys.readouterr().err
    assert main(["bench", "compare", *files, "--fail-over", "30"]) == 0
    assert main(["bench", "compare", *files[::-1], "--fail-over", "5%"]) == 0
    capsys.readouterr()
    assert main(["bench", "compare", *files, "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["changes"][0]["verdict"] == "slower"
    assert told["error_rate"] == 0.01


def test_what_is_named_and_absent_is_measured_around_and_ends_with_its_exit_code(tmp_path):
    done = command(
        *QUICK,
        *("-m", "nssbg-lite", "-b", "onnxruntime", "-d", "cpu,rocm", "--scope", "network"),
        *("-p", "float32", "-o", "json"),
        home=tmp_path,
    )
    assert done.returncode == 7
    assert "onnxruntime rocm was asked for and is not there" in done.stderr
    document = json.loads(done.stdout)
    assert [one["asked"]["device"] for one in document["results"]] == ["cpu"]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["-m", "nothing-of-that-name"], "nothing-of-that-name"),
        (["--size", "large"], "megapixels"),
        (["-t", "two"], "threads"),
        (["--scope", "all"], "scope"),
        (["a.jpg", "--size", "1"], "--size"),
        (["--fail-over", "5%"], "compare"),
        (["compare", "a.json"], "two files"),
        (["compare", "a.json", "b.json", "-o", "csv"], "md or json"),
        (["compare", "a.json", "b.json", "--fail-over", "much"], "percentage"),
        (["no-such.jpg", "--quick", "-m", "studio", "--scope", "stages"], "no-such.jpg"),
    ],
)
def test_wrong_use_is_one_line(words, what, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text("{}")
    assert main(["bench", *words]) != 0
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("nssbg: ")
    assert what in error


def test_given_pictures_are_one_set_even_where_their_names_are_equal(tmp_path):
    files = []
    for scene in ("product", "small"):
        files.append(tmp_path / scene / "photo.jpg")
        files[-1].parent.mkdir()
        files[-1].write_bytes(image_io.encode(draw(scene, 120, 160), format="jpeg"))
    words = [*QUICK, *map(str, files), "-m", "studio", "--scope", "stages", "-o", "json"]
    done = command(*words, home=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [one["size"] for one in document["results"]] == ["2 given"]
    items = document["pictures"]["items"]
    assert [item["file_bytes"] for item in items] == [file.stat().st_size for file in files]
    assert document["pictures"]["name"] == "given"


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT for a single process there")
def test_ctrl_c_tells_what_was_measured_so_far(tmp_path):
    words = [*QUICK, "-m", "studio", "--scope", "stages,picture", "--scenario", "single"]
    with subprocess.Popen(
        [sys.executable, "-m", "nssbg.cli.main", "bench", *words, "--size", "0.05", "-o", "json"],
        env={**os.environ, "NSSBG_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stderr:
            if "picture/single" in line:
                process.send_signal(signal.SIGINT)
                break
        told, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    document = json.loads(told)
    assert document["interrupted"] is True
    assert [one["scope"] for one in document["results"]] == ["stages"]
