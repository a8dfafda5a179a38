"""The command line as a person or a script uses it, in processes of its own."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import nssbg
from nssbg.cli.main import main


def read(path):
    """A picture file, closed again."""
    return Image.open(io.BytesIO(path.read_bytes()))


def run(*arguments, stdin=None):
    """The installed command in a fresh process."""
    return subprocess.run(
        [sys.executable, "-m", "nssbg.cli.main", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
    )


def test_the_short_form_writes_beside_the_picture(product_path, capsys):
    assert main([str(product_path), "--model", "studio"]) == 0
    assert read(product_path.with_name("product-cutout.png")).mode == "RGBA"
    assert "confidence" in capsys.readouterr().out


def test_in_and_out(product_path, tmp_path):
    target = tmp_path / "cut.tiff"
    assert main(["remove", str(product_path), str(target), "--model", "studio"]) == 0
    assert read(target).mode == "RGBA"


def test_a_pipe_carries_the_picture_and_nothing_else(product_jpeg):
    done = run("remove", "-", "-", "--model", "studio", stdin=product_jpeg)
    assert done.returncode == 0, done.stderr
    assert Image.open(io.BytesIO(done.stdout)).mode == "RGBA"
    assert done.stdout.endswith(b"IEND\xaeB`\x82")
    assert b"confidence" in done.stderr


def test_mask_and_background(product_path, tmp_path):
    mask, white = tmp_path / "m.png", tmp_path / "w.jpg"
    arguments = ["--model", "studio"]
    assert main(["remove", str(product_path), str(mask), "--mask", *arguments]) == 0
    assert read(mask).mode == "L"
    assert main(["remove", str(product_path), str(white), "--background", "white", *arguments]) == 0
    assert np.asarray(read(white))[2, 2].min() >= 254


def test_json_reports_one_line(product_path, capsys):
    assert main([str(product_path), "--json", "--model", "studio"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["model"] == "studio"
    assert report["width"] == 400
    assert report["output"].endswith("product-cutout.png")
    assert report["milliseconds"]["decode"] > 0


@pytest.mark.parametrize("model", ["studio", "nssbg-lite", "auto"])
def test_a_weak_result_is_handed_over_with_one_warning(model, tmp_path, capsys):
    blocks = np.random.default_rng(3).integers(0, 256, (15, 20, 3), np.uint8)
    noise = np.kron(blocks, np.ones((20, 20, 1), np.uint8))
    Image.fromarray(noise).save(tmp_path / "noise.png")
    assert main([str(tmp_path / "noise.png"), "--json", "--model", model]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["low_confidence"] is True
    assert [note[:15] for note in report["notes"]].count("low confidence ") == 1
    assert main([str(tmp_path / "noise.png"), "--model", model, "--overwrite"]) == 0
    assert capsys.readouterr().err.count("low confidence") == 1


def test_a_bad_picture_is_one_line_and_exit_code_3(tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"this is no picture")
    done = run(bad)
    assert done.returncode == 3
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1
    assert "bad.jpg" in lines[0]
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jpg"]


def test_debug_shows_the_traceback(tmp_path):
    done = run("--debug", tmp_path / "missing.jpg")
    assert b"Traceback" in done.stderr
    assert done.returncode != 0


def test_one_bad_picture_does_not_stop_the_others(product_path, tmp_path, capsys):
    missing = tmp_path / "missing.jpg"
    assert main([str(missing), str(product_path), "--model", "studio"]) == 3
    assert product_path.with_name("product-cutout.png").exists()
    assert "missing.jpg" in capsys.readouterr().err


def test_several_pictures_give_the_files_and_reports_of_each_one_alone(
    product_path, tmp_path, capsys
):
    names = [tmp_path / f"{letter}.jpg" for letter in "abcde"]
    for turns, path in enumerate(names):
        turned = np.rot90(read(product_path), turns)
        Image.fromarray(np.ascontiguousarray(turned)).save(path, quality=95)
    options = ["--model", "studio", "--json", "--compression", "default"]
    alone = []
    for path in names:
        assert main([str(path), *options]) == 0
        alone.append(path.with_name(f"{path.stem}-cutout.png").read_bytes())
        path.with_name(f"{path.stem}-cutout.png").unlink()
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main([*map(str, names), str(names[0]), *options]) == 0
    together = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    together.sort(key=lambda report: report["input"])  # told of as they are done
    keys = ("input", "output", "width", "height", "model", "confidence", "notes")
    assert [[r[k] for k in keys] for r in together] == [[r[k] for k in keys] for r in reports]
    assert [(tmp_path / f"{p.stem}-cutout.png").read_bytes() for p in names] == alone


def test_results_can_be_framed_sized_and_given_a_shadow(product_path, tmp_path, capsys):
    """The same as `nssbg.Output` makes; several pictures get it as one does."""
    twin = tmp_path / "twin.jpg"
    twin.write_bytes(product_path.read_bytes())
    words = ["--canvas", "300x200", "--fill", "0.5", "--align", "bottom"]
    words += ["--padding", "10", "--shadow", "contact"]
    assert main([str(product_path), str(twin), "--model", "studio", *words]) == 0
    told = capsys.readouterr().out.splitlines()  # people are told in the order given
    assert [line.split(" -> ")[0] for line in told] == [str(product_path), str(twin)]
    made = [read(p.with_name(f"{p.stem}-cutout.png")) for p in (product_path, twin)]
    assert (
        main(["remove", str(twin), str(tmp_path / "alone.png"), "--model", "studio", *words]) == 0
    )
    made.append(read(tmp_path / "alone.png"))
    look = nssbg.Output(
        canvas=nssbg.Canvas(300, 200, fill=0.5, align="bottom"),
        padding=10,
        shadow=nssbg.Shadow("contact"),
    )
    with nssbg.Remover("studio") as remover:
        expected = remover.cutout(twin).render(look)
    assert expected.shape == (220, 320, 4)
    for image in made:
        np.testing.assert_array_equal(np.asarray(image), expected)


def test_a_mask_can_be_framed_and_sized(product_path, tmp_path):
    target = tmp_path / "mask.png"
    words = ["--model", "studio", "--mask", "--trim", "--longest-side", "40"]
    assert main(["remove", str(product_path), str(target), *words]) == 0
    mask = read(target)
    assert mask.mode == "L"
    assert max(mask.size) == 40
    assert np.asarray(mask).max() == 255


def test_two_pictures_that_would_get_one_name_are_refused_before_anything_is_done(
    product_path, capsys
):
    twin = product_path.with_suffix(".png")
    Image.open(product_path).save(twin)
    assert main([str(product_path), str(twin), "--model", "studio"]) == 2
    error = capsys.readouterr().err
    assert str(product_path) in error
    assert str(twin) in error
    assert not product_path.with_name("product-cutout.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["remove", "a.jpg"], 2),
        (["remove", "-", "-", "--json"], 2),
        (["-"], 2),
        (["photo.jpg", "--model", "no-such-model"], 5),
        (["photo.jpg", "--threads", "-3"], 2),
        (["photo.jpg", "--canvas", "800"], 2),
        (["photo.jpg", "--fill", "0.5"], 2),
        (["photo.jpg", "--canvas", "9x9", "--align", "nowhere"], 2),
        (["photo.jpg", "--padding", "-1"], 2),
        (["photo.jpg", "--mask", "--shadow", "drop"], 2),
        (["photo.jpg", "--model", "rmbg-2.0", "--license", "commercial"], 6),
        (["remove", "photo.jpg", "o.png", "--model", "rmbg-1.4", "--license", "commercial"], 6),
        (["tune", "rmbg-2.0", "--license", "commercial"], 6),
        (["quantize", "rmbg-2.0", "--license", "commercial"], 6),
    ],
)
def test_exit_codes_tell_the_kind(arguments, code, product_path, monkeypatch, capsys):
    monkeypatch.chdir(product_path.parent)
    product_path.rename("photo.jpg")
    assert main(arguments) == code
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_jpeg_without_a_background_says_what_to_do(product_path, tmp_path, capsys):
    assert main(["remove", str(product_path), str(tmp_path / "x.jpg"), "--model", "studio"]) == 4
    assert "background" in capsys.readouterr().err


def test_version_names_the_isa_level(capsys):
    assert main(["--version"]) == 0
    assert "ISA level v" in capsys.readouterr().out


def test_no_command_shows_help(capsys):
    assert main([]) == 2
    assert "nssbg photo.jpg" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["models", "info", "no-such-model"], "model"),
        (["models", "path", "u2net"], "model"),
        (["models", "pull", "u2net"], "model"),
        (["doctor", "no-such-model"], "model"),
        (["tune", "no-such-model"], "model"),
        (["quantize", "no-such-model", "--images", "PICTURE"], "model"),
        (["profiles", "no-such-profile"], "option"),
    ],
)
def test_a_failure_of_any_command_stands_in_its_json(arguments, kind, product_path, monkeypatch):
    monkeypatch.setenv("NSSBG_OFFLINE", "1")
    arguments = [str(product_path) if word == "PICTURE" else word for word in arguments]
    done = run(*arguments, "--json")
    told = json.loads(done.stdout)  # one document, and nothing beside it
    assert told["error"]["kind"] == kind
    assert done.returncode != 0
    assert told["error"]["message"] in done.stderr.decode()
    assert run(*arguments).stdout == b""
