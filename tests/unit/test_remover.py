"""The public door: types in and out, sharing, pickling, forking, threads, asyncio."""

import asyncio
import gc
import io
import os
import pickle
import traceback
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import nssbg


def read(path):
    """A picture file, closed again."""
    return Image.open(io.BytesIO(path.read_bytes()))


def iou(alpha, truth):
    """Overlap of two alphas at one half."""
    alpha, truth = np.asarray(alpha, np.float32), np.asarray(truth, np.float32)
    alpha = alpha / max(alpha.max(), 1)
    a, b = alpha > 0.5, truth > 0.5
    return (a & b).sum() / (a | b).sum()


def test_array_in_array_out(product):
    rgb, truth = product
    before = rgb.copy()
    rgba = nssbg.remove(rgb, model="studio")
    assert rgba.shape == (*rgb.shape[:2], 4)
    assert rgba.dtype == np.uint8
    assert iou(rgba[..., 3], truth) > 0.97
    assert np.array_equal(rgb, before)


def test_sixteen_bit_array_stays_sixteen_bit(product):
    rgb = product[0].astype(np.uint16) * 257 + 11
    rgba = nssbg.remove(rgb, model="studio")
    assert rgba.dtype == np.uint16
    opaque = rgba[..., 3] == 65535
    assert opaque.sum() > 1000
    assert np.array_equal(rgba[..., :3][opaque], rgb[opaque])


def test_float_array_stays_float_and_in_range(product):
    rgb = (product[0] / 255).astype(np.float32)
    rgba = nssbg.remove(rgb, model="studio")
    assert rgba.dtype == np.float32
    assert rgba.min() >= 0
    assert rgba.max() <= 1
    opaque = rgba[..., 3] == 1
    assert np.abs(rgba[..., :3][opaque] - rgb[opaque]).max() < 1 / 60000


def test_bytes_in_png_bytes_out(product, product_jpeg):
    data = nssbg.remove(product_jpeg, model="studio")
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    image = Image.open(io.BytesIO(data))
    assert image.mode == "RGBA"
    assert iou(np.asarray(image)[..., 3], product[1]) > 0.97


def test_file_object_in_bytes_out(product_jpeg):
    assert nssbg.remove(io.BytesIO(product_jpeg), model="studio")[:4] == b"\x89PNG"


def test_pil_in_pil_out(product):
    image = nssbg.remove(Image.fromarray(product[0]), model="studio")
    assert isinstance(image, Image.Image)
    assert image.mode == "RGBA"
    mask = nssbg.remove(Image.fromarray(product[0]), model="studio", mask=True)
    assert mask.mode == "L"


def test_path_in_writes_beside_it(product_path):
    written = nssbg.remove(product_path, model="studio")
    assert written == product_path.with_name("product-cutout.png")
    assert read(written).mode == "RGBA"
    assert sorted(p.name for p in product_path.parent.iterdir()) == [
        "product-cutout.png",
        "product.jpg",
    ]


def test_path_to_a_given_place_and_format(product_path, tmp_path):
    target = tmp_path / "out.webp"
    assert nssbg.remove(str(product_path), target, model="studio") == target
    assert read(target).format == "WEBP"


def test_the_source_is_never_overwritten(product_path):
    before = product_path.read_bytes()
    with pytest.raises(nssbg.OptionError, match="never overwrites"):
        nssbg.remove(product_path, product_path, model="studio", background="white")
    assert product_path.read_bytes() == before


def test_over_a_background_has_no_alpha(product):
    rgb = nssbg.remove(product[0], model="studio", background="#00ff00")
    assert rgb.shape == product[0].shape
    assert tuple(rgb[2, 2]) == (0, 255, 0)


def test_mask_is_the_alpha(product):
    mask = nssbg.remove(product[0], model="studio", mask=True)
    assert mask.shape == product[0].shape[:2]
    assert iou(mask, product[1]) > 0.97


def test_mask_over_a_background_is_refused(product):
    with pytest.raises(nssbg.OptionError, match="mask"):
        nssbg.remove(product[0], model="studio", mask=True, background="white")


def test_an_existing_alpha_is_multiplied_in_or_ignored(product):
    rgb, _ = product
    half = np.full((*rgb.shape[:2], 1), 128, np.uint8)
    rgba = np.concatenate([rgb, half], axis=2)
    kept = nssbg.remove(rgba, model="studio")[..., 3]
    assert kept.max() == 128
    ignored = nssbg.remove(rgba, model="studio", ignore_alpha=True)[..., 3]
    assert ignored.max() == 255


def test_cutout_tells_what_ran(product):
    with nssbg.Remover("studio", threads=1) as remover:
        cutout = remover.cutout(product[0])
    assert cutout.plan.model == "studio"
    assert cutout.plan.threads == 1
    assert cutout.confidence > 0.5
    assert list(cutout.timings.stages) == ["decode", "studio", "foreground"]
    assert cutout.timings.total > 0
    assert np.shares_memory(cutout.alpha, cutout.rgba)
    assert cutout.over("white")[2, 2].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("refine", "sharp"),
        ("effort", "utmost"),
        ("decontaminate", "yes"),
        ("strength", 1.5),
        ("matte", "keep"),
    ],
)
def test_a_wrong_option_names_itself_and_what_is_allowed(product, name, value):
    with pytest.raises(nssbg.OptionError, match=name):
        nssbg.remove(product[0], model="studio", **{name: value})


@pytest.mark.parametrize("result", ["bytes", "mask", "file"])
def test_encoding_keeps_to_the_remover_s_threads(product, tmp_path, monkeypatch, result):
    counts = []
    encode = nssbg._core.png_encode

    def counting(pixels, compression, chunks, threads):
        counts.append(threads)
        return encode(pixels, compression, chunks, threads)

    monkeypatch.setattr(nssbg._core, "png_encode", counting)
    png = nssbg._io.encode(product[0])
    with nssbg.Remover("studio", threads=1) as remover:
        counts.clear()
        if result == "file":
            remover.remove(product[0], tmp_path / "out.png")
        else:
            remover.remove(png, mask=result == "mask")
    assert counts == [1]


def test_wrong_threads_and_pixels_are_refused():
    with pytest.raises(nssbg.OptionError, match="threads"):
        nssbg.Remover(threads=-1)
    with pytest.raises(nssbg.OptionError, match="max_pixels"):
        nssbg.Remover(max_pixels=0)


def test_pixel_cap_refuses_before_decoding(product_path):
    with pytest.raises(nssbg.ImageDecodeError, match=r"product\.jpg"):
        nssbg.remove(product_path, model="studio", max_pixels=1000)
    assert not product_path.with_name("product-cutout.png").exists()


def test_an_unknown_model_is_a_model_error(product):
    with pytest.raises(nssbg.ModelError, match="no-such-model"):
        nssbg.remove(product[0], model="no-such-model")


def test_the_result_does_not_depend_on_threads(product):
    results = [nssbg.remove(product[0], model="studio", threads=n) for n in (1, 2, 5)]
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


def test_many_threads_may_share_a_remover(product):
    with nssbg.Remover("studio") as remover, ThreadPoolExecutor(4) as pool:
        results = list(pool.map(remover.remove, [product[0]] * 8))
    assert all(np.array_equal(results[0], other) for other in results[1:])


def test_a_closed_remover_opens_again(product):
    remover = nssbg.Remover("studio")
    first = remover.remove(product[0])
    remover.close()
    assert np.array_equal(remover.remove(product[0]), first)


@pytest.mark.parametrize("model", ["auto", "nssbg-lite", "studio"])
def test_what_is_let_go_of_leaves_memory_at_once(product, model):
    """Without the collector of reference rings: it may come late, and a network is large."""
    image, _ = product
    remover = nssbg.Remover(model, threads=1)
    gc.collect()
    gc.disable()
    try:
        remover.cutout(image)
        outcomes = list(remover.map([image, b"broken"], autotune=False))
        assert [o.error is None for o in outcomes] == [True, False]
        del outcomes
        opened = [weakref.ref(p) for p in (remover._pipeline, remover._batch_pipeline)]
        assert all(p() is not None for p in opened)
        del remover
        assert [p() for p in opened] == [None, None]
    finally:
        gc.enable()


STAGES = (
    "decode",
    "enhance",  # before the cut
    "studio",
    "prepare",
    "segment",
    "second pass",
    "post-process",
    "refine",
    "merge alpha",
    "enhance",  # after it
    "foreground",
)


@pytest.mark.parametrize("effort", ["fast", "best"])
@pytest.mark.parametrize("model", ["studio", "nssbg-lite", "auto"])
def test_stages_run_in_order_and_only_what_ran_is_named(model, effort):
    noise = np.random.default_rng(3).integers(0, 256, (300, 400, 4), np.uint8)
    left_out = {
        "studio": {"prepare", "segment", "second pass", "post-process", "refine"},
        "nssbg-lite": {"studio"},
        "auto": set(),
    }[model] | {"enhance"}
    if effort == "fast":
        left_out.add("second pass")
    with nssbg.Remover(model) as remover:
        assert tuple(stage.name for stage in remover._open().stages) == STAGES
        timings = remover.cutout(noise, effort=effort).timings
        assert list(timings.stages) == [name for name in STAGES if name not in left_out]
        with remover.map([noise], effort=effort) as stream:
            outcome = next(stream)
            assert outcome.timings.stages.keys() == timings.stages.keys()
            assert list(stream.report().stage_wall) == list(timings.stages)


def test_a_failed_picture_does_not_keep_its_pixels(product, tmp_path):
    """A caller who keeps a list of what failed overnight keeps errors, not pictures."""
    image, _ = product
    decoded = []

    def output(source):
        raise PermissionError("no place for it") from ValueError("full")

    with nssbg.Remover("studio", threads=1) as remover:
        stages = nssbg._pipeline.stages.Pipeline._refine

        def watched(self, job):
            decoded.append(weakref.ref(job.frame))
            stages(self, job)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("nssbg._pipeline.stages.Pipeline._refine", watched)
            outcomes = list(remover.map([image] * 3, output=output))
    gc.collect()
    assert len(decoded) == 3
    assert [p() for p in decoded] == [None] * 3
    for outcome in outcomes:
        assert isinstance(outcome.error, PermissionError)
        assert isinstance(outcome.error.__cause__, ValueError)
        assert "test_remover" in "".join(traceback.format_exception(outcome.error))


def test_a_longer_run_lets_go_of_the_network_first(product, monkeypatch):
    image, _ = product
    remover = nssbg.Remover("studio", threads=1)
    list(remover.map([image] * 2))
    before = weakref.ref(remover._batch_pipeline)
    seen = []
    make = nssbg._remover.Pipeline

    def watched(*arguments, **named):
        seen.append(before())
        return make(*arguments, **named)

    monkeypatch.setattr("nssbg._remover.Pipeline", watched)
    list(remover.map([image] * 9))
    assert seen == [None]


def test_a_used_remover_can_be_pickled(product):
    remover = nssbg.Remover("studio", threads=1)
    first = remover.remove(product[0])
    other = pickle.loads(pickle.dumps(remover))
    assert repr(other) == repr(remover)
    assert np.array_equal(other.remove(product[0]), first)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_used_remover_works_after_fork(product):
    remover = nssbg.Remover("studio", threads=2)
    expected = remover.remove(product[0])
    child = os.fork()
    if child == 0:
        # os._exit: no test machinery may run twice.
        os._exit(0 if np.array_equal(remover.remove(product[0]), expected) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_asyncio_gets_the_same_result(product):
    remover = nssbg.Remover("studio")
    result = asyncio.run(remover.remove_async(product[0]))
    assert np.array_equal(result, remover.remove(product[0]))


def test_map_writes_files_and_reports_the_broken_one(product_jpeg, tmp_path):
    sources = []
    for i in range(6):
        path = tmp_path / f"{i}.jpg"
        path.write_bytes(product_jpeg if i != 2 else product_jpeg[:300])
        sources.append(path)
    out = tmp_path / "out"
    out.mkdir()
    with nssbg.Remover("studio") as remover:
        outcomes = list(remover.map(sources, output=lambda path: out / f"{path.stem}.png"))
        alone = remover.remove(product_jpeg)
    assert [outcome.source for outcome in outcomes] == sources
    assert isinstance(outcomes[2].error, nssbg.ImageDecodeError)
    assert "2.jpg" in str(outcomes[2].error)
    assert sorted(path.name for path in out.iterdir()) == [f"{i}.png" for i in (0, 1, 3, 4, 5)]
    # One picture at a time or many at once: the same pixels.
    assert np.array_equal(
        np.asarray(read(out / "0.png")), np.asarray(Image.open(io.BytesIO(alone)))
    )


def test_map_without_output_gives_cutouts_in_order(product):
    with nssbg.Remover("studio") as remover:
        outcomes = list(remover.map([product[0], product[0][:200]], max_memory=1))
    assert [outcome.cutout.rgba.shape[0] for outcome in outcomes] == [300, 200]


@pytest.fixture
def no_download(monkeypatch, tmp_path):
    """Anything that goes to the network from here on fails the test."""
    from nssbg._models import download

    def refuse(*arguments, **keys):
        pytest.fail("a download was begun before the licence was asked")

    monkeypatch.setattr(download, "download", refuse)
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NSSBG_LICENSE", raising=False)


def test_commercial_use_refuses_weights_before_any_download(product, no_download, monkeypatch):
    rgb = product[0]
    with pytest.raises(nssbg.LicenseError, match=r"rmbg-2\.0: commercial use"):
        nssbg.Remover("rmbg-2.0", license="commercial").cutout(rgb)
    with pytest.raises(nssbg.LicenseError, match=r"rmbg-1\.4"):
        nssbg.remove(rgb, model="rmbg-1.4", license="commercial")
    with (
        pytest.raises(nssbg.LicenseError),
        nssbg.Remover("isnet-anime", license="commercial").map([rgb]) as results,
    ):
        list(results)
    monkeypatch.setenv("NSSBG_LICENSE", "commercial")
    with pytest.raises(nssbg.LicenseError):
        nssbg.remove(rgb, model="rmbg-2.0")


def test_commercial_use_takes_the_studio_method_and_the_bundled_network(product, no_download):
    cutout = nssbg.Remover("studio", license="commercial").cutout(product[0])
    assert cutout.plan.license == "Apache-2.0"
    cutout = nssbg.Remover("nssbg-lite", license="commercial").cutout(product[0])
    assert (cutout.plan.model, cutout.plan.license) == ("nssbg-lite", "Apache-2.0")


def test_a_remover_keeps_the_licence_it_was_made_with(no_download, monkeypatch):
    monkeypatch.setenv("NSSBG_LICENSE", "commercial")
    strict = nssbg.Remover("rmbg-1.4")
    monkeypatch.setenv("NSSBG_LICENSE", "any")
    with pytest.raises(nssbg.LicenseError):
        pickle.loads(pickle.dumps(strict)).cutout(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(nssbg.OptionError, match="license is 'free'"):
        nssbg.Remover("rmbg-1.4", license="free")


def test_remove_opens_anew_when_the_environment_asks_for_commercial_use(
    product, no_download, monkeypatch, tmp_path
):
    from model_graphs import mask_network

    path = mask_network(tmp_path / "own.onnx")
    (tmp_path / "own.toml").write_text("size = [48, 64]\nlicense = 'CC-BY-NC-4.0'\n")
    nssbg.remove(product[0], model=str(path))
    monkeypatch.setenv("NSSBG_LICENSE", "commercial")
    with pytest.raises(nssbg.LicenseError, match="own"):
        nssbg.remove(product[0], model=str(path))


def test_terms_that_bind_stand_in_the_result(product, no_download, tmp_path):
    from model_graphs import mask_network

    path = mask_network(tmp_path / "own.onnx")
    (tmp_path / "own.toml").write_text(
        "size = [48, 64]\nlicense = 'CC-BY-NC-4.0'\ncommercial = false\n"
    )
    plan = nssbg.Remover(str(path)).cutout(product[0]).plan
    assert plan.license == "CC-BY-NC-4.0"
    assert any("does not allow commercial use" in line for line in plan.reasons)
