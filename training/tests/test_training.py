"""Tests of the training: four pictures are learnt, a stopped run goes on as if it had not been
stopped, the generator is a function of its seed, and the measures give known answers."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
torch = pytest.importorskip("torch")

import architecture  # noqa: E402
import export  # noqa: E402
import generator  # noqa: E402
import losses  # noqa: E402
import measures  # noqa: E402
import memmap_dataset  # noqa: E402
import muon  # noqa: E402
import prepare  # noqa: E402
import procedural  # noqa: E402
import recipe as recipes  # noqa: E402
import samples  # noqa: E402
import sets  # noqa: E402
import train  # noqa: E402
import warm_start  # noqa: E402
from sources import Pool, Sources  # noqa: E402

RECIPE = """
seed = 5
peak = 1e-3
warm_up = 2
decay_from = 4
floor = 0.1
weight_decay = 0.0
[[phases]]
size = 64
batch = 4
steps = 4
easy = 0.5
[[phases]]
size = 96
batch = 4
steps = 2
easy = 0.5
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with small banks of drawn objects standing in for every source."""
    folder = tmp_path_factory.mktemp("work")
    drawn = list(procedural.items(24, 3, None))
    memmap_dataset.write_bank(folder / "banks", "procedural", drawn)
    scenes = [(i, "", np.ascontiguousarray(p[..., :3])) for i, _, p in drawn]
    for name in ("backgrounds", "fills"):
        memmap_dataset.write_bank(folder / "banks", name, scenes)
    for name in ("people", "cats"):
        every = [f"{k:04d}" for k in range(300)]
        seen = [x for x in every if memmap_dataset.is_validation(name, x)][:2]
        names = seen + [x for x in every if not memmap_dataset.is_validation(name, x)]
        kept = [(x, name, p) for x, (_, _, p) in zip(names, drawn, strict=False)]
        memmap_dataset.write_bank(folder / "banks", name, kept)
    return folder


def test_four_pictures_are_learnt(work: Path) -> None:
    torch.manual_seed(0)
    stream = generator.Generator(Sources(work / "banks"), 96, 11)
    pairs = []
    while len(pairs) < 4:
        rgb, mask = stream.composite()
        if 0.1 < (mask > 127).mean() < 0.6:
            pairs.append((rgb, mask))
    rgb = torch.from_numpy(np.stack([p[0] for p in pairs]))
    mask = torch.from_numpy(np.stack([p[1] for p in pairs]))
    outline = torch.from_numpy(np.stack([losses.boundary_map(p[1]) for p in pairs]))
    network = architecture.LiteNetwork().train()
    kernels, thin = train.split_parameters(network)
    optimizers = [muon.Muon(kernels, lr=2e-3), torch.optim.AdamW(thin, lr=2e-3)]
    for _ in range(60):
        full, sides = network.forward_training(samples.normalised(rgb))
        loss, error = losses.total_loss(full, sides, mask, outline)
        network.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
    alpha = torch.sigmoid(full.detach())[:, 0].numpy()
    overlaps = [measures.overlap(a, t / 255) for a, t in zip(alpha, mask.numpy(), strict=True)]
    assert error < 0.03
    assert min(overlaps) > 0.9


def test_a_stopped_run_goes_on(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSSBG_TRAINING_WORK", str(work))
    recipe = tmp_path / "recipe.toml"
    short = RECIPE.rsplit("[[phases]]", 1)[0]
    common = [
        "--recipe",
        str(recipe),
        "--ranks",
        "1",
        "--workers",
        "0",
        "--report",
        "2",
        "--watch",
        "100",
    ]
    recipe.write_text(short)
    train.main([*common, "--name", "run"])
    first = torch.load(work / "runs/run/checkpoint.pt", weights_only=True)
    assert first["step"] == 4
    recipe.write_text(RECIPE)
    train.main([*common, "--name", "run", "--resume"])
    second = torch.load(work / "runs/run/checkpoint.pt", weights_only=True)
    assert second["step"] == 6
    moved = [not torch.equal(first["network"][k], second["network"][k]) for k in first["network"]]
    assert sum(moved) > len(moved) / 2
    assert "start at step 4 of 6" in (work / "runs/run/log.txt").read_text()


def test_the_rate_warms_up_stays_and_falls(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    recipe = recipes.read_recipe(tmp_path / "recipe.toml")
    rates = [recipe.rate_at(step) for step in range(recipe.steps)]
    assert rates[0] == pytest.approx(5e-4)
    assert rates[2] == rates[3] == 1e-3
    assert rates[5] < rates[4]
    assert recipe.phase_at(3)[1].size == 64
    assert recipe.phase_at(4)[1:] == (recipe.phases[1], 2)
    with pytest.raises(IndexError):
        recipe.phase_at(6)


def test_a_seed_gives_one_stream(work: Path) -> None:
    sources = Sources(work / "banks")
    first, again, other = (generator.Generator(sources, 64, seed) for seed in (1, 1, 2))
    for _ in range(8):
        (rgb, mask), (rgb_again, mask_again) = first.sample(), again.sample()
        assert np.array_equal(rgb, rgb_again)
        assert np.array_equal(mask, mask_again)
        assert rgb.shape == (64, 64, 3)
        assert mask.shape == (64, 64)
    assert not np.array_equal(first.sample()[0], other.sample()[0])


def test_no_picture_stands_on_two_sides_of_the_split() -> None:
    names = [f"{k:04d}" for k in range(2000)]
    held = {n for n in names if memmap_dataset.is_held_out("people", n)}
    validation = {n for n in names if memmap_dataset.is_validation("people", n)}
    assert not held & validation
    assert 150 < len(held) < 250
    assert 50 < len(validation) < 130


def test_measures_give_known_answers() -> None:
    truth = np.zeros((40, 40), np.float32)
    truth[10:30, 10:30] = 1
    perfect = measures.all_measures(truth, truth)
    assert perfect["IoU"] == perfect["maxF"] == 1
    assert perfect["MAE"] == perfect["edge"] == 0
    assert perfect["wF"] == pytest.approx(1, abs=1e-4)
    assert perfect["S"] == pytest.approx(1, abs=1e-3)
    half = truth.copy()
    half[10:20] = 0
    assert measures.overlap(half, truth) == pytest.approx(0.5)
    assert measures.mean_absolute_error(half, truth) == pytest.approx(200 / 1600)
    wrong = measures.all_measures(1 - truth, truth)
    assert wrong["IoU"] == 0
    assert wrong["S"] < 0.2
    assert wrong["wF"] < 0.1


def test_muon_steps_are_orthogonal() -> None:
    matrix = torch.randn(24, 60, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(muon.orthogonal(matrix).float())
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_the_network_takes_any_multiple_of_32_and_exports(tmp_path: Path) -> None:
    network = architecture.LiteNetwork().eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 96, 160)).shape == (2, 1, 96, 160)
    full, small = tmp_path / "full.onnx", tmp_path / "small.onnx"
    export.export_float32(network, full)
    export.store_small(full, small)
    assert small.stat().st_size < export.LIMIT_BYTES
    assert export.run_onnxruntime(small, np.zeros((1, 3, 96, 160), np.float32)).shape[2:] == (
        96,
        160,
    )
    batch = np.random.default_rng(1).standard_normal((2, 3, 320, 320), np.float32)
    wanted = export.run_onnxruntime(full, batch)
    found = export.run_onnxruntime(small, batch)
    assert np.abs(wanted - found).mean() < export.LIMIT_MEAN
    assert np.abs(export.run_openvino(small, batch) - found).max() < export.LIMIT_RUNTIMES
    with torch.no_grad():
        straight = torch.sigmoid(network(torch.from_numpy(batch))).numpy()
    assert np.abs(straight - wanted).max() < 1e-3


@pytest.mark.parametrize("grown", [False, True])
def test_a_run_starts_warm_from_an_exported_file(tmp_path: Path, grown: bool) -> None:
    torch.manual_seed(4)
    network = architecture.LiteNetwork()
    if grown:
        network.context = torch.nn.Sequential()  # the file is of the network before it had these
        network.stage_sixteen = network.stage_sixteen[:-1]
    with torch.no_grad():
        for norm in (m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)):
            norm.weight.uniform_(0.3, 1.5)
            norm.bias.uniform_(-0.3, 0.3)
    export.export_float32(network.eval(), tmp_path / "full.onnx")
    export.store_small(tmp_path / "full.onnx", tmp_path / "small.onnx")
    batches = [torch.randn(2, 3, 64, 64) for _ in range(2)]
    warm = architecture.LiteNetwork()
    warm_start.unfold(warm, onnx.load(str(tmp_path / "small.onnx")), batches)
    other = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        found = torch.sigmoid(warm.eval()(other)).numpy()
    wanted = export.run_onnxruntime(tmp_path / "small.onnx", other.numpy())
    assert np.abs(wanted - found).max() < 1e-3
    # Rows of one length, and norms whose statistics are those of the batches.
    kernel = warm.stage_sixteen[0][0].weight
    assert kernel.pow(2).mean((1, 2, 3)).sqrt().detach().numpy() == pytest.approx(
        warm_start.ROW_RMS, rel=1e-3
    )
    seen = []
    hook = warm.stage_two[0].register_forward_hook(lambda m, i, o: seen.append(o))
    with torch.no_grad():
        for batch in batches:
            warm(batch)
    hook.remove()
    mean = torch.stack(seen).mean((0, 1, 3, 4))
    assert torch.allclose(warm.stage_two[1].running_mean, mean, atol=1e-4)


def test_validation_pictures_are_apart_from_those_trained_on(work: Path) -> None:
    trained = Sources(work / "banks")
    validation = Sources(work / "banks", validation=True)
    for kind in ("people", "cats"):
        names = [{b.ids[i] for b, i in s.foregrounds[kind]} for s in (trained, validation)]
        assert names[0]
        assert len(names[1]) == 2
        assert not names[0] & names[1]


def test_choices_are_made_on_what_is_neither_trained_on_nor_measured(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSSBG_TRAINING_WORK", str(work))
    validation = sets.validation(made=3)
    names = {kind: [name for name, _, _ in pictures()] for kind, pictures in validation.items()}
    for kind in ("people", "cats"):
        assert len(names[kind]) == 2
        assert all(memmap_dataset.is_validation(kind, name) for name in names[kind])
    # The drawn ones are made of validation objects: of 24, one or two.
    seen = Sources(work / "banks", validation=True).foregrounds["procedural"]
    assert 0 < len(seen) < 24
    assert len(names["composites"]) == len(names["products"]) == 3
    first, again = ([t for _, _, t in validation["composites"]()] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert first[0].dtype == np.float32
    assert 0 <= first[0].min() < first[0].max() <= 1


def test_a_share_of_the_weights_begun_with_is_kept(tmp_path: Path) -> None:
    weights = {"w": torch.tensor([1.0, 3.0]), "n": torch.tensor(7)}
    start = {"w": torch.tensor([5.0, -1.0]), "n": torch.tensor(2)}
    torch.save({"average": weights}, tmp_path / "checkpoint.pt")
    torch.save({"average": start}, tmp_path / "start.pt")
    kept = export.weights_of(tmp_path / "checkpoint.pt", 0.25)
    assert kept["w"].tolist() == [2.0, 2.0]
    assert kept["n"] == 7
    other = tmp_path / "other.pt"
    torch.save({"average": {"w": torch.tensor([9.0, 7.0])}}, other)
    mixed = export.weights_of(tmp_path / "checkpoint.pt", 0.5, other)
    assert mixed["w"].tolist() == [5.0, 5.0]
    assert export.weights_of(tmp_path / "checkpoint.pt")["w"].tolist() == [1.0, 3.0]


def test_what_is_shown_again_is_taken_before_the_batch_is_handed_over(work: Path) -> None:
    """The loader's queue moves a batch to shared memory and frees what it stood in."""
    phase = recipes.Phase(64, 2, 4, 0.5)
    kept = []
    for index, batch in enumerate(samples.Samples(work / "banks", phase, 3)):
        kept.append([t.clone() for t in batch])
        for values in batch:
            values.zero_()
        if index == samples.ECHO_DELAY + 1:
            break
    first, again = kept[0], kept[-1]
    assert first[1].any()
    for values, mirrored in zip(first, again, strict=True):
        assert torch.equal(values.flip(2), mirrored)


def test_bent_and_far_photographs_keep_their_masks(tmp_path: Path) -> None:
    """A subject of one colour: wherever it goes, the mask says where that colour is."""
    picture = np.zeros((120, 160, 4), np.uint8)
    picture[..., :3] = (30, 90, 40)
    picture[30:80, 50:110] = (220, 180, 200, 255)
    memmap_dataset.write_bank(tmp_path, "cats", [("a", "cats", picture)])
    sources = Sources(tmp_path)
    sources.foregrounds.setdefault("cats", Pool([(memmap_dataset.Bank(tmp_path, "cats"), 0)]))
    stream = generator.Generator(sources, 96, 5, far=1.0, bent=1.0)
    matrix = np.array([[0.45, 0.05, 8.0], [-0.04, 0.5, 12.0]])
    straight = generator.Generator(sources, 96, 5).warped(picture, matrix)
    moved, shares = 0, []
    for _ in range(20):
        bent = stream.warped(picture, matrix)
        found = bent[..., 0] > 125
        assert (found != (bent[..., 3] > 127)).mean() < 0.01
        moved += (bent[..., 3] != straight[..., 3]).mean() > 0.01
        shares.append((stream.own_photograph("cats")[1] > 127).mean())
    assert moved > 15  # each one another shape
    whole = (picture[..., 3] > 127).mean()
    # From farther off the subject is smaller; its mirror images make up for that on the whole.
    assert 0.5 * whole < np.mean(shares) < 1.6 * whole


def test_blocks_are_left_out_in_training_alone() -> None:
    torch.manual_seed(2)
    network = architecture.LiteNetwork().eval()
    picture = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        wanted = network(picture)
        network.drop_paths(0.5)
        assert torch.equal(network(picture), wanted)
        block = network.context[-1].train()
        assert block.drop == 0.5
        features, branch = torch.rand(4000, 2, 1, 1), torch.ones(4000, 2, 1, 1)
        added = (block.joined(features, branch) - features)[:, 0, 0, 0]
    whole = torch.isclose(added, torch.tensor(2.0), atol=1e-5)
    none = torch.isclose(added, torch.tensor(0.0), atol=1e-5)
    assert bool((whole | none).all())
    assert 0.45 < float(whole.float().mean()) < 0.55


def test_seams_between_two_animals_are_closed() -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[10:50, 10:38] = mask[10:50, 41:70] = 255
    closed = prepare.without_seams(mask)
    assert (closed[12:48, 10:70] == 255).all()
    apart = np.zeros((60, 80), np.uint8)
    apart[10:50, 10:30] = apart[10:50, 45:70] = 255
    assert np.array_equal(prepare.without_seams(apart), apart)
