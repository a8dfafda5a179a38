"""`nssbg.enhance`, `Cutout.enhance` and `nssbg enhance`: types, alpha, profile, bits, errors."""

import io
import json

import numpy as np
import pytest
from image_graphs import image_network
from PIL import Image, ImageCms

import nssbg
from nssbg._enhance.image import EnhanceOptions, enhanced_alpha
from nssbg._enhance.jpeg_quality import (
    deblock_strength,
    quality_from_tables,
    quantization_tables,
)
from nssbg._io import decode, encode
from nssbg.cli.main import main

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path_factory.mktemp("home")))


def network(tmp_path, name="x2", scale=2, **keys):
    conditions = keys.pop("conditions", ())
    path = image_network(tmp_path / f"{name}.onnx", scale=scale, conditions=len(conditions), **keys)
    (tmp_path / f"{name}.onnx.toml").write_text(
        f'task = "image"\nsize = 64\nscale = {scale}\nlicense = "MIT"\ncommercial = true\n'
        f"conditions = {json.dumps(list(conditions))}\n"
    )
    return path


@pytest.fixture
def x2(tmp_path):
    return network(tmp_path)


def image(height=50, width=70, channels=3, dtype=np.uint8):
    random = np.random.default_rng(5)
    y, x = np.mgrid[0:height, 0:width]
    base = 128 + 60 * np.sin(x / 7 + y / 11)[..., None] + random.normal(0, 8, (height, width, 3))
    pixels = np.clip(base, 0, 255)
    if channels == 4:
        alpha = np.clip(18 - np.hypot(y - height / 2, x - width / 2) + 0.5, 0, 1) * 255
        pixels = np.concatenate([pixels, alpha[..., None]], axis=2)
    return np.rint(pixels * (np.iinfo(dtype).max / 255)).astype(dtype)


def options(model, **more):
    return {"model": model, "backend": "onnxruntime", "device": "cpu", "threads": 1, **more}


def test_what_comes_in_comes_out(x2, tmp_path):
    pixels = image()
    array = nssbg.enhance(pixels, **options(x2))
    assert array.shape == (100, 140, 3)
    assert array.dtype == np.uint8
    pil = nssbg.enhance(Image.fromarray(pixels), **options(x2))
    assert np.array_equal(np.asarray(pil), array)
    data = encode(pixels, format="png")
    made = nssbg.enhance(data, **options(x2))
    assert made[:4] == b"\x89PNG"
    assert np.array_equal(decode(made).rgb, array)
    assert nssbg.enhance(io.BytesIO(data), **options(x2)) == made
    (tmp_path / "photo.png").write_bytes(data)
    path = nssbg.enhance(tmp_path / "photo.png", **options(x2))
    assert path == tmp_path / "photo-enhanced.png"
    assert path.read_bytes() == made
    named = nssbg.enhance(data, tmp_path / "b.tiff", **options(str(x2)))
    assert np.array_equal(decode(named).rgb, array)
    floats = nssbg.enhance(pixels.astype(np.float32) / 255, **options(x2))
    assert floats.dtype == np.float32
    assert np.abs(floats - array / 255).max() < 1.01 / 255


def test_sixteen_bits_profile_exif_and_resolution_stay(x2, tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "a plush bear"
    source = encode(
        image(dtype=np.uint16),
        format="png",
        icc_profile=PROFILE,
        exif=exif.tobytes(),
        dpi=(300, 300),
    )
    (tmp_path / "deep.png").write_bytes(source)
    path = nssbg.enhance(tmp_path / "deep.png", **options(x2))
    frame = decode(path)
    assert frame.rgb.dtype == np.uint16
    assert frame.rgb.shape == (100, 140, 3)
    assert frame.icc_profile == PROFILE
    assert np.allclose(frame.dpi, 300, atol=0.01)
    assert b"a plush bear" in frame.exif
    eight = nssbg.enhance(image(), **options(x2))
    assert np.abs(frame.rgb / 257 - eight).max() < 1.5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_alpha_of_a_cut_out_picture_is_enlarged_and_its_edge_stays_bright(x2, dtype):
    pixels = image(channels=4, dtype=dtype)
    pixels[pixels[..., 3] == 0] = 0
    result = nssbg.enhance(pixels, **options(x2))
    assert result.shape == (100, 140, 4)
    full = np.iinfo(dtype).max
    alpha = result[..., 3] / full
    y, x = np.mgrid[0:100, 0:140]
    truth = np.clip(36 - np.hypot(y + 0.5 - 51, x + 0.5 - 71) + 0.5, 0, 1)
    assert np.abs(alpha - truth).mean() < 0.01
    assert (result[result[..., 3] == 0] == 0).all()
    # Black under clear pixels is not seen by the network: the edge is as bright as the inside.
    inside = result[(alpha == 1)][:, :3].mean()
    edge = result[(alpha > 0.5) & (alpha < 1)][:, :3].mean()
    assert abs(edge - inside) < 0.12 * full


def test_an_alpha_over_a_photograph_is_guided_by_it(x2):
    """The colours under clear pixels show the background: its edge is where the alpha's is."""
    pixels = image(channels=4)
    pixels[..., :3] = np.where(pixels[..., 3:] > 127, pixels[..., :3], (10, 90, 20))
    alpha = nssbg.enhance(pixels, **options(x2))[..., 3] / 255
    rgb = nssbg.enhance(pixels[..., :3].copy(), **options(x2))
    guided = nssbg.refine(rgb, pixels[..., 3], min_component_area=0) / 255
    assert np.array_equal(alpha, guided)
    assert not np.array_equal(guided * 255, nssbg.refine(rgb, pixels[..., 3], level="none"))


def test_an_alpha_of_the_same_size_is_kept(tmp_path):
    path = network(tmp_path, scale=1)
    pixels = image(channels=4)
    assert np.array_equal(nssbg.enhance(pixels, **options(path))[..., 3], pixels[..., 3])
    alpha = pixels[..., 3]
    assert enhanced_alpha(alpha, pixels[..., :3]) is alpha


def test_gray_stays_gray(x2):
    pixels = image()[..., 0]
    result = nssbg.enhance(pixels, **options(x2))
    assert np.array_equal(result[..., 0], result[..., 1])
    assert np.array_equal(result[..., 0], result[..., 2])
    colored = nssbg.enhance(np.repeat(pixels[..., None], 3, axis=2), **options(x2))
    assert not np.array_equal(colored[..., 0], colored[..., 1])
    assert np.abs(result[..., 0].astype(float) - colored.mean(axis=2)).max() <= 1


def test_fewer_pixels_than_the_network_gives_are_means(tmp_path):
    x4 = network(tmp_path, "x4", scale=4, gain=0.05)
    pixels = image()
    whole = nssbg.enhance(pixels, **options(x4)).astype(float)
    half = nssbg.enhance(pixels, upscale=2, **options(x4)).astype(float)
    means = whole.reshape(100, 2, 140, 2, 3).mean(axis=(1, 3))
    assert half.shape == (100, 140, 3)
    assert np.abs(half - means).max() <= 1.01
    assert nssbg.enhance(pixels, upscale=1, **options(x4)).shape == pixels.shape


def test_a_denoiser_that_cannot_be_told_is_mixed_with_the_picture(tmp_path):
    path = network(tmp_path, scale=1, gain=1.0)
    pixels = image().astype(int)
    whole = nssbg.enhance(pixels.astype(np.uint8), **options(path)).astype(int)
    assert np.abs(whole - pixels).max() > 20
    nothing = nssbg.enhance(pixels.astype(np.uint8), denoise=0, **options(path))
    assert np.array_equal(nothing, pixels)
    part = nssbg.enhance(pixels.astype(np.uint8), denoise=0.25, **options(path))
    assert np.array_equal(part, np.floor(pixels + 0.25 * (whole - pixels) + 0.5))


def test_a_network_is_told_how_strongly(tmp_path):
    path = network(tmp_path, conditions=("denoise", "deblock"), gain=1.0)
    data = io.BytesIO()
    Image.fromarray(image()).save(data, "JPEG", quality=30)
    worse = data.getvalue()
    seen = {
        name: decode(nssbg.enhance(worse, format="png", **more, **options(path))).rgb
        for name, more in {
            "auto": {},
            "none": {"deblock": 0.0},
            "as it is": {"deblock": (95 - 30) / 75},
            "strong": {"denoise": 1.0},
            "not noisy": {"denoise": 0.0},
        }.items()
    }
    assert np.array_equal(seen["auto"], seen["not noisy"])
    assert not np.array_equal(seen["auto"], seen["none"])
    assert not np.array_equal(seen["auto"], seen["strong"])
    assert np.abs(seen["auto"].astype(int) - seen["as it is"]).max() <= 1


@pytest.mark.parametrize("quality", [20, 30, 50, 75, 90, 95, 100])
def test_the_quality_of_a_jpeg_is_read_from_its_tables(quality, tmp_path):
    data = io.BytesIO()
    Image.fromarray(image()).save(data, "JPEG", quality=quality)
    with Image.open(data) as opened:
        assert abs(quality_from_tables(opened.quantization) - quality) < 3
        same = {number: tuple(table) for number, table in opened.quantization.items()}
    expected = np.clip((95 - quality) / 75, 0, 1)
    raw = data.getvalue()
    found = quantization_tables(io.BytesIO(raw))
    # Pillow gives them in zigzag's order or not, by its version: the same numbers.
    assert {key: sorted(table) for key, table in found.items()} == {
        key: sorted(table) for key, table in same.items()
    }
    assert abs(deblock_strength(raw, decode(raw)) - expected) < 0.05
    (tmp_path / "a.jpg").write_bytes(raw)
    path = tmp_path / "a.jpg"
    assert abs(deblock_strength(path, decode(path)) - expected) < 0.05
    png = encode(image(), format="png")
    assert deblock_strength(png, decode(png)) == 0


@pytest.mark.parametrize("end", range(0, 700, 37))
def test_a_damaged_jpeg_header_gives_the_tables_that_are_whole(end):
    data = io.BytesIO()
    Image.fromarray(image()).save(data, "JPEG", quality=30)
    raw = bytearray(data.getvalue())
    whole = quantization_tables(io.BytesIO(raw))
    assert quantization_tables(io.BytesIO(raw[:end])).items() <= whole.items()
    raw[end] ^= 0xFF
    quantization_tables(io.BytesIO(raw))  # whatever it finds, it ends


def test_a_cutout_is_enhanced_with_its_photograph(x2, product):
    rgb, truth = product
    cutout = nssbg.Remover("studio").cutout(rgb)
    larger = cutout.enhance(**options(x2))
    assert larger.rgba.shape == (600, 800, 4)
    assert larger.frame.rgb.shape == (600, 800, 3)
    assert "enhance" in larger.timings.stages
    assert "enhance" not in cutout.timings.stages
    exact = np.kron(truth, np.ones((2, 2)))
    assert np.abs(larger.alpha / 255 - exact).mean() < 0.01
    opaque = larger.alpha == 255
    assert np.array_equal(larger.rgba[opaque][:, :3], larger.frame.rgb[opaque])
    assert larger.plan == cutout.plan
    assert larger.notes[-1] == "enhanced by x2 on onnxruntime, CPU, float32"
    only_alpha = nssbg.Remover("studio").cutout(rgb)
    assert only_alpha.enhance(upscale=1, **options(x2)).alpha.shape == rgb.shape[:2]


def test_what_no_network_of_the_wheel_does_names_those_that_are_known():
    with pytest.raises(nssbg.ModelError, match=r"no network that comes with nssbg can enhance"):
        nssbg.enhance(image(), upscale=3)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"upscale": 3}, "enlarges by 2: upscale can be 1, 2, not 3"),
        ({"upscale": 5}, "upscale must be one of 1, 2, 3, 4"),
        ({"denoise": 0.5}, "cannot be told how strongly to denoise"),
        ({"deblock": 0.5}, "cannot be told how strongly to deblock"),
        ({"denoise": 1.5}, "denoise must be 0.0 to 1.0"),
        ({"denoise": "auto"}, "denoise must be"),
        ({"deblock": True}, "deblock must be"),
        ({"format": "gif"}, "format is 'gif'"),
        ({"threads": -1}, "threads must be"),
    ],
)
def test_what_cannot_be_is_refused(x2, more, message):
    with pytest.raises(nssbg.OptionError, match=message):
        nssbg.enhance(image(), **{**options(x2), **more})


def test_an_unknown_keyword_is_refused(x2):
    with pytest.raises(TypeError, match="sharpen"):
        nssbg.enhance(image(), sharpen=1, **options(x2))


def test_the_licence_is_asked_first(tmp_path, monkeypatch):
    path = network(tmp_path)
    path.with_name("x2.onnx.toml").write_text('task = "image"\nsize = 64\nscale = 2\n')
    with pytest.raises(nssbg.LicenseError):
        nssbg.enhance(image(), license="commercial", **options(path))
    monkeypatch.setenv("NSSBG_LICENSE", "commercial")
    with pytest.raises(nssbg.LicenseError):
        nssbg.enhance(image(), **options(path))


def test_a_source_is_never_written_over_and_nothing_is_half_written(x2, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encode(image(), format="png"))
    with pytest.raises(nssbg.OptionError, match="input too"):
        nssbg.enhance(path, path, **options(x2))

    class EnoughError(Exception):
        pass

    def stop(done, total):
        if done:
            raise EnoughError

    with pytest.raises(EnoughError):
        nssbg.enhance(path, tmp_path / "out.png", progress=stop, **options(x2))
    (tmp_path / "there.png").write_bytes(b"mine")
    with pytest.raises(nssbg.ImageEncodeError, match="there already"):
        nssbg.enhance(path, tmp_path / "there.png", overwrite=False, **options(x2))
    assert (tmp_path / "there.png").read_bytes() == b"mine"
    assert {item.name for item in tmp_path.iterdir() if "x2" not in item.name} == {
        "photo.png",
        "there.png",
    }


def test_a_result_that_cannot_fit_is_refused_from_the_header(x2, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encode(image(), format="png"))
    with pytest.raises(nssbg.ImageDecodeError, match=r"photo\.png"):
        nssbg.enhance(path, max_memory=1 << 20, **options(x2))
    with pytest.raises(nssbg.ImageDecodeError, match=r"photo\.png"):
        nssbg.enhance(path, max_pixels=100, **options(x2))


def test_the_command(x2, tmp_path, capsys, monkeypatch):
    path, out = tmp_path / "photo.png", tmp_path / "out.png"
    path.write_bytes(encode(image(), format="png"))
    command = ["enhance", str(path), str(out), "--model", str(x2), "--backend", "onnxruntime"]
    assert main([*command, "--threads", "1"]) == 0
    assert "140 x 100" in capsys.readouterr().out
    expected = nssbg.enhance(image(), **options(x2))
    assert np.array_equal(decode(out).rgb, expected)
    assert main(command) == 4
    assert "there already" in capsys.readouterr().err
    assert main([*command, "--overwrite", "--json", "--upscale", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["width"], told["height"]) == (70, 50)
    assert main(["enhance", str(path), str(out), "--overwrite", "--upscale", "4"]) == 5
    assert "name one by model=" in capsys.readouterr().err
    assert main([*command, "--overwrite", "--deblock", "much"]) == 2
    assert main(["enhance", str(tmp_path / "no.png"), str(out), "--model", str(x2), "--over"]) == 3


def test_the_command_in_a_pipe(x2, tmp_path):
    import subprocess
    import sys

    code = "import sys; from nssbg.cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "enhance", "-", "-", "--model", str(x2), "--format", "png"],
        input=encode(image(), format="png"),
        capture_output=True,
        check=True,
    )
    assert decode(done.stdout).rgb.shape == (100, 140, 3)


def test_options_say_what_they_are():
    assert EnhanceOptions() == EnhanceOptions(None, None, "auto")
