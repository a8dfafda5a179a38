"""Image-to-image networks in tiles: the same image as in one piece, whatever the size and shape."""

import itertools
import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from image_graphs import image_network
from onnx import numpy_helper

from nssbg._enhance.network import ImageNetwork
from nssbg._enhance.receptive_field import TOLERANCE, Reach, kept_reach
from nssbg._enhance.tiling import Tiling, _spans, chosen_tiling, run_tiled
from nssbg._errors import ModelError, OptionError
from nssbg._models.onnx_header import read_header
from nssbg._models.sidecar import description_from_mapping, read_sidecar
from nssbg._models.suggest import suggested_sidecar
from nssbg._planner import PlanRequest
from nssbg._planner.store import plan_key
from nssbg._runtime import open_backend


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path_factory.mktemp("home")))


def described(path, size=64, **keys):
    data = {"name": "net", "file": path.name, "size": size, "task": "image", **keys}
    return description_from_mapping(data, source="test").at(path)


def photograph(height, width, dtype=np.uint8, seed=3):
    """Shades, edges and grain, all of it in every corner."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    picture = 120 + 60 * np.sin(x / 9.0 + y / 17.0)[..., None] + 40 * ((x + 2 * y) // 13 % 2)[
        ..., None
    ] * np.array([1, -0.5, 0.7])  # fmt: skip
    picture += random.normal(0, 12, (height, width, 3))
    scale = np.iinfo(dtype).max / 255
    return np.clip(np.rint(picture * scale), 0, np.iinfo(dtype).max).astype(dtype)


def untiled(model, image, overlap, conditions=()):
    """The network on the whole picture at once, mirrored beyond its edges by the overlap."""
    unit = model.multiple
    height, width = image.shape[:2]
    # At least as much beyond each edge, and whole windows in all.
    after = [overlap + -(side + 2 * overlap) % unit for side in (height, width)]
    wide = np.pad(image, ((overlap, after[0]), (overlap, after[1]), (0, 0)), mode="reflect")
    full = np.iinfo(image.dtype).max
    colors = wide.transpose(2, 0, 1).astype(np.float32) / np.float32(full)
    told = [np.full((1, *colors.shape[1:]), value, np.float32) for value in conditions]
    tensor = np.concatenate([colors, *told])[None]
    whole = replace(model, height=tensor.shape[2], width=tensor.shape[3])
    backend = open_backend(whole, backend="onnxruntime", device="cpu", threads=1)
    answer = backend.run(tensor)[0]
    backend.close()
    begin, scale = overlap * model.scale, model.scale
    inner = answer[:, begin : begin + height * scale, begin : begin + width * scale]
    return np.clip(inner.transpose(1, 2, 0), 0, 1) * full


def check(model, image, *, told=None, batch=1, backend="onnxruntime", whole=None):
    network = ImageNetwork(model, backend=backend, device="cpu", threads=1)
    got = network.run(image, told=told, batch=batch)
    values = [(told or {}).get(name, 0.0) for name in model.conditions]
    overlap = -(-network.reach.overlap // model.multiple) * model.multiple
    expected = untiled(whole or model, image, overlap, values)
    network.close()
    assert got.shape == expected.shape
    assert got.dtype == image.dtype
    assert np.abs(got - expected).max() <= np.iinfo(image.dtype).max / 255
    return network


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (3, 40), (150, 97)])
def test_tiles_give_the_image_of_the_whole(tmp_path, scale, size):
    path = image_network(tmp_path / "net.onnx", scale=scale)
    network = check(described(path, scale=scale), photograph(*size))
    assert network.reach.is_local
    assert network.reach.overlap <= 4  # four convolutions of 3 x 3


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_graph_of_one_size_runs_over_any_picture(tmp_path, backend, scale):
    path = image_network(tmp_path / "net.onnx", scale=scale, tile=(48, 64), batch=1)
    model = described(path, [48, 64], scale=scale)
    whole = described(image_network(tmp_path / "any.onnx", scale=scale), scale=scale)
    for size in ((101, 133), (20, 30)):
        check(model, photograph(*size), backend=backend, whole=whole)


def test_sixteen_bits_stay_sixteen_bits(tmp_path):
    path = image_network(tmp_path / "net.onnx", scale=2)
    image = photograph(90, 71, np.uint16)
    check(described(path, scale=2), image)
    network = ImageNetwork(described(path, scale=2), backend="onnxruntime", device="cpu")
    assert len(np.unique(network.run(image) % 257)) > 200  # not bytes in 16 bits


@pytest.mark.parametrize("batch", [2, 5])
def test_several_tiles_in_a_tensor_give_the_same(tmp_path, batch):
    for fixed in (batch, "batch"):
        path = image_network(tmp_path / f"{fixed}.onnx", scale=2, batch=fixed)
        whole = described(image_network(tmp_path / "any.onnx", scale=2), scale=2)
        check(described(path, scale=2), photograph(140, 150), batch=batch, whole=whole)


def test_the_network_is_told_strengths(tmp_path):
    path = image_network(tmp_path / "net.onnx", conditions=2, gain=0.5)
    model = described(path, conditions=["denoise", "deblock"])
    image = photograph(80, 90)
    check(model, image, told={"denoise": 0.75, "deblock": 0.2})
    network = ImageNetwork(model, backend="onnxruntime", device="cpu")
    one, other = network.run(image, told={"denoise": 1.0}), network.run(image)
    assert not np.array_equal(one, other)


def test_windows_stay_where_they_are(tmp_path):
    path = image_network(tmp_path / "net.onnx", window=8)
    model = described(path, multiple=8)
    network = check(model, photograph(150, 137))
    assert network.reach.is_local
    # Cut without regard to the windows, the image is another.
    image = photograph(150, 137)
    backend = open_backend(replace(model, height=48, width=48), backend="onnxruntime")
    wrong = run_tiled(image, backend.run, Tiling(48, 48, 14))
    assert np.abs(wrong - untiled(model, image, 16)).max() > 2


def test_a_network_that_sees_everything_is_mixed_over_the_seams(tmp_path, caplog):
    """No overlap makes its tiles equal; mixed, the image has no step where two tiles meet."""
    path = image_network(tmp_path / "net.onnx", everywhere=True, gain=2.0)
    model = described(path)
    network = ImageNetwork(model, backend="onnxruntime", device="cpu")
    assert not network.reach.is_local
    assert network.reach.difference > TOLERANCE
    assert "mixed over their seams" in caplog.text
    # Dark on the left, light on the right: the tiles' means differ.
    ramp = np.broadcast_to(np.linspace(40, 215, 200).astype(np.uint8)[None, :, None], (60, 200, 3))
    faded = network.run(np.ascontiguousarray(ramp)).astype(int)
    tiling = chosen_tiling((60, 200), model.size, network.reach.overlap)
    backend = open_backend(
        replace(model, height=tiling.height, width=tiling.width), backend="onnxruntime"
    )
    hard = run_tiled(np.ascontiguousarray(ramp), backend.run, tiling).astype(int)
    steps = [np.abs(np.diff(picture, axis=1)).max() for picture in (faded, hard)]
    assert steps[0] <= steps[1] / 2


def test_the_receptive_field_is_measured_once_or_read(tmp_path):
    path = image_network(tmp_path / "net.onnx", depth=7)
    model = described(path)
    network = ImageNetwork(model, backend="onnxruntime", device="cpu")
    assert 4 <= network.reach.overlap <= 7
    again = kept_reach(model, lambda: pytest.fail("measured again"))
    assert again == network.reach
    assert kept_reach(replace(model, overlap=9), lambda: pytest.fail("measured")).overlap == 9


@pytest.mark.parametrize("held", [[1], [-3, 0.0], ["x", 0.0], [400, 0.0], None, {}])
def test_a_damaged_record_of_it_is_measured_again(tmp_path, monkeypatch, held):
    from nssbg._models.fingerprint import weights_fingerprint

    monkeypatch.setenv("NSSBG_HOME", str(tmp_path))
    model = described(image_network(tmp_path / "net.onnx"))
    key = f"{weights_fingerprint(model.path)} {model.size} {model.multiple} {model.scale}"
    (tmp_path / "receptive-fields.json").write_text(json.dumps({key: held}))
    assert kept_reach(model, lambda: Reach(7, 0.0)) == Reach(7, 0.0)
    assert kept_reach(model, lambda: pytest.fail("measured again")) == Reach(7, 0.0)


def test_without_a_place_to_keep_it_a_network_runs_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "file"))
    (tmp_path / "file").write_text("no folder")
    network = ImageNetwork(
        described(image_network(tmp_path / "net.onnx")), backend="onnxruntime", device="cpu"
    )
    assert network.run(photograph(30, 40)).shape == (30, 40, 3)


@pytest.mark.parametrize("depth", [2, 12, 30])
def test_the_receptive_field_of_a_chain_is_at_most_its_length(tmp_path, depth):
    path = image_network(tmp_path / "net.onnx", depth=depth, gain=1.0)
    model = described(path, 128)
    network = check(model, photograph(150, 170))
    assert 1 <= network.reach.overlap <= depth


def test_the_result_depends_neither_on_threads_nor_on_tiles_beyond_rounding(tmp_path):
    path = image_network(tmp_path / "net.onnx", scale=2)
    image = photograph(120, 131)
    results = [
        ImageNetwork(described(path, size, scale=2), backend="onnxruntime", device="cpu").run(image)
        for size in (32, 64, 128)
    ]
    for result in results[1:]:
        assert np.abs(result.astype(int) - results[0]).max() <= 1


def test_progress_is_told_and_can_end_a_run(tmp_path):
    path = image_network(tmp_path / "net.onnx")
    network = ImageNetwork(described(path, 32), backend="onnxruntime", device="cpu")
    image = photograph(60, 70)
    told = []
    network.run(image, progress=lambda done, total: told.append((done, total)))
    total = told[0][1]
    assert told == [(done, total) for done in range(total + 1)]
    assert total > 4

    class EnoughError(Exception):
        pass

    def stop(done, total):
        if done == 2:
            raise EnoughError

    with pytest.raises(EnoughError):
        network.run(image, progress=stop)
    assert network.run(image).shape == image.shape  # it is as it was


def test_what_is_no_number_is_an_error(tmp_path):
    path = image_network(tmp_path / "net.onnx")
    graph = onnx.load(path)
    last = graph.graph.initializer[-1]
    last.CopyFrom(numpy_helper.from_array(np.nan * numpy_helper.to_array(last), last.name))
    onnx.save(graph, path)
    network = ImageNetwork(described(path, overlap=4), backend="onnxruntime", device="cpu")
    with pytest.raises(ModelError, match=r"net\.onnx: .*no finite numbers.*onnxruntime"):
        network.run(photograph(40, 40))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"scale": 2}, r"has shape .*expected .*scale or output_index"),
        ({"conditions": ["denoise"]}, r"3 channels.*tells of 4"),
        ({"size": [48, 48]}, r"takes tiles of 64 x 64 alone"),
    ],
)
def test_a_description_that_does_not_fit_is_an_error_that_says_so(tmp_path, keys, message):
    path = image_network(tmp_path / "net.onnx", tile=(64, 64), batch=1)
    keys = {"size": 64, **keys}
    with pytest.raises(ModelError, match=message):
        ImageNetwork(described(path, **keys), backend="onnxruntime").run(photograph(40, 40))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"task": "picture"}, "task is 'picture'"),
        ({"task": "matte"}, "are for networks of task"),
        ({"scale": 0}, "scale is 0"),
        ({"scale": 9}, "scale is 9"),
        ({"overlap": -1}, "overlap is -1"),
        ({"overlap": 32}, "nothing is left of a tile"),
        ({"conditions": ["sharpen"]}, "conditions is"),
        ({"conditions": ["denoise", "denoise"]}, "conditions is"),
        ({"multiple": 7}, "no multiple of 7"),
        ({"fit": "short_side", "multiple": 8}, "fit is for"),
    ],
)
def test_wrong_keys_are_refused(tmp_path, keys, message):
    data = {"name": "n", "file": "n.onnx", "size": 64, "task": "image", "scale": 2, **keys}
    with pytest.raises(ModelError, match=message):
        description_from_mapping(data, source="n.onnx.toml")


def test_an_overlap_that_fills_the_tile_names_the_file(tmp_path):
    path = image_network(tmp_path / "net.onnx", window=32)
    model = described(path, 96, multiple=32, overlap=31)  # 32 in whole windows: 32 of 96 are left
    assert ImageNetwork(model, backend="onnxruntime", device="cpu").run(photograph(40, 40)).any()
    tight = replace(model, height=64, width=64)
    with pytest.raises(ModelError, match=r"net\.onnx: a tile of 64 x 64 .*larger size"):
        ImageNetwork(tight, backend="onnxruntime", device="cpu").run(photograph(40, 40))


def test_a_network_of_another_task_is_refused(tmp_path):
    path = image_network(tmp_path / "net.onnx")
    other = replace(described(path), task="matte", scale=1)
    with pytest.raises(ModelError, match=r'nssbg.remove.*task = "image"'):
        ImageNetwork(other)
    from nssbg._segment.network import NetworkMethod

    with pytest.raises(ModelError, match=r'nssbg.enhance.*task = "matte"'):
        NetworkMethod(described(path), device="cpu", backend="onnxruntime", threads=1)


@pytest.mark.parametrize("multiple", [1, 3, 8])
@pytest.mark.parametrize("fade", [0, 6])
def test_every_pixel_has_a_part_and_no_part_is_longer_than_a_tile_can(multiple, fade):
    for length in range(1, 150):
        tiling = chosen_tiling((length, 10), (48, 48), 5, multiple=multiple, fade=fade)
        spans = _spans(length, tiling.height, tiling)
        assert spans[0].begin == 0
        assert spans[-1].end == length
        for one, other in itertools.pairwise(spans):
            begins = one.end - one.after // 2
            assert begins == other.begin + other.before // 2
            assert begins % multiple == 0
            assert one.after == other.before <= fade
            assert one.begin + one.before <= one.end - one.after
        for span in spans:
            own = span.end - span.after // 2 - span.begin - span.before // 2
            assert 1 <= own <= tiling.height - 2 * tiling.overlap


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"scale": 2, "tile": (48, 64)}, {"scale": 2, "height": 48, "width": 64}),
        ({"scale": 3}, {"scale": 1, "height": 256, "width": 256}),
    ],
)
def test_a_first_sidecar_is_suggested_and_can_be_read(tmp_path, keys, expected):
    path = image_network(tmp_path / "net.onnx", **keys)
    text = suggested_sidecar(path, read_header(path))
    (tmp_path / "net.onnx.toml").write_text(text)
    model = read_sidecar(tmp_path / "net.onnx.toml", weights=path)
    assert model.task == "image"
    assert {key: getattr(model, key) for key in expected} == expected
    conditioned = image_network(tmp_path / "told.onnx", conditions=1)
    assert "its 1 further planes" in suggested_sidecar(conditioned, read_header(conditioned))


def test_one_measurement_serves_tiles_of_every_size(tmp_path):
    model = described(image_network(tmp_path / "net.onnx"))
    request = PlanRequest()
    other = replace(model, height=96, width=32)
    assert plan_key(model, "x", request) == plan_key(other, "x", request)
    matte = replace(model, task="matte")
    assert plan_key(matte, "x", request) != plan_key(replace(other, task="matte"), "x", request)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_scratch_does_not_grow_with_the_picture(dtype):
    """Beyond picture and result: the tensors of one run, whatever the size."""
    import tracemalloc

    peaks = []
    for side in (600, 3000):
        image = np.zeros((side, side, 3), dtype)
        tiling = chosen_tiling((side, side), (256, 256), 16)
        tracemalloc.start()
        result = run_tiled(image, lambda tensor: tensor.repeat(2, 2).repeat(2, 3), tiling, scale=2)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # 8-bit results come from the core's pool, which is not traced.
        peaks.append(peak - (result.nbytes if dtype == np.uint16 else 0))
    assert max(peaks) < 16 << 20
    assert peaks[1] < peaks[0] + (1 << 20)


def test_a_tile_of_nothing_of_its_own_is_refused():
    with pytest.raises(OptionError, match="nothing of its own"):
        chosen_tiling((100, 100), (32, 32), 16)
