"""Profiles: read strictly, shipped whole, with errors that say what is allowed."""

import dataclasses

import pytest

from nssbg import OptionError
from nssbg.batch.names import check_template, expanded
from nssbg.batch.profile import list_profiles, load_profile, shipped_profiles

SHIPPED = (
    "amazon-main",
    "ebay",
    "etsy",
    "google-merchant",
    "shopify-square",
    "transparent-web",
)
PLAIN = '[[outputs]]\nname = "{stem}.jpg"\nformat = "jpeg"\nbackground = "white"\n'


def written(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_the_shipped_profiles_are_these():
    assert tuple(shipped_profiles()) == SHIPPED
    assert tuple(profile.name for profile in list_profiles()) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_rule_is_explained_and_dated(name):
    text = shipped_profiles()[name].read_text()
    profile = load_profile(name)
    assert profile.as_of == "2026-11"
    assert profile.source.startswith("https://") or name == "transparent-web"
    assert text.startswith("# ")
    assert profile.outputs[0].background is None or profile.outputs[0].exact_background
    assert profile.metadata != "keep", "no marketplace gets a seller's position"
    if profile.require.exact_background:
        assert profile.outputs[0].exact_background
    if profile.require.least_fill is not None:
        assert profile.outputs[0].fill > profile.require.least_fill


def test_amazon_is_what_amazon_publishes():
    require = load_profile("amazon-main").require
    assert (require.background, require.exact_background) == ("#ffffff", True)
    assert (require.least_fill, require.least_long_side, require.most_long_side) == (
        0.85,
        1000,
        10_000,
    )


def test_a_users_own_file(tmp_path):
    path = written(tmp_path, 'metadata = "keep"\n' + PLAIN + "canvas = [300, 200]\nfill = 0.9\n")
    profile = load_profile(path)
    assert profile.name == "mine"
    assert (profile.outputs[0].width, profile.outputs[0].height) == (300, 200)
    assert load_profile(str(path)) == profile


def test_profiles_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_profile("ebay").metadata = "keep"


def test_the_fingerprint_follows_what_changes_the_result(tmp_path):
    base = load_profile(written(tmp_path, PLAIN)).fingerprint
    assert load_profile(written(tmp_path, 'summary = "x"\n' + PLAIN)).fingerprint == base
    seen = {base}
    for text in (
        'metadata = "keep"\n' + PLAIN,
        PLAIN + "quality = 80\n",
        PLAIN + "[fail]\nlow_confidence = true\n",
    ):
        seen.add(load_profile(written(tmp_path, text)).fingerprint)
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "outputs: expected at least one"),
        ("not toml", "no valid TOML"),
        (
            PLAIN + "qualty = 3\n",
            r"outputs\[1\]\.qualty is not known here \(did you mean 'quality'",
        ),
        ("metdata = 'keep'\n" + PLAIN, "did you mean 'metadata'"),
        ('metadata = "keeep"\n' + PLAIN, 'expected "keep", "strip", "copyright" .did you mean'),
        (PLAIN + "quality = 101\n", "0 to 100, not 101"),
        (PLAIN + "quality = true\n", "not True"),
        (PLAIN + "fill = 1.5\n", "fill: expected a number of 0.01 to 1, not 1.5"),
        (PLAIN + "canvas = [0, 5]\n", "canvas: expected"),
        (PLAIN + "canvas = [5.0, 5]\n", "canvas: expected"),
        (PLAIN.replace("white", "whiite"), "no colour"),
        (PLAIN.replace("white", "transparent"), "jpeg has no transparency"),
        (PLAIN.replace("{stem}", "{stm}"), r"has \{stm\}; expected \{dir\}"),
        (PLAIN.replace("{stem}", "a"), "same for all pictures"),
        (PLAIN.replace("{stem}", "../{stem}"), "out of the output folder"),
        (PLAIN.replace("{stem}", "{stem"), "malformed"),
        (PLAIN + PLAIN, "two outputs have the same name"),
        ('[[outputs]]\nformat = "png"\nquality = 3\n', "png is lossless"),
        ('[[outputs]]\nformat = "png"\nmax_bytes = 3\n', "no quality to step down"),
        ('[[outputs]]\nformat = "webp"\nsubsampling = "4:2:0"\n', "for jpeg and avif"),
        ("[[outputs]]\nexact_background = true\n", "no background colour"),
        (PLAIN.replace("white", "#c81e3c") + "exact_background = true\n", "cannot hold #c81e3c"),
        (PLAIN.replace("jpeg", "avif") + "exact_background = true\n", "lossy avif"),
        (PLAIN + "[require]\nexact_background = true\n", "needs a background colour"),
        (PLAIN + '[require]\nformats = ["jpg"]\n', "did you mean 'jpeg'"),
        (PLAIN + "[review]\nhalo_above = -1\n", "review.halo_above: expected a number of 0 to 1"),
        (PLAIN + "[review]\nhallo_above = 1\n", "review.hallo_above .*did you mean 'halo_above'"),
        ('name = "a/b"\n' + PLAIN, "cannot stand in a file name"),
        (PLAIN + "quality = 60\nleast_quality = 61\n", "least_quality: is above quality, 60"),
        (PLAIN + '[require]\nformats = ["png"]\n', r"outputs\[1\]\.format: jpeg is none of"),
        (PLAIN + '[require]\ntransparency = "required"\n', "an opaque output"),
        (PLAIN + "canvas = [9, 9]\n[require]\nleast_long_side = 10\n", "canvas: is smaller"),
        (PLAIN + "canvas = [9, 9]\n[require]\nmost_pixels = 80\n", "canvas: is larger"),
        (PLAIN + "canvas = [9, 9]\n[require]\nleast_fill = 0.9\n", "less than require.least_fill"),
        (
            PLAIN.replace("white", "#f0f0f0") + 'exact_background = true\ncolor_space = "keep"\n',
            "other numbers in each picture's own colour space",
        ),
        (PLAIN + '[require]\nbackground = "black"\n', "white is not require.background"),
        (
            PLAIN + '[require]\nbackground = "#fff"\nexact_background = true\n',
            r"outputs\[1\]\.exact_background: is false",
        ),
        ("outputs = 3\n", r"each under \[\[outputs\]\]"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(tmp_path, text, said):
    path = written(tmp_path, text)
    with pytest.raises(OptionError, match=said) as caught:
        load_profile(path)
    assert str(path) in str(caught.value)


def test_an_unknown_name_gets_a_suggestion(tmp_path):
    with pytest.raises(OptionError, match="did you mean 'amazon-main'"):
        load_profile("amazon")
    with pytest.raises(OptionError, match=r"cannot read .*missing\.toml"):
        load_profile(tmp_path / "missing.toml")


def test_names_are_filled_and_stay_below_the_output_folder():
    fields = {"dir": "a/b", "stem": "x y", "sku": "S1", "index": 7, "profile": "p", "ext": "jpg"}
    template = "{dir}/{sku}-{index:03d}-{stem}.{profile}.{ext}"
    check_template(template)
    assert expanded(template, fields) == "a/b/S1-007-x y.p.jpg"
    assert expanded("{dir}/{stem}.{ext}", {**fields, "dir": ""}) == "x y.jpg"
    for bad, said in (
        ({"sku": None}, "needs {sku}"),
        ({"sku": "a/b"}, "cannot stand in a file name"),
        ({"dir": ".."}, "out of the output folder"),
        ({"dir": "/etc"}, "out of the output folder"),
        ({"index": "x"}, "cannot be filled"),
    ):
        with pytest.raises(OptionError, match=said):
            expanded(template, {**fields, **bad})
