"""nssbg.compat.rembg: rembg's arguments, types, sessions and errors; with exact, its pixels."""

from __future__ import annotations

import inspect
import io
import logging
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from drawn_pictures import drawn_product
from model_graphs import mask_network, run_reference
from nssbg.compat.rembg.sessions.u2net import U2netSession
from PIL import Image, UnidentifiedImageError

import nssbg
from nssbg._errors import LicenseError, ModelError
from nssbg._models.catalog import builtin_catalog
from nssbg.compat import rembg
from nssbg.compat.rembg import bg, matting, session_factory
from nssbg.compat.rembg.install_shim import install_shim, main
from nssbg.compat.rembg.sessions import BaseSession, sessions, sessions_class, sessions_names

NAMES = [
    "birefnet-general",
    "birefnet-general-lite",
    "birefnet-general-fp16",
    "birefnet-portrait",
    "birefnet-dis",
    "birefnet-hrsod",
    "birefnet-cod",
    "birefnet-massive",
    "isnet-anime",
    "dis_custom",
    "isnet-general-use",
    "sam",
    "silueta",
    "u2net_cloth_seg",
    "u2net_custom",
    "u2net_human_seg",
    "u2net",
    "u2netp",
    "bria-rmbg",
    "ben_custom",
]


@pytest.fixture(autouse=True)
def offline_home(tmp_path, monkeypatch):
    for name in ("XDG_DATA_HOME", "REMBG_HOME", "U2NET_HOME", "NSSBG_COMPAT", "NSSBG_LICENSE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "nssbg"))
    monkeypatch.setenv("NSSBG_OFFLINE", "1")
    monkeypatch.setattr(session_factory, "_shared", {})


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """A network with random weights, fed and read as U-2-Net is: 320 x 320 in, one mask out."""
    return mask_network(tmp_path_factory.mktemp("net") / "net.onnx", size=(320, 320), batch=1)


@pytest.fixture(scope="module")
def rgb():
    return drawn_product(150, 200)[0]


@pytest.fixture
def image(rgb):
    return Image.fromarray(rgb)


def own(graph, **options):
    return rembg.new_session("u2net_custom", model_path=str(graph), **options)


def published_mask(graph, image):
    """rembg's steps from an image to a mask, restated on NumPy, Pillow and onnx's evaluator."""
    small = np.array(image.convert("RGB").resize((320, 320), Image.Resampling.LANCZOS))
    scaled = small / max(small.max(), 1e-6)
    planes = [
        (scaled[..., channel] - mean) / std
        for channel, (mean, std) in enumerate(
            zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)
        )
    ]
    output = run_reference(graph, np.stack(planes)[None].astype(np.float32))[0][:, 0]
    stretched = np.squeeze((output - output.min()) / (output.max() - output.min()))
    mask = Image.fromarray((stretched * 255).astype(np.uint8))
    return mask.resize(image.size, Image.Resampling.LANCZOS)


# -- the surface ---------------------------------------------------------------------------------


def test_the_arguments_have_rembgs_names_order_and_defaults():
    given = inspect.signature(rembg.remove).parameters.values()
    assert [(p.name, p.default) for p in given][:13] == [
        ("data", inspect.Parameter.empty),
        ("alpha_matting", False),
        ("alpha_matting_foreground_threshold", 240),
        ("alpha_matting_background_threshold", 10),
        ("alpha_matting_erode_size", 10),
        ("session", None),
        ("only_mask", False),
        ("post_process_mask", False),
        ("decontaminate", False),
        ("vitmatte", False),
        ("vitmatte_model", None),
        ("bgcolor", None),
        ("force_return_bytes", False),
    ]
    assert [p.kind.name for p in given][13:] == ["VAR_POSITIONAL", "VAR_KEYWORD"]
    made = inspect.signature(rembg.new_session).parameters
    assert list(made) == ["model_name", "args", "sess_opts", "kwargs"]
    assert made["model_name"].default == "bria-rmbg"


def test_every_name_is_there_and_is_served_or_says_what_is():
    assert sorted(sessions_names) == sorted(NAMES)
    assert list(sessions.values()) == sessions_class
    for name, kind in sessions.items():
        assert kind.name() == name
        assert issubclass(kind, BaseSession)
        with pytest.raises((ModelError, ValueError)) as caught:  # offline, nothing is here
            rembg.new_session(name)
        if name.endswith("_custom"):
            assert "model_path is required" in str(caught.value)
        elif name in ("sam", "u2net_cloth_seg"):
            assert isinstance(caught.value, ValueError)
            assert "use" in str(caught.value) or "with '" in str(caught.value)
        else:
            assert isinstance(caught.value, ModelError)
            assert "NSSBG_OFFLINE" in str(caught.value)
            assert builtin_catalog()[kind.catalog_name].file in str(caught.value)


def test_classes_are_where_rembg_has_them():
    from nssbg.compat.rembg.sessions.birefnet_general import BiRefNetSessionGeneral
    from nssbg.compat.rembg.sessions.dis_general_use import DisSession

    from nssbg.compat.rembg import sessions as package
    from nssbg.compat.rembg.sessions import base

    assert base.BaseSession is BaseSession
    assert issubclass(package.BiRefNetSessionPortrait, BiRefNetSessionGeneral)
    assert DisSession.name() == "isnet-general-use"
    assert package.DisSession.name() == "isnet-anime"
    assert package.U2netSession is U2netSession


def test_an_unknown_name_is_rembgs_error():
    with pytest.raises(ValueError, match="No session class found for model 'nope'"):
        rembg.new_session("nope")
    with pytest.raises(ValueError, match="sends images to a service"):
        rembg.new_session("withoutbg")


def test_licensed_use_is_asked_for(monkeypatch):
    monkeypatch.setenv("NSSBG_LICENSE", "commercial")
    with pytest.raises(LicenseError, match="not allowed"):
        rembg.new_session("bria-rmbg")


def test_vitmatte_says_what_to_use(image, graph):
    with pytest.raises(ValueError, match="alpha_matting=True"):
        rembg.remove(image, session=own(graph), vitmatte=True)
    with pytest.raises(ValueError, match="unknown vitmatte_model 'x'"):
        matting.vitmatte_alpha(image, image.convert("L"), "x")
    assert matting.DEFAULT_VARIANT in matting.VARIANTS
    assert all(len(spec["sha256"]) == 64 for spec in matting.VARIANTS.values())


# -- types in and out ----------------------------------------------------------------------------


def test_each_type_comes_back_as_it_came(rgb, image):
    stream = io.BytesIO()
    image.save(stream, "PNG")
    file = rembg.remove(stream.getvalue())
    cutout = rembg.remove(image)
    array = rembg.remove(rgb)
    assert Image.open(io.BytesIO(file)).format == "PNG"
    assert cutout.mode == "RGBA"
    assert array.shape == (150, 200, 4)
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(file))), array)
    np.testing.assert_array_equal(np.asarray(cutout), array)
    np.testing.assert_array_equal(array, nssbg.remove(rgb))


def test_masks_come_back_as_they_came(rgb, image):
    mask = rembg.remove(image, only_mask=True)
    assert mask.mode == "L"
    np.testing.assert_array_equal(rembg.remove(rgb, only_mask=True), np.asarray(mask))
    file = rembg.remove(image, only_mask=True, force_return_bytes=True)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(file))), np.asarray(mask))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
@pytest.mark.parametrize("exact", ["", "exact"])
def test_every_pil_mode_gives_rgba(image, mode, exact, graph, monkeypatch):
    monkeypatch.setenv("NSSBG_COMPAT", exact)
    if mode == "I;16":
        given = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    else:
        given = image.convert(mode)
    result = rembg.remove(given, session=own(graph))
    assert (result.mode, result.size) == ("RGBA", image.size)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.bool_])
def test_arrays_of_any_depth_give_bytes(rgb, dtype):
    given = {
        np.uint8: rgb,
        np.uint16: rgb.astype(np.uint16) * 257,
        np.float32: rgb.astype(np.float32) / 255,
        np.bool_: rgb[..., 0] > 128,
    }[dtype]
    before = given.copy()
    result = rembg.remove(given)
    assert (result.shape, result.dtype) == ((150, 200, 4), np.uint8)
    np.testing.assert_array_equal(given, before)


@pytest.mark.parametrize("exact", ["", "exact"])
def test_bytes_are_forced_out_of_any_input(rgb, image, graph, exact, monkeypatch):
    monkeypatch.setenv("NSSBG_COMPAT", exact)
    session = own(graph)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    results = [
        rembg.remove(data, session=session, force_return_bytes=True)
        for data in (rgb, image, stream.getvalue(), bytearray(stream.getvalue()))
    ]
    assert all(isinstance(result, bytes) for result in results)
    decoded = [np.asarray(Image.open(io.BytesIO(result))) for result in results]
    assert all(np.array_equal(decoded[0], other) for other in decoded)


@pytest.mark.parametrize("data", ["photo.jpg", bytearray(b"x"), 7, None])
def test_other_types_are_rembgs_error(data):
    with pytest.raises(ValueError, match="is not supported"):
        rembg.remove(data)


@pytest.mark.parametrize("exact", ["", "exact"])
@pytest.mark.parametrize("how", [{}, {"putalpha": True}])
def test_damaged_bytes_are_pillows_error_and_nssbgs(how, graph, exact, monkeypatch):
    monkeypatch.setenv("NSSBG_COMPAT", exact)
    for data in (b"no picture", b""):
        with pytest.raises(UnidentifiedImageError) as caught:
            rembg.remove(data, session=own(graph), **how)
        assert isinstance(caught.value, nssbg.ImageDecodeError)


@pytest.mark.parametrize("exact", ["", "exact"])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"putalpha": True},
        {"alpha_matting": True},
        {"bgcolor": (1, 2, 3, 4)},
        {"only_mask": True},
    ],
)
def test_the_callers_image_is_never_changed(image, graph, how, exact, monkeypatch):
    monkeypatch.setenv("NSSBG_COMPAT", exact)
    for mode in ("RGB", "RGBA", "L"):
        given = image.convert(mode)
        given.info["note"] = "mine"
        before = given.tobytes()
        result = rembg.remove(given, session=own(graph), **how)
        assert (given.mode, given.info, given.tobytes()) == (mode, {"note": "mine"}, before)
        assert result is not given


@pytest.mark.parametrize("exact", ["", "exact"])
def test_exif_orientation_is_followed(image, graph, exact, monkeypatch):
    monkeypatch.setenv("NSSBG_COMPAT", exact)
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    image.save(stream, "JPEG", exif=exif)
    session = own(graph)
    for data in (stream.getvalue(), Image.open(stream)):
        for how in ({}, {"putalpha": True}):
            result = rembg.remove(data, session=session, force_return_bytes=True, **how)
            assert Image.open(io.BytesIO(result)).size == (150, 200)


# -- what the arguments do -----------------------------------------------------------------------


def test_bgcolor_gives_rgba_over_the_colour(image):
    result = np.asarray(rembg.remove(image, bgcolor=(10, 200, 30, 255)))
    assert result.shape[2] == 4
    assert (result[..., 3] == 255).all()
    assert tuple(result[2, 2]) == (10, 200, 30, 255)
    half = np.asarray(rembg.remove(image, bgcolor=[10, 200, 30, 128]))
    assert half[2, 2, 3] == 128
    with pytest.raises(ValueError, match="bgcolor is red"):
        rembg.remove(image, bgcolor="white")


def test_decontaminate_takes_the_place_that_2_0_86_gives_it(image):
    # Up to 2.0.78 bgcolor stood there.
    by_place = rembg.remove(image, False, 240, 10, 10, None, False, False, True)
    by_name = rembg.remove(image, decontaminate=True)
    np.testing.assert_array_equal(np.asarray(by_place), np.asarray(by_name))


def test_post_processing_makes_the_mask_binary(image):
    mask = np.asarray(rembg.remove(image, only_mask=True, post_process_mask=True))
    assert set(np.unique(mask)) == {0, 255}
    cutout = np.asarray(rembg.remove(image, post_process_mask=True))
    np.testing.assert_array_equal(cutout[..., 3], mask)


def test_putalpha_keeps_the_images_own_colours(rgb, image):
    result = np.asarray(rembg.remove(image, putalpha=True))
    np.testing.assert_array_equal(result[..., :3], rgb)
    np.testing.assert_array_equal(result[..., 3], rembg.remove(rgb, only_mask=True))


def test_alpha_matting_is_solved_within_the_trimap():
    rgb, truth = drawn_product(240, 320)
    mask = Image.fromarray((np.clip(truth, 0, 1) * 255).astype(np.uint8))
    blurred = mask.resize((40, 30)).resize(mask.size, Image.Resampling.BICUBIC)
    cutout = np.asarray(bg.alpha_matting_cutout(Image.fromarray(rgb), blurred, 240, 10, 10))
    before = np.abs(np.asarray(blurred) / 255 - truth).mean()
    assert np.abs(cutout[..., 3] / 255 - truth).mean() < before / 2
    levels = np.asarray(matting.trimap_from_mask(blurred))
    assert set(np.unique(levels)) == {0, 128, 255}
    assert (cutout[levels == 255, 3] == 255).all()
    assert (cutout[levels == 0, 3] == 0).all()


def test_alpha_matting_that_cannot_be_solved_falls_back(image, monkeypatch):
    def refuse(*_, **__):
        raise ValueError("no solution")

    monkeypatch.setattr(bg.rembg_steps, "matted", refuse)
    result = rembg.remove(image, alpha_matting=True)
    mask = rembg.remove(image, only_mask=True)
    np.testing.assert_array_equal(np.asarray(result)[..., 3], np.asarray(mask))


def test_edge_colours_are_true_by_default(image):
    # rembg's naive cut-out darkens them: colours there are multiplied by alpha.
    result = np.asarray(rembg.remove(image)).astype(float)
    naive = np.asarray(bg.naive_cutout(image, rembg.remove(image, only_mask=True))).astype(float)
    soft = (result[..., 3] > 60) & (result[..., 3] < 200)
    assert soft.sum() > 50
    assert result[soft, 0].mean() > naive[soft, 0].mean() + 30


def test_several_masks_give_results_one_below_the_other(image, monkeypatch):
    class Halves(BaseSession):
        def __init__(self):
            self.model_name = "halves"

        def predict(self, img, *args, **kwargs):
            left = np.zeros((img.height, img.width), np.uint8)
            left[:, : img.width // 2] = 255
            return [Image.fromarray(left), Image.fromarray(255 - left)]

    for exact in ("", "exact"):
        monkeypatch.setenv("NSSBG_COMPAT", exact)
        result = np.asarray(rembg.remove(image, session=Halves()))
        assert result.shape == (300, 200, 4)
        assert (result[:150, :100, 3] == 255).all()
        assert (result[150:, :100, 3] == 0).all()
        masks = rembg.remove(image, session=Halves(), only_mask=True)
        assert masks.size == (200, 300)


def test_no_mask_gives_the_image(image):
    class Nothing(BaseSession):
        def __init__(self):
            pass

        def predict(self, img, *args, **kwargs):
            assert (args, kwargs) == ((1,), {"cc": "upper"})
            return []

    given = [image, False, 240, 10, 10, Nothing(), *[False] * 4, None, None, False, 1]
    np.testing.assert_array_equal(np.asarray(rembg.remove(*given, cc="upper")), np.asarray(image))


# -- sessions ------------------------------------------------------------------------------------


def test_no_name_is_nssbgs_default_and_is_said_once(image, caplog, monkeypatch):
    session_factory._told.clear()
    with caplog.at_level(logging.WARNING, "nssbg"):
        session = rembg.new_session()
        rembg.new_session()
        rembg.remove(image)
        rembg.remove(image)
    assert session.name() == "auto"
    assert sum("no model was named" in line for line in caplog.messages) == 1
    # By name it is rembg's, whose weights are not here.
    with pytest.raises(ModelError, match=r"rmbg-2\.0"):
        rembg.new_session("bria-rmbg")
    monkeypatch.setenv("NSSBG_COMPAT", "exact")
    with pytest.raises(ModelError, match=r"rmbg-2\.0"):
        rembg.new_session()
    with pytest.raises(ModelError, match=r"rmbg-2\.0"):
        rembg.remove(image)


def test_calls_without_a_session_share_one(image):
    rembg.remove(image)
    first = dict(session_factory._shared)
    rembg.remove(image, alpha_matting=True, anything=3)
    assert session_factory._shared == first
    assert len(first) == 1
    for index in range(6):
        session_factory.shared_session(providers=["CPUExecutionProvider", f"{index}"])
    assert len(session_factory._shared) == 4


def test_a_sessions_network_answers_as_onnxruntimes(graph, image):
    session = own(graph, providers=["CPUExecutionProvider"])
    assert session.inner_session.get_providers() == ["CPUExecutionProvider"]
    feeds = session.normalize(image, (0.5,) * 3, (1.0,) * 3, (320, 320))
    ((name, tensor),) = feeds.items()
    assert name == session.inner_session.get_inputs()[0].name == "input"
    assert (tensor.shape, tensor.dtype) == ((1, 3, 320, 320), np.float32)
    assert tensor.max() == np.float32(0.5)  # scaled by the image's own maximum
    output = session.inner_session.run(None, feeds)[0]
    np.testing.assert_allclose(output, run_reference(graph, tensor)[0], atol=1e-4)
    named = session.inner_session.get_outputs()[0].name
    np.testing.assert_array_equal(session.inner_session.run([named], feeds)[0], output)


def test_a_network_runs_without_onnxruntime_too(graph, image, monkeypatch):
    pytest.importorskip("openvino")
    from nssbg._runtime import plain_session

    expected = published_mask(graph, image)
    monkeypatch.setattr(plain_session, "installed", lambda name: name == "openvino")
    monkeypatch.setenv("NSSBG_COMPAT", "exact")
    session = own(graph)
    mask = rembg.remove(image, session=session, only_mask=True)
    assert np.abs(np.asarray(mask).astype(int) - np.asarray(expected)).max() <= 1
    assert session.inner_session.get_inputs()[0].shape == (1, 3, 320, 320)
    assert session.inner_session.get_providers()[0] == "OpenVINOExecutionProvider"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_opens_the_network_anew(graph):
    pytest.importorskip("onnxruntime")
    code = (
        "import os, sys, numpy\n"
        "from nssbg.compat import rembg\n"
        f"session = rembg.new_session('u2net_custom', model_path={str(graph)!r})\n"
        "image = numpy.random.default_rng(0).integers(0, 256, (50, 60, 3), numpy.uint8)\n"
        "before = rembg.remove(image, session=session)\n"
        "if os.fork() == 0:\n"
        "    same = (rembg.remove(image, session=session) == before).all()\n"
        "    os._exit(0 if same and session.inner_session.get_providers() else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "NSSBG_COMPAT": "exact"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_providers_are_where_it_runs(graph, image):
    given = [("CPUExecutionProvider", {"arena_extend_strategy": "kSameAsRequested"})]
    session = own(graph, providers=given)
    rembg.remove(image, session=session)
    assert session.inner_session.get_providers()[-1] == "CPUExecutionProvider"
    with pytest.warns(RuntimeWarning, match="NoSuchExecutionProvider was requested"):
        fallen = own(graph, providers=["NoSuchExecutionProvider", "CPUExecutionProvider"])
    assert "CPUExecutionProvider" in fallen.inner_session.get_providers()
    rembg.remove(image, session=fallen)


def test_an_accelerator_that_fails_is_told_of_and_left(graph, image, monkeypatch):
    from nssbg.compat.rembg import providers

    monkeypatch.setattr(providers, "available_providers", lambda: ["CUDAExecutionProvider"])
    session = own(graph, providers=[("CUDAExecutionProvider", {"device_id": 0})])
    assert session._place.device == "cuda"
    with pytest.warns(RuntimeWarning, match="CUDAExecutionProvider was requested"):
        rembg.remove(image, session=session)
    assert session._place.device == "cpu"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rembg.remove(image, session=session)


def test_openvinos_provider_is_its_backend(graph, image):
    pytest.importorskip("openvino")
    session = own(graph, providers=[("OpenVINOExecutionProvider", {"device_type": "CPU_FP32"})])
    assert (session._place.device, session._place.backend) == ("cpu", "openvino")
    rembg.remove(image, session=session)
    assert session.inner_session.get_providers()[0] == "OpenVINOExecutionProvider"


def test_session_options_threads_count(graph):
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = own(graph, sess_opts=options)
    assert session._remover._settings.threads == 1


@pytest.mark.parametrize(("name", "side"), [("u2net_custom", 320), ("dis_custom", 1024)])
def test_a_file_of_ones_own_is_fed_as_its_family(graph, name, side, tmp_path):
    session = rembg.new_session(name, model_path=str(graph))
    assert session._remover._settings.model.size == (side, side)
    with pytest.raises(ModelError, match=r"none\.onnx: no such file"):
        rembg.new_session(name, model_path=str(tmp_path / "none.onnx"))


def test_a_sidecar_beside_ones_own_file_goes_before_the_family(graph, tmp_path):
    weights = tmp_path / "ben.onnx"
    weights.write_bytes(graph.read_bytes())
    (tmp_path / "ben.onnx.toml").write_text('size = 320\nmean = 0.1\nlicense = "MIT"\n')
    session = rembg.new_session("ben_custom", model_path=str(weights))
    assert session._remover._settings.model.mean == (0.1, 0.1, 0.1)


def test_weights_in_u2net_home_are_used_where_they_lie(graph, image, tmp_path, monkeypatch):
    home = tmp_path / "u2"
    home.mkdir()
    weights = home / "u2net.onnx"
    weights.write_bytes(graph.read_bytes())
    monkeypatch.setenv("U2NET_HOME", str(home))
    with pytest.raises(ModelError):  # not the published ones
        rembg.new_session("u2net")
    monkeypatch.setenv("MODEL_CHECKSUM_DISABLED", "1")
    assert U2netSession.download_models() == str(weights)
    assert U2netSession.u2net_home() == str(home)
    assert rembg.remove(image, session=rembg.new_session("u2net")).mode == "RGBA"


def test_paths_from_a_request_are_held_within_rembgs_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("REMBG_HOME", str(tmp_path / "home"))
    inside = str(tmp_path / "home" / "models" / "x.onnx")
    assert BaseSession.validate_model_path(model_path=inside) == inside
    for path in ("/etc/passwd", str(tmp_path / "home-evil" / "x"), f"{tmp_path}/home/../x", None):
        with pytest.raises(ValueError, match="model_path"):
            BaseSession.validate_model_path(model_path=path)


def test_downloads_are_errors_at_once_where_there_is_no_way(caplog):
    with pytest.raises(ModelError, match="u2net"):
        bg.download_models(("u2net",))
    with pytest.raises(ValueError, match="no model found: nope"):
        bg.download_models(("nope",))


# -- what public code does -----------------------------------------------------------------------


def test_image_to_3d_pipelines(image, graph):
    """TripoSR, InstantMesh: a session made once, and the caller's keyword arguments."""

    def remove_background(image, rembg_session=None, force=False, **rembg_kwargs):
        do_remove = True
        if image.mode == "RGBA" and image.getextrema()[3][0] < 255:
            do_remove = False
        if do_remove or force:
            image = rembg.remove(image, session=rembg_session, **rembg_kwargs)
        return image

    session = rembg.new_session()
    first = remove_background(image, session)
    assert first.getextrema()[3] == (0, 255)
    assert remove_background(first, session) is first
    again = remove_background(first, session, force=True)
    assert again.mode == "RGBA"


def test_opencv_arrays_keep_their_order_of_channels(rgb, graph):
    """DreamGaussian: a session by keyword, arrays as OpenCV reads them."""
    session = rembg.new_session(model_name="auto")
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    carved = rembg.remove(bgr, session=session)
    assert carved.shape == (150, 200, 4)
    opaque = carved[..., 3] == 255
    assert opaque.sum() > 1000
    np.testing.assert_array_equal(carved[opaque][:, :3], bgr[opaque])


def test_rgba_in_with_alpha_matting(image):
    """Wonder3D: RGBA, matting asked for by keyword, the picture's own alpha left out."""
    given = image.convert("RGBA")
    given.putalpha(1)
    result = rembg.remove(given, alpha_matting=True, session=rembg.new_session())
    assert np.asarray(result)[75, 100, 3] == 255


def test_an_alpha_of_its_own_is_kept_by_the_plain_cutout(image, graph, monkeypatch):
    given = image.convert("RGBA")
    given.putalpha(128)
    for exact in ("", "exact"):
        monkeypatch.setenv("NSSBG_COMPAT", exact)
        session = own(graph) if exact else rembg.new_session()
        alpha = np.asarray(rembg.remove(given, session=session))[..., 3]
        assert alpha.max() <= 128
        assert np.asarray(rembg.remove(given, session=session, only_mask=True)).max() > 128


def test_mask_makers_for_training(image):
    """OneTrainer: new_session(), then masks alone, as tensors of their own."""
    mask = rembg.remove(image, session=rembg.new_session(), only_mask=True)
    values = np.asarray(mask, np.float32)[None] / 255
    assert values.shape == (1, 150, 200)
    assert 0.1 < values.mean() < 0.6


def test_web_ui_extension(image, tmp_path, monkeypatch):
    """sd-webui-rembg: every matting argument by name, and U2NET_HOME set before."""
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    result = rembg.remove(
        image,
        session=rembg.new_session(),
        only_mask=False,
        alpha_matting=True,
        alpha_matting_foreground_threshold=230,
        alpha_matting_background_threshold=20,
        alpha_matting_erode_size=5,
    )
    assert result.mode == "RGBA"
    assert result.getextrema()[3] == (0, 255)


class Tensor:
    """What torch's tensor is to such code: __array__, cpu(), numpy(), no ndarray."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)

    def cpu(self):
        return self

    def numpy(self):
        return self.values


def test_comfyui_nodes(rgb):
    """Tensors N x H x W x C of float 0..1: by the node's own conversions, and handed in whole."""
    batch = Tensor(np.stack([rgb, rgb[:, ::-1]]).astype(np.float32) / 255)
    session = rembg.new_session()

    def tensor2pil(values):
        pixels = np.clip(255.0 * values.cpu().numpy().squeeze(), 0, 255).astype(np.uint8)
        return Image.fromarray(pixels)

    def pil2tensor(image):
        return np.array(image).astype(np.float32)[None] / 255.0

    by_node = np.concatenate(
        [pil2tensor(rembg.remove(tensor2pil(Tensor(one)), session=session)) for one in batch.values]
    )
    whole = rembg.remove(batch, session=session)
    assert (whole.shape, whole.dtype) == ((2, 150, 200, 4), np.float32)
    assert whole.min() == 0
    assert whole.max() == 1
    assert np.abs(whole - by_node).max() < 0.06
    masks = rembg.remove(Tensor(batch.values[0]), session=session, only_mask=True)
    assert masks.shape == (150, 200)


def test_sessions_of_ones_own(graph, image, monkeypatch):
    """A network of the user's own, written as rembg's documentation shows it."""

    class Mine(BaseSession):
        def predict(self, img, *args, **kwargs):
            feeds = self.normalize(img, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), (320, 320))
            output = self.inner_session.run(None, feeds)[0][:, 0]
            output = np.squeeze((output - output.min()) / (output.max() - output.min()))
            mask = Image.fromarray((output * 255).astype("uint8"))
            return [mask.resize(img.size, Image.Resampling.LANCZOS)]

        @classmethod
        def download_models(cls, *args, **kwargs):
            return str(graph)

        @classmethod
        def name(cls, *args, **kwargs):
            return "mine"

    sessions_class.append(Mine)
    try:
        session = rembg.new_session("mine", providers=["CPUExecutionProvider"])
    finally:
        sessions_class.remove(Mine)
    expected = published_mask(graph, image)
    mask = rembg.remove(image, session=session, only_mask=True)
    assert np.abs(np.asarray(mask).astype(int) - np.asarray(expected)).max() <= 1
    cutout = rembg.remove(image, session=session)
    np.testing.assert_array_equal(np.asarray(cutout)[..., 3], np.asarray(mask))


def test_sessions_on_birefnets_classes(graph, image):
    """A named session with weights elsewhere and a head of its own."""
    from nssbg.compat.rembg.sessions.birefnet_general import BiRefNetSessionGeneral

    class Elsewhere(BiRefNetSessionGeneral):
        @classmethod
        def download_models(cls, *args, **kwargs):
            return str(graph)

        def predict(self, img, *args, **kwargs):
            feeds = self.normalize(img, (0.5,) * 3, (1.0,) * 3, (320, 320))
            values = self.sigmoid(self.inner_session.run(None, feeds)[0][0, 0])
            mask = Image.fromarray((values * 255).astype(np.uint8)).resize(img.size)
            return [mask]

    session = Elsewhere("birefnet-general", None)
    assert session.model_name == "birefnet-general"
    assert rembg.remove(image, session=session).size == image.size


# -- exact ---------------------------------------------------------------------------------------


def test_exact_gives_the_published_pixels(graph, image, monkeypatch):
    monkeypatch.setenv("NSSBG_COMPAT", "exact")
    session = own(graph)
    dark = Image.fromarray(np.asarray(image) // 2)  # its own maximum is not 255
    for given in (image, dark):
        mask = published_mask(graph, given)
        ours = rembg.remove(given, session=session, only_mask=True)
        assert np.abs(np.asarray(ours).astype(int) - np.asarray(mask)).max() <= 1
        naive = Image.composite(given, Image.new("RGBA", given.size, 0), mask)
        ours = rembg.remove(given, session=session)
        assert np.abs(np.asarray(ours).astype(int) - np.asarray(naive)).max() <= 1


def test_without_exact_the_result_is_another(graph, image, monkeypatch):
    session = own(graph)
    improved = np.asarray(rembg.remove(image, session=session)).astype(int)
    monkeypatch.setenv("NSSBG_COMPAT", "exact")
    exact = np.asarray(rembg.remove(image, session=session)).astype(int)
    assert np.abs(improved - exact).max() > 20
    monkeypatch.setenv("NSSBG_COMPAT", "exakt")
    with pytest.raises(ValueError, match="NSSBG_COMPAT is 'exakt'"):
        rembg.remove(image, session=session)


def test_exact_guards_a_constant_map(image, monkeypatch, graph):
    monkeypatch.setenv("NSSBG_COMPAT", "exact")
    session = own(graph)
    constant = np.full((1, 1, 320, 320), 0.25, np.float32)
    monkeypatch.setattr(session.inner_session, "run", lambda *_: [constant])
    mask = np.asarray(rembg.remove(image, session=session, only_mask=True))
    assert (mask == 63).all()


def test_exact_is_rembgs_own_where_it_is_installed(graph, image, monkeypatch, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pytest.importorskip("rembg")
    monkeypatch.setenv("NSSBG_COMPAT", "exact")
    monkeypatch.setenv("U2NET_HOME", str(graph.parent))
    stream = io.BytesIO()
    image.save(stream, "JPEG")
    arguments = {"model_path": str(graph), "providers": ["CPUExecutionProvider"]}
    worst = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = theirs.new_session("u2net_custom", **arguments)
        mine = rembg.new_session("u2net_custom", **arguments)
        for how in (
            {},
            {"only_mask": True},
            {"post_process_mask": True},
            {"post_process_mask": True, "only_mask": True},
            {"putalpha": True},
            {"bgcolor": (20, 200, 40, 255)},
        ):
            for data in (stream.getvalue(), image.convert("RGBA"), np.asarray(image)):
                pair = []
                for package, opened in ((theirs, session), (rembg, mine)):
                    given = data.copy() if hasattr(data, "copy") else data
                    result = package.remove(given, session=opened, **dict(how))
                    if isinstance(result, bytes):
                        result = Image.open(io.BytesIO(result))
                    pair.append(np.asarray(result).astype(int))
                assert pair[0].shape == pair[1].shape
                worst[str(how), type(data).__name__] = np.abs(pair[0] - pair[1]).max()
    assert max(worst.values()) <= 1, worst


# -- the stand-in for code that cannot be changed -------------------------------------------------


def test_the_shim_is_rembg_for_other_code(tmp_path):
    place = install_shim(tmp_path / "stand-in")
    code = (
        "import rembg, numpy\n"
        "from rembg import remove, new_session\n"
        "from rembg.bg import alpha_matting_cutout, download_models\n"
        "from rembg.sessions import sessions_class\n"
        "from rembg.sessions.base import BaseSession\n"
        "from rembg.sessions.u2net import U2netSession\n"
        "from rembg.session_factory import new_session as factory\n"
        "import rembg.matting\n"
        "import nssbg.compat.rembg as real\n"
        "assert rembg is real and factory is new_session and U2netSession in sessions_class\n"
        "assert issubclass(U2netSession, BaseSession)\n"
        "assert remove(numpy.full((40, 40, 3), 9, numpy.uint8)).shape == (40, 40, 4)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(place)!r})\n{code}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert install_shim(place) == place  # its own may be made anew


def test_the_shim_never_goes_over_anything(tmp_path, capsys):
    import sysconfig

    with pytest.raises(ValueError, match="packages are installed there"):
        install_shim(sysconfig.get_paths()["purelib"])
    installed = tmp_path / "lib" / "rembg"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("theirs = 1\n")
    with pytest.raises(ValueError, match="is not nssbg's stand-in"):
        install_shim(tmp_path / "lib")
    assert (installed / "__init__.py").read_text() == "theirs = 1\n"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.py").write_text("")
    assert main([str(tmp_path / "full")]) == 2
    assert "holds other files" in capsys.readouterr().err
