"""What Python callers may and may not write over: `overwrite=`, sources, backgrounds."""

import os

import numpy as np
import pytest
from PIL import Image

import nssbg


@pytest.fixture(scope="module")
def remover():
    with nssbg.Remover("studio") as opened:
        yield opened


@pytest.fixture
def backdrop(tmp_path):
    """A background picture's file."""
    path = tmp_path / "backdrop.png"
    Image.fromarray(np.full((30, 40, 3), 90, np.uint8)).save(path)
    return path


def test_a_cutout_is_never_saved_over_its_source(remover, product_path, product_jpeg):
    cutout = remover.cutout(product_path)
    link = product_path.with_name("other.png")
    os.link(product_path, link)
    for target in (product_path.with_suffix(".jpg"), link):
        with pytest.raises(nssbg.OptionError, match="is an input"):
            cutout.save(target, background="white")
    assert product_path.read_bytes() == product_jpeg


def test_nothing_is_written_over_its_background(remover, product_path, backdrop):
    before = backdrop.read_bytes()
    cutout = remover.cutout(product_path)
    with pytest.raises(nssbg.OptionError, match="is an input"):
        cutout.save(backdrop, background=backdrop)
    with pytest.raises(nssbg.OptionError, match="is an input"):
        cutout.save(backdrop, output=nssbg.Output(background=str(backdrop)))
    with pytest.raises(nssbg.OptionError, match="is an input"):
        remover.remove(product_path, backdrop, background=backdrop)
    with remover.map(
        [product_path], output=lambda _: backdrop, result=nssbg.Output(background=backdrop)
    ) as outcomes:
        assert [type(outcome.error) for outcome in outcomes] == [nssbg.OptionError]
    assert backdrop.read_bytes() == before


def test_existing_results_are_replaced_unless_overwrite_is_false(remover, product_path, tmp_path):
    target = tmp_path / "cut.png"
    target.write_bytes(b"old")
    doors = (
        lambda **more: remover.remove(product_path, target, **more),
        lambda **more: nssbg.remove(product_path, target, model="studio", **more),
        lambda **more: remover.cutout(product_path).save(target, **more),
        lambda **more: next(remover.map([product_path], output=lambda _: target, **more)).result(),
    )
    for door in doors:
        target.write_bytes(b"old")
        with pytest.raises(nssbg.ImageEncodeError, match=r"cut\.png: it is there already"):
            door(overwrite=False)
        assert target.read_bytes() == b"old"
        door()
        assert target.read_bytes() != b"old"
        target.unlink()
        door(overwrite=False)
        assert target.exists()


def test_what_cannot_be_written_is_said_before_the_work(remover, product_path, monkeypatch):
    monkeypatch.setattr(remover, "_open", lambda: pytest.fail("the model was opened"))
    with pytest.raises(nssbg.OptionError, match="is an input"):
        remover.remove(product_path, product_path)


def test_no_result_of_a_run_is_written_over_another_of_its_sources(remover, product_jpeg, tmp_path):
    paths = [tmp_path / f"{letter}.jpg" for letter in "abc"]
    for path in paths:
        path.write_bytes(product_jpeg)
    later = {paths[0]: paths[2], paths[1]: tmp_path / "b.png", paths[2]: tmp_path / "c.png"}
    with remover.map(paths, output=later.__getitem__, background="white") as outcomes:
        errors = [outcome.error for outcome in outcomes]
    assert isinstance(errors[0], nssbg.OptionError)
    assert "c.jpg" in str(errors[0])
    assert errors[1:] == [None, None]
    assert paths[2].read_bytes() == product_jpeg


def test_a_read_only_result_is_not_replaced(remover, product_path, tmp_path):
    target = tmp_path / "cut.png"
    target.write_bytes(b"kept")
    target.chmod(0o444)
    with pytest.raises(nssbg.ImageEncodeError, match=r"cut\.png: .*read-only"):
        remover.remove(product_path, target)
    assert target.read_bytes() == b"kept"


def test_what_a_format_cannot_hold_names_the_file(remover, product_path, tmp_path):
    cutout = remover.cutout(product_path)
    for save in (cutout.save, lambda path: remover.remove(product_path, path)):
        with pytest.raises(nssbg.ImageEncodeError, match=r"clear\.jpg"):
            save(tmp_path / "clear.jpg")
    assert not (tmp_path / "clear.jpg").exists()


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
def test_a_cutout_is_saved_into_a_stream_as_png(remover, product_path, tmp_path):
    import threading

    cutout, got = remover.cutout(product_path), []
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    assert cutout.save(fifo) == fifo
    reader.join(10)
    assert got == [cutout.encode("png")]
    assert fifo.is_fifo()
