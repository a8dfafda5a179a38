"""Features measured on drawn cut-outs of known truth, and what the limits make of them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from batch_pictures import cutout_of, product, profile_of

import nssbg
from nssbg.batch.output import render_outputs
from nssbg.batch.profile import Limits, load_profile
from nssbg.batch.validate import validate_rendered
from nssbg.batch.verdict import Features, measure_features, verdict

MUG = Path(__file__).parents[1] / "data" / "mug.jpg"
GOOD = Features(
    empty=False,
    subject_share=0.3,
    components=1,
    holes=0,
    border_contact=0.0,
    softness=0.1,
    halo=0.05,
    confidence=0.97,
    low_confidence=False,
    enlargement=1.0,
    fill=0.87,
)


def opaque_subject(height, width, *boxes):
    """Opaque boxes (top, left, bottom, right) of one colour."""
    rgba = np.zeros((height, width, 4), np.uint8)
    for top, left, bottom, right in boxes:
        rgba[top:bottom, left:right] = (150, 60, 40, 255)
    return rgba


@pytest.mark.parametrize("factor", [1, 3])
def test_parts_and_holes_are_counted_at_any_size(factor):
    rgba = opaque_subject(400, 500, (50, 50, 250, 250), (50, 300, 250, 450), (300, 300, 340, 340))
    rgba[100:140, 100:140] = 0
    rgba[180:220, 100:140] = 0
    rgba[0, 0] = (1, 1, 1, 255)  # one pixel is no part
    rgba = rgba.repeat(factor, 0).repeat(factor, 1)
    found = measure_features(cutout_of(rgba))
    assert (found.components, found.holes) == (3, 2)
    assert not found.empty
    assert abs(found.subject_share - (200 * 200 + 200 * 150 + 40 * 40 - 2 * 1600) / 200_000) < 0.01


def test_contact_with_the_photographs_border():
    rgba = opaque_subject(400, 400, (200, 100, 400, 300))
    assert measure_features(cutout_of(rgba)).border_contact == 200 / 1600
    assert (
        measure_features(cutout_of(opaque_subject(400, 400, (5, 5, 395, 395)))).border_contact == 0
    )


def test_softness_is_the_share_of_soft_pixels():
    rgba = opaque_subject(400, 400, (100, 100, 300, 300))
    assert measure_features(cutout_of(rgba)).softness == 0
    rgba[100:300, 100:200, 3] = 128
    assert measure_features(cutout_of(rgba)).softness == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("left_over", [0.0, 0.3, 0.8])
def test_the_halo_score_is_the_share_of_background_in_the_edges_colour(left_over, dtype):
    full = np.iinfo(dtype).max
    step = full // 255
    size = 600
    y, x = np.mgrid[0:size, 0:size] + 0.5
    away = np.hypot(y - size / 2, x - size / 2)
    alpha = np.clip(0.5 - (away - 200) / 3, 0, 1)
    subject, behind = np.array([150, 60, 40]), np.array([20, 200, 90])
    soft = ((alpha > 0) & (alpha < 1))[..., None]
    colors = np.where(soft, subject + left_over * (behind - subject), subject)
    rgba = np.dstack([np.rint(colors), alpha * 255]) * step
    rgba[alpha == 0] = 0
    photograph = np.broadcast_to(behind * step, (size, size, 3)).astype(dtype)
    cutout = cutout_of(rgba.astype(dtype))
    frame = dataclasses.replace(cutout.frame, rgb=photograph)
    found = measure_features(dataclasses.replace(cutout, frame=frame))
    assert found.halo == pytest.approx(left_over, abs=0.03)


def test_the_pipelines_own_edge_colours_score_low_and_the_photographs_own_high():
    with nssbg.Remover("studio") as remover:
        clean = measure_features(remover.cutout(MUG))
        raw = measure_features(remover.cutout(MUG, decontaminate="off"))
    limit = load_profile("amazon-main").review.halo_above
    assert clean.halo < limit / 2
    assert raw.halo > limit


def test_enlargement_and_fill_come_from_the_outputs():
    cutout = cutout_of(product(100, 80))
    found = measure_features(cutout, render_outputs(cutout, profile_of(), stem="a"))
    assert found.enlargement > 2
    assert found.fill >= 0.85
    assert measure_features(cutout).fill is None


@pytest.mark.parametrize("model", ["studio", "auto"])
def test_a_blank_picture_fails_for_being_empty(model):
    profile = load_profile("amazon-main")
    with nssbg.Remover(model) as remover:
        cutout = remover.cutout(np.full((300, 400, 3), 255, np.uint8))
    outputs = render_outputs(cutout, profile, stem="a")
    found = verdict(
        measure_features(cutout, outputs), profile, [validate_rendered(m, profile) for m in outputs]
    )
    assert found.status == "fail"
    assert "empty result" in found.reasons[0]


def test_a_subject_of_a_few_pixels_is_not_empty():
    rgba = opaque_subject(3000, 3000, (1001, 1001, 1003, 1003))
    found = measure_features(cutout_of(rgba))
    assert not found.empty
    assert verdict(found, load_profile("amazon-main")).status == "fail"


def test_a_good_picture_passes():
    found = verdict(GOOD, load_profile("amazon-main"))
    assert (found.status, found.reasons) == ("pass", ())


def test_limits_on_a_confidence_that_no_one_fitted_are_not_looked_at_and_said():
    unknown = dataclasses.replace(GOOD, confidence=None, low_confidence=None)
    limited = dataclasses.replace(
        load_profile("ebay"),
        review=Limits(low_confidence=True),
        fail=Limits(confidence_below=0.9, holes_above=3),
    )
    found = verdict(unknown, limited)
    assert (found.status, found.reasons) == ("pass", ())
    assert "no confidence fitted" in found.notes[0]
    holed = verdict(dataclasses.replace(unknown, holes=4), limited)
    assert (holed.status, len(holed.reasons), holed.notes) == ("fail", 1, found.notes)
    assert verdict(GOOD, limited).notes == ()
    unlimited = dataclasses.replace(limited, review=Limits(), fail=Limits())
    assert verdict(unknown, unlimited).notes == ()


@pytest.mark.parametrize(
    ("feature", "limit", "said"),
    [
        (
            {"low_confidence": True, "confidence": 0.5},
            {"low_confidence": True},
            "low confidence (0.50)",
        ),
        ({"confidence": 0.5}, {"confidence_below": 0.6}, "confidence 0.50, below 0.60"),
        ({"subject_share": 0.01}, {"subject_share_below": 0.05}, "share of the picture 1.00%"),
        ({"components": 4}, {"components_above": 3}, "parts 4, above 3"),
        ({"holes": 4}, {"holes_above": 3}, "holes 4, above 3"),
        ({"border_contact": 0.2}, {"border_contact_above": 0.1}, "photograph's frame: 20.0%"),
        ({"softness": 0.6}, {"softness_above": 0.5}, "softness 0.60, above 0.50"),
        ({"halo": 0.6}, {"halo_above": 0.5}, "halo 0.60, above 0.50"),
        ({"enlargement": 2.0}, {"enlargement_above": 1.5}, "enlarged 2.00, above 1.50"),
    ],
)
def test_each_limit_reviews_or_fails_and_says_why(feature, limit, said):
    base = dataclasses.replace(load_profile("ebay"), review=Limits(), fail=Limits())
    found = dataclasses.replace(GOOD, **feature)
    assert verdict(found, base).status == "pass"
    for status in ("review", "fail"):
        profile = dataclasses.replace(base, **{status: Limits(**limit)})
        made = verdict(found, profile)
        assert made.status == status
        assert len(made.reasons) == 1
        assert said in made.reasons[0]
        assert verdict(GOOD, profile).status == "pass"


def test_an_output_that_does_not_pass_fails_the_picture():
    profile = dataclasses.replace(
        profile_of(fill=0.5), require=dataclasses.replace(load_profile("amazon-main").require)
    )
    cutout = cutout_of(product())
    outputs = render_outputs(cutout, profile, stem="mug")
    found = verdict(
        measure_features(cutout, outputs), profile, [validate_rendered(m, profile) for m in outputs]
    )
    assert found.status == "fail"
    assert any(reason.startswith("mug.jpg: fill: 50") for reason in found.reasons)
    assert any(reason.startswith("mug.jpg: size: ") for reason in found.reasons)
