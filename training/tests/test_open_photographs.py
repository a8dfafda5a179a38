"""Tests of the open photographs: masks are decoded to the pixel, labels are judged, kept and not
made twice, what is measured stays out, and draws follow the weights."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
torch = pytest.importorskip("torch")

import architecture  # noqa: E402
import calibrate  # noqa: E402
import catalogue  # noqa: E402
import clone  # noqa: E402
import decode  # noqa: E402
import evaluate  # noqa: E402
import export  # noqa: E402
import generator  # noqa: E402
import labels  # noqa: E402
import look_alikes  # noqa: E402
import measures  # noqa: E402
import memmap_dataset  # noqa: E402
import open_photographs  # noqa: E402
import post_processing  # noqa: E402
import recipe as recipes  # noqa: E402
import teach  # noqa: E402
import teacher  # noqa: E402
import warm_start  # noqa: E402
from sources import Sources  # noqa: E402

COMMIT = "0" * 40


def source(name: str, **values: object) -> catalogue.Source:
    """A source in the clone `o/NAME`."""
    given = {"repository": f"o/{name}", "commit": COMMIT, "folder": "pictures", "licence": "CC0"}
    given |= {"masks": "teacher", "kinds": "folder", "share": 0.5, **values}
    return catalogue.Source(name=name, **given)  # type: ignore[arg-type]


def picture(path: Path, seed: int, size: tuple[int, int] = (60, 80)) -> np.ndarray:
    """Writes soft noise, different for each seed, losslessly; gives it as RGB."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    rgb = cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return rgb


@pytest.fixture
def clones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NSSBG_TRAINING_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("NSSBG_PICTURES", str(tmp_path / "shared" / "pictures"))
    monkeypatch.setenv("NSSBG_CLONES", str(tmp_path / "clones"))
    return tmp_path / "clones"


# Masks ---------------------------------------------------------------------------------------


def test_caltech_outlines_are_put_where_the_box_says(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    # Positions from 1 on, relative to the box: left 6, top 11 make column 10 and row 20 from 0 on.
    corners = np.array([[5.0, 24.0, 24.0, 5.0], [10.0, 10.0, 29.0, 29.0]])
    scipy_io.savemat(
        tmp_path / "annotation_0001.mat",
        {"box_coord": np.array([[11, 50, 6, 60]], np.uint8), "obj_contour": corners},
    )
    mask = decode.caltech(tmp_path / "image_0001.jpg", (60, 80))
    truth = np.zeros((60, 80), bool)
    truth[20:40, 10:30] = True
    assert np.array_equal(mask > 127, truth)
    (tmp_path / "annotation_0002.mat").write_bytes((tmp_path / "annotation_0001.mat").read_bytes())
    scipy_io.savemat(tmp_path / "annotation_0003.mat", {"box_coord": corners})
    with pytest.raises(decode.MaskError, match="annotation_0003"):
        decode.caltech(tmp_path / "image_0003.jpg", (60, 80))
    with pytest.raises(decode.MaskError, match=r"annotation_0004\.mat is missing"):
        decode.caltech(tmp_path / "image_0004.jpg", (60, 80))


def test_polygons_are_shares_of_the_picture(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    text = "0 0.125 0.3333 0.375 0.3333 0.375 0.6667 0.125 0.6667\n0 0.9 0.9 1 0.9 1 1 0.9 1\n"
    (tmp_path / "labels" / "a.txt").write_text(text)
    mask = decode.yolo(tmp_path / "images" / "a.jpg", (60, 80))
    assert (mask[21:39, 11:29] == 255).all()
    assert mask[18].max() == mask[42, :60].max() == mask[30, 8] == mask[30, 32] == 0
    assert mask[57, 76] == 255  # every line is a subject
    (tmp_path / "labels" / "b.txt").write_text("0 0.5 0.5\n")
    with pytest.raises(decode.MaskError, match=r"b\.txt"):
        decode.yolo(tmp_path / "images" / "b.jpg", (60, 80))


def test_trimaps_and_frames_are_read(tmp_path: Path) -> None:
    values = np.full((4, 6), 2, np.uint8)
    values[1:3, 1:4] = 1
    values[0, 0] = 3
    (tmp_path / "annotations" / "trimaps").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "annotations" / "trimaps" / "x.png"), values)
    mask = decode.trimap(tmp_path / "images" / "x.jpg", (4, 6))
    assert (mask == 255).sum() == 6
    assert mask[0, 0] == 128
    frames = tmp_path / "Annotations" / "480p" / "clip"
    frames.mkdir(parents=True)
    cv2.imwrite(str(frames / "00000.png"), (values == 1).astype(np.uint8) * 255)
    found = decode.davis(tmp_path / "JPEGImages" / "480p" / "clip" / "00000.jpg", (4, 6))
    assert (found == 255).sum() == 6
    with pytest.raises(decode.MaskError, match="5 x 4"):
        decode.davis(tmp_path / "JPEGImages" / "480p" / "clip" / "00000.jpg", (4, 5))


# The catalogue -------------------------------------------------------------------------------


def test_the_catalogue_names_commits_licences_and_shares_that_add_up() -> None:
    sources = catalogue.read_catalogue()
    assert {s.masks for s in sources} >= {"teacher", "outlines", "polygons", "frames", "none"}
    assert all(s.licence and s.folder for s in sources)
    assert sum(s.share for s in sources) == pytest.approx(1.0)
    # True masks win: whoever comes first keeps a picture that two sources hold.
    first_taught = next(i for i, s in enumerate(sources) if s.masks == "teacher")
    readers = [i for i, s in enumerate(sources) if s.masks in decode.READERS]
    assert max(readers) < first_taught


def test_a_source_lists_its_pictures_by_kind(clones: Path) -> None:
    for k in range(5):
        picture(clones / "o/a/pictures/dog" / f"{k}.png", k)
    picture(clones / "o/a/pictures/drawings/0.png", 9)
    (clones / "o/a/pictures/notes.txt").write_text("no picture")
    found = catalogue.pictures(source("a", leave_out=("drawings",), apart=2))
    assert [p.identifier for p in found] == ["dog/0", "dog/2", "dog/4"]
    assert {p.kind for p in found} == {"dog"}
    with pytest.raises(catalogue.CatalogueError, match="NSSBG_CLONES"):
        catalogue.pictures(source("missing"))
    with pytest.raises(catalogue.CatalogueError, match="40 hexadecimal"):
        source("b", commit="main")
    with pytest.raises(catalogue.CatalogueError, match="masks must be one of"):
        source("b", masks="guess")
    (clones / "o/a/table.csv").write_text("image,label\n0,Hat\n")
    by_table = catalogue.pictures(source("a", kinds="csv", table="table.csv"))
    assert {p.kind for p in by_table} == {"Hat", "a"}


def test_clones_hold_one_commit_and_the_folders_wanted(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    picture(origin / "pictures" / "a.png", 1)
    picture(origin / "other" / "b.png", 2)
    (origin / "LICENSE").write_text("MIT")
    say = ["git", "-C", str(origin), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*say, *words], check=True)
    head = subprocess.run([*say, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    for key in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        subprocess.run([*say, "config", key, "true"], check=True)
    wanted = source("a", commit=head.stdout.strip())
    target = tmp_path / "clones" / "o" / "a"
    ((_, commit), paths), *_ = clone.folders_of([wanted]).items()
    clone.bring(target, f"file://{origin}", commit, paths)
    kept = {str(p.relative_to(target)) for p in target.rglob("*") if p.is_file()}
    assert {k for k in kept if not k.startswith(".git/")} == {"LICENSE", "pictures/a.png"}


# Labels --------------------------------------------------------------------------------------


def soft_disc(radius: float, level: float = 1.0, size: int = 96) -> labels.Floats:
    y, x = np.mgrid[:size, :size]
    distance = np.hypot(x - size / 2, y - size / 2)
    return (level * np.clip(radius - distance + 0.5, 0, 1)).astype(np.float32)


def test_labels_that_show_no_subject_are_dropped() -> None:
    assert labels.judged(np.zeros((50, 50), np.float32)).dropped == "nothing"
    assert labels.judged(np.ones((50, 50), np.float32)).dropped == "everything"
    assert labels.judged(soft_disc(25, 0.7)).dropped == "unsure"
    assert labels.judged(soft_disc(25), agreement=0.5).dropped == "unsure"
    dots = np.zeros((96, 96), np.float32)
    dots[::16, ::16] = 1
    assert labels.judged(cv2.dilate(dots, np.ones((8, 8)))).dropped == "scraps"
    sure, less = labels.judged(soft_disc(25)), labels.judged(soft_disc(25, 0.93))
    assert not sure.dropped
    assert 1 >= sure.weight > less.weight > 0
    assert labels.judged(soft_disc(25), agreement=0.9).weight < sure.weight


def test_a_label_is_kept_by_content_and_its_looks_are_averaged(tmp_path: Path) -> None:
    assert labels.read(tmp_path, "ab12") is None
    labels.keep(tmp_path, "ab12", "plain", soft_disc(30, size=640), (200, 300))
    alpha, agreement = labels.read(tmp_path, "ab12")
    assert alpha.shape == (200, 300)
    assert agreement == 1
    labels.keep(tmp_path, "ab12", "mirrored", np.zeros((640, 640), np.float32), (200, 300))
    averaged, agreement = labels.read(tmp_path, "ab12")
    assert averaged == pytest.approx(alpha / 2, abs=1e-6)
    assert agreement == 0
    labels.keep(tmp_path, "cd34", "plain", soft_disc(30, size=640), (2000, 1000))
    assert labels.read(tmp_path, "cd34")[0].shape == (512, 256)
    assert not list(tmp_path.rglob("*.part"))


def test_every_beginning_of_the_order_is_balanced(tmp_path: Path) -> None:
    large, small = source("large", share=0.6), source("small", share=0.3, most=20)
    wanted = [catalogue.Picture(large, f"a{k}", tmp_path, "often") for k in range(200)]
    wanted += [catalogue.Picture(large, f"b{k}", tmp_path, "seldom") for k in range(20)]
    wanted += [catalogue.Picture(small, f"c{k}", tmp_path, "only") for k in range(100)]
    ordered = labels.fair_order(wanted)
    assert ordered == labels.fair_order(wanted[::-1])
    counts = Counter((p.source.name, p.kind) for p in ordered[:30])
    assert counts["small", "only"] == 10
    assert abs(counts["large", "often"] - counts["large", "seldom"]) <= 1
    assert sum(p.source.name == "small" for p in ordered) == 20


def test_labelling_goes_on_where_it_stopped(
    clones: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = [picture(clones / "o/a/pictures/k" / f"{k}.png", k) for k in range(4)]
    (clones / "o/a/pictures/k/copy.png").write_bytes((clones / "o/a/pictures/k/0.png").read_bytes())
    monkeypatch.setattr(catalogue, "read_catalogue", lambda: [source("a")])
    monkeypatch.setattr(teach, "prepared", lambda weights, side: None)
    asked: list[np.ndarray] = []

    def counting(*_: object) -> object:
        def look(rgb: np.ndarray) -> labels.Floats:
            asked.append(rgb)
            return np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))

        return look

    monkeypatch.setattr(teacher, "teacher", counting)
    monkeypatch.setattr(sys, "argv", ["teach.py", "--nice", "0", "--side", "64", "--most", "3"])
    teach.main()
    assert len(asked) == 3
    monkeypatch.setattr(sys, "argv", ["teach.py", "--nice", "0", "--side", "64", "--looks", "2"])
    teach.main()
    # One more plain, four mirrored; the copy never.
    assert len(asked) == 8
    assert any(np.array_equal(asked[-1], rgb[:, ::-1]) for rgb in shown)
    alpha, agreement = labels.read(
        labels.labels_folder(64), catalogue.pictures(source("a"))[0].content()
    )
    assert np.abs(alpha - 0.5).max() < 0.02  # a ramp and its mirror image
    assert agreement < 0.6
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["teach.py", "--side", "64", "--report"])
    teach.main()
    assert "| a | 4 | 4 | 4 unsure |" in capsys.readouterr().out


# The teacher ---------------------------------------------------------------------------------


def folded_network(side: int) -> bytes:
    """Halves and enlarges again to sizes that are written into the file, like the teacher's."""
    helper = onnx.helper
    tensors = {
        "size": np.array([1, 3, side, side], np.int64),
        "kernel": np.full((1, 3, 1, 1), 1 / 3, np.float32),
    }
    nodes = [
        helper.make_node("MaxPool", ["input"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Resize", ["half", "", "", "size"], ["large"], mode="linear"),
        helper.make_node("Conv", ["large", "kernel"], ["output"]),
        helper.make_node("Relu", ["half"], ["other"]),
    ]
    shape = [1, 3, side, side]
    graph = helper.make_graph(
        nodes,
        "folded",
        [helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, [1, 1, side, side]),
            helper.make_tensor_value_info("other", onnx.TensorProto.FLOAT, None),
        ],
        [onnx.numpy_helper.from_array(v, k) for k, v in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def test_the_teacher_is_folded_to_another_size() -> None:
    content = folded_network(teacher.FULL_SIDE)
    model = teacher.refolded(content, 128)
    assert [o.name for o in model.graph.output] == ["output"]
    assert "Relu" not in {n.op_type for n in model.graph.node}
    look = teacher.teacher(model, 128, 1, "f32")
    rgb = np.zeros((64, 200, 3), np.uint8)
    rgb[:, 100:] = 255
    alpha = look(rgb)
    assert alpha.shape == (128, 128)
    assert alpha[:, :60].max() == 0
    assert alpha[:, 70:].min() == pytest.approx(127 / 256)
    with pytest.raises(ValueError, match="multiple of 64"):
        teacher.refolded(content, 100)


# Banks ---------------------------------------------------------------------------------------


def test_look_alikes_are_found_resaved_mirrored_and_regraded(tmp_path: Path) -> None:
    known = look_alikes.Known()
    rgb = picture(tmp_path / "a.png", 1, (120, 160))
    assert not known.holds_like(rgb, look_alikes.SAME_SCENE)
    for seed in range(2, 30):
        known.add(picture(tmp_path / "b.png", seed, (120, 160)))
    assert known.likeness(rgb) < 0.8
    known.add(rgb)
    packed = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    resaved = cv2.resize(cv2.imdecode(packed, cv2.IMREAD_COLOR), (80, 60))
    darker = (resaved[:, ::-1] * 0.6 + 20).astype(np.uint8)
    assert known.holds_like(np.ascontiguousarray(darker), look_alikes.SAME_SCENE)


def test_true_masks_win_and_measured_pictures_stay_out(clones: Path) -> None:
    rgb = {k: picture(clones / "o/true/images" / f"{k}.png", k) for k in range(12)}
    (clones / "o/true/labels").mkdir()
    for k in rgb:
        (clones / f"o/true/labels/{k}.txt").write_text("0 0.2 0.2 0.8 0.2 0.8 0.8 0.2 0.8\n")
    for k in (*range(3), *range(20, 40)):  # three of them are the true source's
        picture(clones / "o/taught/pictures/kind" / f"{k}.png", k)
    true = source("true", folder="images", masks="polygons", kinds="one")
    taught = source("taught")
    measured = clones.parent / "shared" / "evaluation" / "general"
    measured.mkdir(parents=True)
    cv2.imwrite(str(measured / "1.jpg"), cv2.cvtColor(rgb[11][:, ::-1], cv2.COLOR_RGB2BGR))
    cv2.imwrite(str(measured / "1.mask.png"), np.zeros((60, 80), np.uint8))
    folder = memmap_dataset.work_folder() / "banks"
    for name in ("people", "cats", "held-people", "held-cats", "held-backgrounds"):
        memmap_dataset.write_bank(folder, name, [])
    kept = labels.labels_folder(open_photographs.SIDE)
    for entry in catalogue.pictures(taught)[:-1]:
        alpha = soft_disc(30) if entry.identifier != "kind/25" else soft_disc(30, 0.6)
        labels.keep(kept, entry.content(), "plain", alpha, (60, 80))
    tally = open_photographs.Tally()
    found = open_photographs.gathered([true, taught], tally)
    assert tally.dropped["taught"]["held by a source before it"] == 3
    assert tally.dropped["taught"]["unsure"] == 1
    assert tally.dropped["taught"]["not labelled yet"] == 1
    everything = [entry for items in found.values() for entry in items]
    names = [f"{p.source.name}/{p.identifier}" for p, _, _ in everything]
    assert len(set(names)) == len(names) == sum(tally.taken.values())
    is_open = open_photographs.bank_of(catalogue.pictures(true)[list(rgb).index(11)])
    assert ("true/11" in names) == (is_open != "open")
    for entry, pixels, sureness in everything:
        assert pixels.shape == (60, 80, 4)
        assert open_photographs.bank_of(entry) in found
        assert sureness == 1 if entry.source is true else 0 < sureness < 1


def test_frames_of_a_clip_stay_on_one_side(tmp_path: Path) -> None:
    clips = source("d", masks="frames", folder="DAVIS")
    for clip in map(str, range(40)):
        places = {
            open_photographs.bank_of(catalogue.Picture(clips, f"{clip}/{k}", tmp_path, clip))
            for k in range(10)
        }
        assert len(places) == 1


def test_draws_follow_the_weights_and_leave_measured_sets_alone(tmp_path: Path) -> None:
    sizes = [(8 + k, 8, 4) for k in range(4)]
    items = [(str(k), "s", np.full(s, 200, np.uint8)) for k, s in enumerate(sizes)]
    notes = [(0.6, True), (0.3, False), (0.1, True), (0.0, True)]
    assert memmap_dataset.write_bank(tmp_path, "open", items, notes) == 4
    memmap_dataset.write_bank(tmp_path, "scenes", [("s", "s", np.zeros((70, 70, 3), np.uint8))])
    assert "open" not in Sources(tmp_path).foregrounds  # recipes without them stay what they were
    sources = Sources(tmp_path, opened=True)
    rng = np.random.default_rng(1)
    drawn = Counter(sources.foregrounds["open"].draw(rng).shape[0] - 8 for _ in range(4000))
    assert drawn[0] / 4000 == pytest.approx(0.6, abs=0.03)
    assert drawn[1] / 4000 == pytest.approx(0.3, abs=0.03)
    assert drawn[3] == 0
    clear = Counter(sources.foregrounds["clear"].draw(rng).shape[0] - 8 for _ in range(400))
    assert set(clear) == {0, 2}
    stream = generator.Generator(sources, 64, 3, joined=0.5, own={"open": 1.0})
    rgb, mask = stream.sample()
    assert rgb.shape == (64, 64, 3)
    assert mask.shape == (64, 64)
    for other in (Sources(tmp_path, prefix="held-"), Sources(tmp_path, validation=True)):
        assert "open" not in other.foregrounds
        assert "scene" not in other.backdrops


# Measures ------------------------------------------------------------------------------------


def test_the_boundary_overlap_sees_what_the_overlap_does_not() -> None:
    truth = np.zeros((200, 200), np.float32)
    truth[20:180, 20:180] = 1
    smaller = np.zeros((200, 200), np.float32)
    smaller[24:176, 24:176] = 1
    assert measures.boundary_overlap(truth, truth) == 1
    assert measures.overlap(smaller, truth) > 0.9
    # Rims 6 pixels deep (2 % of the diagonal), 4 pixels apart: 2 of each side's 10 are shared.
    assert measures.boundary_overlap(smaller, truth) == pytest.approx(0.2, abs=0.02)
    holed = truth.copy()
    holed[60:140, 60:140] = 0
    assert measures.boundary_overlap(holed, truth) < 0.7
    assert measures.boundary_overlap(np.zeros_like(truth), truth) == 0
    assert measures.boundary_overlap(np.zeros_like(truth), np.zeros_like(truth)) == 1


def test_pictures_are_measured_at_as_many_pixels_as_asked_for() -> None:
    rgb = np.zeros((30, 40, 3), np.uint8)
    truth = np.zeros((30, 40), np.float32)
    truth[10:20, 10:30] = 1
    large, alpha = evaluate.at_megapixels(rgb, truth, 0.12)
    assert large.shape == (300, 400, 3)
    assert alpha.shape == (300, 400)
    assert 0 <= alpha.min() < alpha.max() <= 1
    assert (alpha > 0.5).mean() == pytest.approx(truth.mean(), abs=0.01)


def test_failures_and_their_announcements_are_counted() -> None:
    assert measures.failures([0.2, 0.5, 0.9, 0.4]) == 0.5
    expected = np.array([0.6, 0.9, 0.7, 0.9, 0.9])
    overlaps = np.array([0.3, 0.4, 0.8, 0.9, 0.95])
    assert calibrate.flagged(expected, overlaps) == (0.5, pytest.approx(1 / 3))
    assert calibrate.flagged(expected, np.ones(5)) == (1.0, 0.4)


def test_a_run_goes_on_after_another_and_keeps_what_that_began_with(tmp_path: Path) -> None:
    first, average = (architecture.LiteNetwork().state_dict() for _ in range(2))
    (tmp_path / "first").mkdir()
    torch.save({"network": {}, "average": average, "step": 9}, tmp_path / "first/checkpoint.pt")
    torch.save({"average": first}, tmp_path / "first/start.pt")
    target = tmp_path / "second" / "checkpoint.pt"
    warm_start.begun_after(tmp_path / "first", target)
    begun = torch.load(target, weights_only=True)
    assert begun["step"] == 0
    kernel = "stage_two.0.weight"
    assert torch.equal(begun["network"][kernel], average[kernel])
    assert torch.equal(begun["average"][kernel], average[kernel])
    half = export.weights_of(target, 0.5)[kernel]
    assert torch.allclose(half, (first[kernel] + average[kernel]) / 2)


def test_a_run_goes_on_after_one_of_a_network_with_fewer_blocks(tmp_path: Path) -> None:
    torch.manual_seed(5)
    smaller = architecture.LiteNetwork().eval()
    smaller.context = smaller.context[:-2]
    smaller.stage_sixteen = smaller.stage_sixteen[:-1]
    weights = smaller.state_dict()
    (tmp_path / "first").mkdir()
    torch.save({"network": {}, "average": weights, "step": 9}, tmp_path / "first/checkpoint.pt")
    torch.save({"average": weights}, tmp_path / "first/start.pt")
    target = tmp_path / "second" / "checkpoint.pt"
    warm_start.begun_after(tmp_path / "first", target)
    network = architecture.LiteNetwork().eval()
    network.load_state_dict(torch.load(target, weights_only=True)["network"])
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        assert torch.allclose(network(image), smaller(image), atol=1e-5)
    kept = torch.load(target.with_name("start.pt"), weights_only=True)["average"]
    network.load_state_dict(kept)  # what is kept fits the larger network
    # Nothing else may be lacking.
    del weights["stage_two.0.weight"]
    torch.save({"network": {}, "average": weights, "step": 9}, tmp_path / "first/checkpoint.pt")
    with pytest.raises(RuntimeError, match="stage_two"):
        warm_start.begun_after(tmp_path / "first", target)


@pytest.mark.parametrize(
    "name", ["open", "open-again", "everything", "everything-again", "general"]
)
def test_recipes_with_open_photographs_say_how_often(name: str) -> None:
    path = Path(recipes.__file__).with_name(f"recipe-{name}.toml")
    for phase in recipes.read_recipe(path).phases:
        assert phase.own is not None
        assert 0 < phase.own["open"] < sum(phase.own.values()) < 1


def test_of_a_folder_only_listed_pictures_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSSBG_CLONES", str(tmp_path))
    commit = "0" * 40
    folder = tmp_path / "me" / "flowers" / "train" / "rose"
    folder.mkdir(parents=True)
    for name in ("1_a.jpg", "2_b.jpg"):
        (folder / name).write_bytes(b"")
    source = catalogue.Source(
        "f", "me/flowers", commit, "train", "CC BY 2.0", "teacher", "folder", 1.0,
        listed=f"you/lists@{commit}:some/LICENSE.txt",
    )  # fmt: skip
    with pytest.raises(catalogue.CatalogueError, match=r"LICENSE\.txt is missing"):
        catalogue.pictures(source)
    licences = tmp_path / "you" / "lists" / "some" / "LICENSE.txt"
    licences.parent.mkdir(parents=True)
    licences.write_text("rose/2_b.jpg CC-BY by somebody\n")
    assert [p.path.name for p in catalogue.pictures(source)] == ["2_b.jpg"]
    assert clone.folders_of([source]) == {
        ("me/flowers", commit): ["/train"],
        ("you/lists", commit): ["/some/LICENSE.txt"],
    }
    with pytest.raises(catalogue.CatalogueError, match="OWNER/NAME@COMMIT:PATH"):
        catalogue.Source("f", "a/b", commit, "x", "CC0", "teacher", "one", 1.0, listed="x")


def test_a_backdrop_in_which_the_teacher_sees_a_subject_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSSBG_CLONES", str(tmp_path / "clones"))
    monkeypatch.setenv("NSSBG_TRAINING_WORK", str(tmp_path / "work"))
    monkeypatch.setattr(open_photographs, "kept_apart", look_alikes.Known)
    folder = tmp_path / "clones" / "me" / "scenes" / "all"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(3)
    for name in ("clutter", "subject", "unlabelled"):
        cv2.imwrite(str(folder / f"{name}.png"), rng.integers(0, 255, (80, 90, 3), np.uint8))
    source = catalogue.Source("s", "me/scenes", "0" * 40, "all", "CC0", "none", "one", 0.0)
    found = {p.path.stem: p for p in catalogue.pictures(source)}
    sure = np.zeros((80, 90), np.float32)
    labels_at = labels.labels_folder(open_photographs.SIDE)
    labels.keep(labels_at, found["clutter"].content(), "plain", sure, sure.shape)
    sure[20:60, 20:60] = 1
    labels.keep(labels_at, found["subject"].content(), "plain", sure, sure.shape)
    names = [identifier for identifier, _, _ in open_photographs.scene_items([source])]
    assert names == ["s/clutter", "s/unlabelled"]


def test_the_steps_of_the_post_processing_are_the_cores() -> None:
    """Each alone changes what it is for, and in turn they are what the core does at once."""
    alpha = np.zeros((160, 160), np.float32)
    alpha[30:130, 30:130] = 1
    alpha[60:66, 60:66] = 0.7  # a dip
    alpha[140:155, 5:50] = 0.6  # a stranger's arm
    alpha[2, 150] = 0.05  # stray
    steps = post_processing.STEPS
    changed = {name: np.argwhere(step(alpha) != alpha) for name, step in steps.items()}
    assert changed["faint components"].min(axis=0).tolist() == [140, 5]
    assert changed["stray alpha"].tolist() == [[2, 150]]
    assert len(changed["dips"]) == 36
    in_turn = steps["dips"](steps["stray alpha"](steps["faint components"](alpha)))
    assert np.array_equal(in_turn, steps["all"](alpha))
    line = post_processing.row([(0.5, 0.02), (0.9, 0.01)], [(0.6, 0.01), (0.9, 0.01)])
    assert line == "+0.0500 (1 / 0) -50.0"
