"""Enhancement as a step of batches: profiles, options, what is done again, groups, forecasts."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from batch_catalog import catalog, product_bytes
from image_graphs import sidecar_network
from PIL import Image

import nssbg
from nssbg import Enhancement, OptionError
from nssbg._errors import SOME_FAILED
from nssbg.batch.core import cut_rows
from nssbg.batch.profile import OutputSpec, Profile, load_profile
from nssbg.batch.share import Job, Share, Task
from nssbg.batch.status import command_of
from nssbg.batch.store.manifest import open_run
from nssbg.batch.store.objects import open_objects
from nssbg.batch.units import with_overrides
from nssbg.cli.main import main

SIDE = 160  # of the catalog's pictures


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def x2(tmp_path):
    (tmp_path / "models").mkdir()
    return sidecar_network(tmp_path / "models", gain=0.02)


@pytest.fixture
def shop(tmp_path):
    catalog(tmp_path / "in", 3)

    def batch(**options):
        options = {
            "model": "studio", "backend": "onnxruntime", "device": "cpu", "threads": 1,
            "report": False, **options,
        }  # fmt: skip
        return nssbg.Batch(tmp_path / "in", tmp_path / "out", **options)

    return batch


def statuses(batch):
    return [row.status for row in batch]


def profile_file(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(f'{text}\n[[outputs]]\nformat = "png"\n')
    return path


def test_outputs_are_of_the_enhanced_size_and_rows_tell_of_it(shop, x2, tmp_path):
    rows = list(shop(enhance=Enhancement(model=str(x2)), profile="ebay"))
    assert [row.status for row in rows] == ["done"] * 3
    rows = list(shop(enhance=Enhancement(model=str(x2))))
    for row in rows:
        assert (row.out_width, row.out_height) == (2 * SIDE, 2 * SIDE)
        told = row.features["enhanced"]
        assert (told["network"], told["license"], told["order"]) == ("x2", "MIT", "before")
        assert row.timings["enhance"] > 0
    cutout = nssbg.Remover("studio", threads=1).cutout(
        product_bytes(0), enhance=Enhancement(model=str(x2))
    )
    row = next(row for row in rows if row.input.endswith("0000.jpg"))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / row.output)), cutout.rgba)


def test_what_is_done_again_is_what_other_settings_or_weights_change(shop, x2):
    base = Enhancement(model=str(x2))
    assert statuses(shop()) == ["done"] * 3
    assert statuses(shop()) == ["skipped"] * 3
    assert statuses(shop(enhance=base)) == ["done"] * 3
    assert statuses(shop(enhance=base)) == ["skipped"] * 3
    assert statuses(shop(enhance=replace(base, order="after"))) == ["done"] * 3
    assert statuses(shop(enhance=replace(base, upscale=1))) == ["done"] * 3
    assert statuses(shop(enhance=base)) == ["done"] * 3
    # Other weights under the same name, then another sidecar for them.
    sidecar_network(x2.parent, gain=0.02, seed=1)
    assert statuses(shop(enhance=base)) == ["done"] * 3
    assert statuses(shop(enhance=base)) == ["skipped"] * 3
    # Off is what it was before there was anything to enhance.
    assert statuses(shop()) == ["done"] * 3
    assert statuses(shop(enhance="off")) == ["skipped"] * 3


def test_a_profile_says_it_and_the_batch_overrides_it(shop, x2, tmp_path):
    path = profile_file(
        tmp_path, f'[enhance]\nupscale = 2\ndeblock = 0.0\nmodel = "{x2}"\norder = "after"'
    )
    # The network cannot be told how strongly to deblock.
    with pytest.raises(OptionError, match="cannot be told how strongly to deblock"):
        list(shop(profile=path))
    path = profile_file(tmp_path, f'[enhance]\nupscale = 2\nmodel = "{x2}"\norder = "after"')
    said = load_profile(path).enhance
    assert said == Enhancement(upscale=2, model=str(x2), order="after")
    rows = list(shop(profile=path))
    assert {row.out_width for row in rows} == {2 * SIDE}
    assert rows[0].features["enhanced"]["order"] == "after"
    assert {row.out_width for row in shop(profile=path, enhance="off")} == {SIDE}
    other = Enhancement(upscale=1, model=str(x2))
    assert {row.out_width for row in shop(profile=path, enhance=other)} == {SIDE}
    assert with_overrides(load_profile(path)).enhance == said


def test_a_plain_profile_keeps_its_fingerprint():
    """What is done stays done: a profile without [enhance] means what it meant before."""
    record = replace(load_profile("ebay"), enhance=None).as_dict()
    assert record.pop("enhance") is None
    with_it = replace(load_profile("ebay"), enhance=Enhancement())
    assert with_it.fingerprint != load_profile("ebay").fingerprint
    import hashlib

    for words in ("summary", "source", "as_of"):
        record.pop(words)
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    assert load_profile("ebay").fingerprint == digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("upscale = 5", r"mine\.toml: enhance\.upscale"),
        ("denoise = 1.5", r"mine\.toml: enhance\.denoise"),
        ('deblock = "much"', r"mine\.toml: enhance: deblock must be"),
        ("deblock = true", r"mine\.toml: enhance\.deblock"),
        ('order = "during"', r"mine\.toml: enhance\.order.*before.*after"),
        ("sharpen = 1", r"mine\.toml: .*sharpen"),
        ('model = ""', r"mine\.toml: enhance: .*a name or a path"),
    ],
)
def test_a_profile_that_cannot_be_names_file_and_key(tmp_path, text, message):
    with pytest.raises(OptionError, match=message):
        load_profile(profile_file(tmp_path, f"[enhance]\n{text}"))


def test_what_is_wrong_with_the_network_ends_the_run_before_a_picture(shop, tmp_path, x2):
    with pytest.raises(nssbg.ModelError, match="no network that comes with nssbg"):
        list(shop(enhance=Enhancement(upscale=3, denoise=0.5)))
    with pytest.raises(nssbg.ModelError, match="gives an alpha"):
        list(shop(enhance=Enhancement(model="nssbg-lite")))
    assert not list((tmp_path / "out").rglob("*.png"))
    (tmp_path / "free").mkdir()
    unsettled = sidecar_network(tmp_path / "free", commercial=None)
    with pytest.raises(nssbg.LicenseError, match="not settled"):
        list(shop(enhance=Enhancement(model=str(unsettled)), license="commercial"))
    x2.write_bytes(b"no network")
    with pytest.raises(nssbg.ModelError):
        list(shop(enhance=Enhancement(model=str(x2))))
    assert not list((tmp_path / "out").rglob("*.png"))


@pytest.mark.parametrize("order", ["before", "after"])
def test_groups_share_scale_at_the_enhanced_size(shop, x2, tmp_path, order):
    canvas = Profile(
        "canvas",
        (OutputSpec(name="{stem}.png", width=400, height=400, fill=0.9, background="white"),),
        enhance=Enhancement(model=str(x2), order=order),
    )

    def one():
        return shop(profile=canvas, group_by="folder", include=["a/*"])

    catalog(tmp_path / "in", 13)  # so that a folder has two
    rows = list(one())
    assert {row.status for row in rows} == {"done"}
    assert len(rows) > 1
    tall = {}
    for row in rows:
        rows_of, _ = np.nonzero(
            np.asarray(Image.open(tmp_path / "out" / row.output).convert("L")) < 200
        )
        tall[row.input] = int(rows_of.max() - rows_of.min())
    # The largest reaches the fill, as it does without enhancing.
    assert max(tall.values()) >= 0.85 * 400
    assert len(set(tall.values())) > 1  # and one scale for all, so that the others are smaller
    assert statuses(one()) == ["skipped"] * len(rows)
    assert one().forecast().to_do == 0
    # Other boxes, as these are in the pixels of the enhanced picture.
    assert {row.status for row in shop(
        profile=replace(canvas, enhance=None), group_by="folder", include=["a/*"]
    )} == {"done"}  # fmt: skip


def test_a_forecast_counts_what_enhancing_takes(shop, x2, tmp_path):
    plain, large = shop().forecast(), shop(enhance=Enhancement(model=str(x2))).forecast()
    assert large.memory > plain.memory
    assert large.output_bytes > 2 * plain.output_bytes
    assert large.basis == "3 pictures that were tried"
    catalog(tmp_path / "in", 6)
    list(shop())
    # Rows of pictures that were not enhanced tell nothing of those that are.
    again = shop(enhance=Enhancement(model=str(x2))).forecast()
    assert again.basis == "3 pictures that were tried"
    list(shop(enhance=Enhancement(model=str(x2))))
    known = shop(enhance=Enhancement(model=str(x2)), force=True).forecast()
    assert known.basis == "6 pictures of earlier runs"
    assert 0.5 < known.output_bytes / again.output_bytes < 2


def test_the_command_has_the_options_and_retry_repeats_them(x2, tmp_path, capsys):
    catalog(tmp_path / "in", 2)
    command = [
        "batch", str(tmp_path / "in"), str(tmp_path / "out"), "--model", "studio", "--no-report",
        "--backend", "onnxruntime", "--threads", "1", "--enhance-model", str(x2),
    ]  # fmt: skip
    assert main([*command, "--upscale", "2", "--enhance", "after"]) == 0
    kept = command_of(tmp_path / "out")
    expected = Enhancement(upscale=2, model=str(x2), order="after")
    assert Enhancement(**kept["enhance"]) == expected
    (tmp_path / "in" / "bad.jpg").write_bytes(b"\xff\xd8 no picture")
    assert main([*command, "--upscale", "2", "--enhance", "after"]) == SOME_FAILED
    capsys.readouterr()
    main(["batch", "retry", str(tmp_path / "out"), "--progress", "jsonl", "--json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(row["status"] for row in rows if row["event"] == "row") == [
        "failed", "skipped", "skipped",
    ]  # fmt: skip
    assert main([*command, "--enhance", "off"]) == 2
    assert "goes with no other option" in capsys.readouterr().err
    assert main([*command, "--denoise", "2"]) == 2
    assert main([*command, "--upscale", "3"]) == 2
    assert "upscale can be 1, 2, not 3" in capsys.readouterr().err


def test_rows_of_any_engine_are_enhanced(x2, tmp_path):
    rows = [{"name": "a.jpg", "bytes": product_bytes(1)}]
    found = list(
        cut_rows(
            rows, root=tmp_path, output=tmp_path / "out", model="studio", threads=1,
            enhance=Enhancement(model=str(x2)),
        )
    )  # fmt: skip
    assert [(row.status, row.out_width) for row in found] == [("done", 2 * SIDE)]


def test_a_workers_share_is_enhanced_too(x2, tmp_path):
    """What a cluster's worker does with the units that a driver planned; also one apart."""
    catalog(tmp_path / "in", 2)
    batch = nssbg.Batch(
        tmp_path / "in", tmp_path / "plan", model="studio", enhance=Enhancement(model=str(x2))
    )
    units = batch._planned(batch._planner()).units
    (tmp_path / "out").mkdir()
    objects = open_objects(str(tmp_path / "out"))
    committer = open_run(objects, known=False).committer
    job = Job(
        output=str(tmp_path / "out"), epoch=committer.epoch, run=committer.run,
        profiles=(units[0].profile,), options=batch._options, policy=batch._policy,
        settings=batch._settings, model="studio", backend="onnxruntime", device="cpu",
    )  # fmt: skip
    job = pickle.loads(pickle.dumps(job))
    tasks = [Task(job.unpacked(job.packed(unit)), "", alone=n == 1) for n, unit in enumerate(units)]
    share = Share(job)
    try:
        made = [committed.entry.row for committed, _ in share.run(tasks)]
    finally:
        share.close()
    assert [(row.status, row.out_width) for row in made] == [("done", 2 * SIDE)] * 2
    assert all(row.features["enhanced"]["network"] == "x2" for row in made)


def test_files_tell_what_enhanced_them(shop, x2, tmp_path):
    path = profile_file(tmp_path, f'provenance = true\n[enhance]\nmodel = "{x2}"')
    row = next(iter(shop(profile=path)))
    data = (tmp_path / "out" / row.output).read_bytes()
    assert b'nssbg:EnhancedBy="x2"' in data
    assert b'nssbg:EnhancedByLicense="MIT"' in data
