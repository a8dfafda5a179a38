"""A network that no confidence was fitted to says so everywhere, and borrows none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from model_graphs import mask_network
from PIL import Image

import nssbg
from nssbg._models.catalog import describe
from nssbg._models.fitted import ConfidenceWeights
from nssbg._segment.confidence import confidence, map_confidence
from nssbg.cli.main import main

SOFT = np.clip(np.linspace(-3, 4, 64 * 64), 0, 1).reshape(64, 64).astype(np.float32)
TRAINING = Path(__file__).parents[2] / "training"


@pytest.fixture
def network(tmp_path):
    """Brightness thresholds to a mask: any picture with a dark half has an outline."""
    path = mask_network(tmp_path / "own.onnx", size=(48, 64))
    (tmp_path / "own.onnx.toml").write_text("size = [48, 64]\n")
    return path


@pytest.fixture
def picture(tmp_path):
    rgb = np.full((96, 128, 3), 20, np.uint8)
    rgb[20:70, 30:90] = 230
    path = tmp_path / "p.png"
    Image.fromarray(rgb).save(path)
    return path


def test_its_results_have_none_and_a_note(network, picture):
    with nssbg.Remover(network) as remover:
        cutout = remover.cutout(picture)
    assert (cutout.confidence, cutout.low_confidence) == (None, None)
    assert (cutout.report.confidence, cutout.report.low_confidence) == (None, None)
    assert [note for note in cutout.notes if "no confidence fitted for this model" in note]


def test_the_command_says_so(network, picture, tmp_path, capsys):
    arguments = [str(picture), "--model", str(network), "--overwrite"]
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["confidence"], told["low_confidence"]) == (None, None)
    assert main(arguments) == 0
    shown = capsys.readouterr()
    assert "confidence unknown" in shown.out
    assert shown.err.count("no confidence fitted for this model") == 1


def test_weights_of_its_own_give_it_one(network, picture):
    sidecar = network.with_name("own.onnx.toml")
    sidecar.write_text(sidecar.read_text() + "[confidence]\nsingle = [1.0, 0, 0, 0]\n")
    with nssbg.Remover(network) as remover:
        cutout = remover.cutout(picture)
    assert cutout.confidence == pytest.approx(1 / (1 + np.exp(-1.0)))
    assert cutout.low_confidence is True
    assert not [note for note in cutout.notes if "no confidence" in note]


def test_weights_count_for_the_number_of_maps_they_were_fitted_on():
    alone = ConfidenceWeights(single=(1.0, 0.0, 0.0, 0.0))
    assert confidence(SOFT, weights=alone).overlap == pytest.approx(0.7311, abs=1e-4)
    assert confidence(SOFT, SOFT, weights=alone).overlap is None
    assert confidence(SOFT, SOFT, weights=None).low_confidence is None


def test_maps_of_an_unfitted_network_are_ordered_by_their_doubt():
    sure = (SOFT > 0.5).astype(np.float32)
    blurred = SOFT * np.float32(0.4) + np.float32(0.3)
    levels = [map_confidence(alpha, None) for alpha in (blurred, SOFT, sure)]
    assert levels == sorted(levels)
    assert levels[0] < 0.5 < levels[1]
    assert map_confidence(np.zeros((8, 8), np.float32), None) == 0.0
    fitted = describe("nssbg-lite").confidence
    assert map_confidence(SOFT, fitted) == confidence(SOFT, weights=fitted).overlap


def test_training_puts_weights_where_the_package_reads_them(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TRAINING))
    monkeypatch.delitem(sys.modules, "sidecar", raising=False)
    import sidecar

    weights = mask_network(tmp_path / "own.onnx", size=(48, 64))
    path = tmp_path / "own.onnx.toml"
    path.write_text("# made by hand\nsize = [48, 64]\nlicense = 'MIT'\n")
    for first in (1.25, -0.5):  # again: in place of what was there
        sidecar.put_table(weights, "confidence", "fitted", {"single": [first, 0, 0, 0]})
        six = dict.fromkeys(("studio_is_better", "studio_overlap", "network_overlap"), [first] * 6)
        sidecar.put_table(weights, "selector", "fitted", six)
    found = describe(weights)
    assert found.license == "MIT"
    assert found.confidence == ConfidenceWeights(single=(-0.5, 0.0, 0.0, 0.0))
    assert found.selector is not None
    assert found.selector.studio_overlap == (-0.5,) * 6
    before = path.read_text()
    assert before.count("[confidence]") == before.count("[selector]") == 1
    with pytest.raises(nssbg.ModelError, match="no list of 4"):
        sidecar.put_table(weights, "confidence", "fitted", {"single": [1, 2]})
    assert path.read_text() == before
    assert sorted(p.name for p in tmp_path.glob("*.toml")) == ["own.onnx.toml"]
    monkeypatch.delitem(sys.modules, "sidecar")
