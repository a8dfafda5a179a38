"""Frames of a film: in order, channels as they came, bounded in flight, an end that is clean."""

import threading
import time

import numpy as np
import pytest

import nssbg
from nssbg import ImageDecodeError, OptionError

RNG = np.random.default_rng(21)


def frame(number=0, height=24, width=31):
    """A bluish disc on light grey (red, green, blue), which moves with the number."""
    picture = np.full((height, width, 3), 235, np.uint8)
    y, x = np.mgrid[:height, :width]
    picture[(y - 12) ** 2 + (x - 12 - number % 6) ** 2 < 60] = (40, 70, 160)
    return picture


@pytest.fixture
def remover():
    with nssbg.Remover("studio", threads=2) as opened:
        yield opened


def test_each_is_what_remove_gives_in_order(remover):
    frames = [frame(number) for number in range(20)]
    with remover.frames(iter(frames)) as cutouts:
        found = list(cutouts)
    assert len(found) == 20
    for given, cutout in zip(frames, found, strict=True):
        np.testing.assert_array_equal(cutout, remover.remove(given))
    assert found[0][12, 12].tolist() == [40, 70, 160, 255]
    assert found[0][0, 0, 3] == 0


@pytest.mark.parametrize("options", [{}, {"background": (10, 20, 200)}])
def test_bgr_comes_in_and_goes_out_blue_first(remover, options):
    given = frame()
    (expected,) = remover.frames([given], **options)
    (found,) = remover.frames([given[..., ::-1]], channels="bgr", **options)
    order = [2, 1, 0, 3][: found.shape[2]]
    np.testing.assert_array_equal(found[..., order], expected)
    assert found[12, 12, 0] == 160
    if options:
        assert found[0, 0].tolist() == [200, 20, 10]


def test_types_and_shapes_are_the_frames_own(remover):
    wide = frame().astype(np.uint16) * 257
    kinds = [
        (frame(), {}, (24, 31, 4), np.uint8),
        (wide, {}, (24, 31, 4), np.uint16),
        (frame() / 255, {}, (24, 31, 4), np.float32),
        (frame()[..., 0], {}, (24, 31, 4), np.uint8),
        (frame(), {"mask": True}, (24, 31), np.uint8),
        (frame(), {"background": "white"}, (24, 31, 3), np.uint8),
    ]
    for given, options, shape, dtype in kinds:
        for channels in ("rgb", "bgr"):
            (found,) = remover.frames([given], channels=channels, **options)
            assert (found.shape, found.dtype) == (shape, dtype)


def test_a_reader_may_fill_one_buffer_again(remover):
    def reader():
        buffer = np.empty((24, 31, 3), np.uint8)
        for number in range(12):
            buffer[:] = frame(number)
            yield buffer

    for channels in ("rgb", "bgr"):
        found = list(remover.frames(reader(), channels=channels, mask=True))
        expected = [
            remover.remove(
                frame(number) if channels == "rgb" else frame(number)[..., ::-1], mask=True
            )
            for number in range(12)
        ]
        np.testing.assert_array_equal(found, expected)


def test_no_more_frames_are_pulled_than_may_be_in_flight(remover):
    pulled = []

    def endless():
        while True:
            pulled.append(len(pulled))
            yield frame()

    with remover.frames(endless(), max_in_flight=3) as cutouts:
        next(cutouts)
        time.sleep(0.3)
        assert len(pulled) <= 4  # three wait or are in work, one was taken


def test_stopping_waits_for_the_reader_and_closes_it(remover):
    reading, closed = threading.Event(), []

    def slow():
        try:
            while True:
                reading.set()
                time.sleep(0.2)
                reading.clear()
                yield frame()
        finally:
            closed.append(reading.is_set())

    with remover.frames(slow()) as cutouts:
        next(cutouts)
        reading.wait(5)
    assert closed == [False]  # once, and not while it was reading
    assert list(cutouts) == []
    cutouts.close()


def test_a_generator_that_ends_is_closed_and_its_error_comes_last(remover):
    closed = []

    def breaks():
        try:
            yield frame()
            yield frame()
            raise OSError("the camera was unplugged")
        finally:
            closed.append(True)

    cutouts = remover.frames(breaks())
    assert next(cutouts).shape == next(cutouts).shape == (24, 31, 4)
    with pytest.raises(OSError, match="unplugged"):
        next(cutouts)
    assert closed == [True]
    assert list(cutouts) == []


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (None, "frame 2: expected an array, .* got NoneType; where a reader gives that at its end"),
        (np.zeros((0, 4, 3), np.uint8), "frame 2: cannot read .* no pixels"),
        (np.zeros((4, 4, 3), np.int64), "frame 2: cannot read .* of type int64"),
    ],
)
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_a_bad_frame_ends_it_with_its_number_after_those_before(remover, bad, message, channels):
    cutouts = remover.frames([frame(), frame(), bad, frame()], channels=channels)
    next(cutouts)
    next(cutouts)
    with pytest.raises(ImageDecodeError, match=message):
        next(cutouts)
    assert list(cutouts) == []


def test_arguments_outside_what_is_allowed(remover):
    with pytest.raises(OptionError, match="channels must be"):
        remover.frames([], channels="gbr")
    with pytest.raises(OptionError, match="leave out background"):
        remover.frames([], mask=True, background="white")
    with pytest.raises(OptionError, match="max_in_flight"):
        remover.frames([], max_in_flight=0)


def test_the_report_tells_frames_a_second(remover):
    with remover.frames([frame()] * 5) as cutouts:
        assert len(list(cutouts)) == 5
    assert cutouts.report().images == 5
    assert cutouts.report().wall > 0
