"""What a person asks for on the page, by the engine's worker: `nssbg studio` gives the same files.

Corrections, edges, shadows, backgrounds and presets of one edit, from a PNG file to that of the
result, held to what the studio's own rooms make of the same record natively.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nssbg import Remover
from nssbg.batch.profile import shipped_profiles
from nssbg.studio_page.edit import edit_from

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "web" / "dist"
EXAMPLES = ROOT / "examples"
STROKES = [
    {"kind": "drop", "radius": 14, "points": [[150, 60], [170.5, 110], [160, 150]]},
    {"kind": "keep", "radius": 6.5, "points": [[20, 200], [60, 215]]},
    {"kind": "keep", "radius": 0.3, "points": [[300.5, 12.25]]},
]
BOX = [60, 30, 300, 220]
#: By name: a picture, the method, what an edit says beside it, and a background picture.
EDITS = {
    "plain": ("mug", "studio", {}, None),
    "box": ("mug", "studio", {"corrections": {"box": BOX}}, None),
    "points": (
        "mug",
        "studio",
        {"corrections": {"keep": [[30, 30]], "drop": [[160, 120]]}},
        None,
    ),
    "strokes": ("mug", "studio", {"corrections": {"strokes": STROKES}}, None),
    "all": (
        "mug",
        "studio",
        {
            "corrections": {
                "box": BOX,
                "keep": [[80, 60]],
                "drop": [[10, 10], [200, 200]],
                "strokes": STROKES,
            },
            "refine": "matting",
            "choke": -0.6,
            "softness": 0.7,
        },
        None,
    ),
    "edge": ("deep", "studio", {"choke": 0.55, "softness": 0.4}, None),
    "deep strokes": ("deep", "studio", {"corrections": {"strokes": STROKES}}, None),
    "network strokes": (
        "bear",
        "nssbg-lite",
        {"corrections": {"strokes": STROKES, "drop": [[160, 200]]}, "effort": "fast"},
        None,
    ),
    "network box": (
        "bear",
        "nssbg-lite",
        {"corrections": {"box": [20, 10, 200, 230], "keep": [[30, 30]]}, "choke": 0.3},
        None,
    ),
    "drop": ("mug", "studio", {"framing": {"shadow": "drop"}}, None),
    "contact": ("mug", "studio", {"framing": {"shadow": "contact", "trim": True}}, None),
    "canvas": (
        "deep",
        "studio",
        {
            "framing": {
                "shadow": "contact",
                "canvas": "300x260",
                "fill": 0.7,
                "align": "bottom",
                "background": "#336699",
            }
        },
        None,
    ),
    "blur": ("mug", "studio", {"framing": {"background": "blur"}}, None),
    "wide blur": (
        "deep",
        "studio",
        {"framing": {"background": "blur", "blur": 0.03, "shadow": "drop"}},
        None,
    ),
    "picture": ("mug", "studio", {"framing": {"background": {"picture": "b1"}}}, "portrait.png"),
    "picture on canvas": (
        "deep",
        "studio",
        {"framing": {"background": {"picture": "b1"}, "canvas": "200x333"}},
        "bear.png",
    ),
    **{
        f"preset {name}": ("mug", "studio", {"framing": {"profile": name}}, None)
        for name in shipped_profiles()
    },
}


def record(name):
    """An edit as the page sends it: always whole."""
    _, model, said, _ = EDITS[name]
    return edit_from({**plain(model), **shaped(said)}).record()


def plain(model):
    return {"model": model, "effort": "balanced", "refine": "guided"}


def shaped(said):
    """Shadows by their kind, as the page has them, in the form that the server takes."""
    framing = said.get("framing", {})
    if framing.get("shadow"):
        framing = {**framing, "shadow": {"kind": framing["shadow"]}}
    return {**said, "framing": framing} if framing else said


def as_the_page_has_it(name):
    """The same with the shadow as the page's own record has it."""
    found = record(name)
    shadow = found["framing"]["shadow"]
    if shadow:
        found["framing"]["shadow"] = shadow["kind"]
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory, web_builds):
    """The native files of every edit, beside the pictures they are made of."""
    if not (DIST / "runtime" / "package.txt").exists():
        pytest.skip("web/dist has no runtime for networks: make web (which needs npm)")
    folder = tmp_path_factory.mktemp("edits")
    for name in ("mug", "bear", "portrait"):
        with Image.open(EXAMPLES / f"{name}.jpg") as opened:
            small = opened.convert("RGB").resize((320, 240))
        small.save(folder / f"{name}.png")
    from nssbg import _core

    with Image.open(folder / "mug.png") as opened:
        rgb = np.asarray(opened).astype(np.uint16) * 257
    rgb[::3] += (rgb[::3] < 65000).astype(np.uint16) * 91  # samples between those of 8 bits
    (folder / "deep.png").write_bytes(_core.png_encode(rgb, "default", b"", 1))
    records = []
    for model in ("studio", "nssbg-lite"):
        with Remover(model=model, device="cpu", backend="onnxruntime", threads=1) as remover:
            for name, (picture, wanted, said, background) in EDITS.items():
                if wanted != model:
                    continue
                edit = edit_from({**plain(model), **shaped(said)})
                records.append(
                    {
                        "name": name,
                        "file": f"{picture}.png",
                        "edit": as_the_page_has_it(name),
                        "background": background,
                    }
                )
                native_files(remover, folder, name, f"{picture}.png", edit, background)
    (folder / "edits.json").write_text(json.dumps(records))
    return folder


def native_files(remover, folder, name, picture, edit, background):
    """NAME.png and, where the edit frames it, NAME-framed.png, as nssbg studio makes them."""
    source = folder / picture
    analysis = remover._analyse(source, edit.options(edit.box_alone()))
    height, width = analysis.frame.height, analysis.frame.width
    cutout = analysis.finished(
        edit.options(edit.corrections(height, width)), edge=edit.edge(height, width), threads=1
    )
    cutout.save(folder / f"{name}.png")
    if not edit.framing.plain:
        output = edit.framing.output(height, width, lambda _: folder / background)
        cutout.save(folder / f"{name}-framed.png", output=output)
    (folder / f"{name}.json").write_text(json.dumps(cutout.notes))


def opened(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


@pytest.mark.parametrize(("build", "threads"), [("simd", 1), ("simd-threads", 2)])
def test_an_edit_of_the_page_gives_the_studios_files(node, made, build, threads):
    told = {one["name"]: one for one in node("edit_cutout.js", made, DIST, build, threads)}
    assert set(told) == set(EDITS)
    for name, (_, model, said, _) in EDITS.items():
        one = told[name]
        assert one["type"] == "done", one
        notes = json.loads((made / f"{name}.json").read_text())
        assert one["notes"] == [note for note in notes if not note.startswith("low confidence")]
        assert ("correct" in one["stages"]) == ("corrections" in said), name
        assert ("edge" in one["stages"]) == ("choke" in said), name
        files = [name] if not said.get("framing") else [name, f"{name}-framed"]
        for file in files:
            native, web = made / f"{file}.png", made / f"{file}-web.png"
            if model == "studio":
                assert web.read_bytes() == native.read_bytes(), file
            else:
                assert np.abs(opened(web)[..., 3] - opened(native)[..., 3]).max() <= 1, file


def test_the_edits_do_what_they_are_for(made):
    """Each changes the plain cut-out, or the case would show nothing."""
    for name, (picture, model, said, _) in EDITS.items():
        if picture != "mug" or model != "studio" or name == "plain":
            continue
        file = made / f"{name}-framed.png" if said.get("framing") else made / f"{name}.png"
        assert file.read_bytes() != (made / "plain.png").read_bytes(), name


def test_what_was_found_serves_every_correction(node, made):
    """Strokes and edges of a picture run no network again: the worker keeps what it found."""
    folder = made / "again"
    folder.mkdir()
    (folder / "bear.png").write_bytes((made / "bear.png").read_bytes())
    strokes = as_the_page_has_it("network strokes")
    edits = [
        {**strokes, "corrections": {**strokes["corrections"], "drop": []}},
        strokes,
        {**strokes, "choke": 0.5},
        {**strokes, "effort": "balanced"},
    ]
    records = [
        {"name": str(number), "file": "bear.png", "edit": edit, "background": None}
        for number, edit in enumerate(edits)
    ]
    (folder / "edits.json").write_text(json.dumps(records))
    told = node("edit_cutout.js", folder, DIST, "simd", 1)
    assert ["segment" in one["stages"] for one in told] == [True, False, False, True]
    # Its time is told all the same, once it was spent.
    assert told[1]["timings"]["segment"] == told[0]["timings"]["segment"]
    assert (folder / "1-web.png").read_bytes() == (made / "network strokes-web.png").read_bytes()
