"""A film or a camera through OpenCV: frames in, cut-outs over green out, in order.

python opencv_frames.py in.mp4 out.avi      (a camera: its number in place of in.mp4)
"""

import sys
from collections.abc import Iterator

import cv2

import nssbg


def frames_of(capture: cv2.VideoCapture) -> Iterator[cv2.typing.MatLike]:
    """Frames as OpenCV gives them: H x W x 3, uint8, blue first."""
    try:
        while True:
            there, frame = capture.read()
            if not there:
                return
            yield frame
    finally:
        capture.release()


def main(source: str, target: str) -> None:
    """Cut out every frame and write the film."""
    capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
    rate = capture.get(cv2.CAP_PROP_FPS) or 25.0
    writer = None
    # One model by name: "auto" tries two methods on each frame, and may change between frames.
    remover = nssbg.Remover("nssbg-lite")
    with remover.frames(
        frames_of(capture), channels="bgr", background=(0, 177, 64), effort="fast"
    ) as cutouts:
        for cutout in cutouts:
            if writer is None:
                size = cutout.shape[1], cutout.shape[0]
                writer = cv2.VideoWriter(target, cv2.VideoWriter.fourcc(*"MJPG"), rate, size)
            writer.write(cutout)
    if writer is None:
        raise SystemExit(f"{source}: no frame came")
    writer.release()
    report = cutouts.report()
    print(f"{report.images} frames, {report.images / report.wall:.1f} a second")


if __name__ == "__main__":
    main(*sys.argv[1:])
