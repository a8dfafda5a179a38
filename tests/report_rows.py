"""Rows and thumbnails of a drawn batch, with names that try to break out, for tests of reports."""

import numpy as np

from nssbg.batch.report import ThumbnailStore, thumbnail
from nssbg.batch.report.write import thumbnails_path
from nssbg.batch.row import Row, RowError

HOSTILE = (
    '</script><script>document.title="broken"</script>.jpg',
    '"><img src=x onerror="document.title=1">.jpg',
    "two\nlines.jpg",
    "caf\udce9 no utf-8.jpg",
    "javascript:document.title=2.jpg",
    "=HYPERLINK(1).jpg",
    "{{policy}} <!-- data --> ${x} \\u003c.jpg",
    "line\u2028separator & ampersand.jpg",
)


def picture(seed, height=180, width=240):
    """A photograph with grain, and its cut-out."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    low = rng.uniform(0, 255, (6, 8, 3)).repeat(-(-height // 6), 0).repeat(-(-width // 8), 1)
    low = low[:height, :width]
    away = np.hypot((y - height / 2) / height, (x - width / 2) / width)
    alpha = np.clip((0.35 - away) * 40, 0, 1)[..., None]
    rgb = low * alpha + (200 + 30 * x / width)[..., None] * (1 - alpha)
    rgb = np.clip(rgb + rng.normal(0, 6, rgb.shape), 0, 255).astype(np.uint8)
    rgba = np.concatenate([np.where(alpha > 0, rgb, 0), alpha * 255], -1).astype(np.uint8)
    return rgb, rgba


def rows_of(count):
    """Rows of all states, the hostile names among them."""
    made = []
    for number in range(count):
        name = HOSTILE[number] if number < len(HOSTILE) else f"shoot/{number:05d}.jpg"
        common = {"input": name, "fingerprint": f"f{number}", "input_sha256": f"{number:064x}"}
        if number % 10 == 0:
            error = RowError("ImageDecodeError", f"{name}: truncated <b>after</b> 12 bytes")
            made.append(Row(status="failed", error=error, **common))
            continue
        verdict, reasons = "pass", ()
        if number % 10 == 1:
            verdict, reasons = "fail", (f"{name}.jpg: fill: {number} %; expected 85 %",)
        elif number % 10 in (2, 3):
            verdict = "review"
            reasons = (f"halo 0.{number % 7}1, above 0.25", "low confidence (0.61)")
        made.append(
            Row(
                status="done",
                output=f"out/{number:05d} ä#?.jpg",
                out_width=2000,
                out_height=2000,
                bytes=300_000 + number,
                confidence=0.5 + (number % 50) / 100,
                verdict=verdict,
                reasons=reasons,
                plan={"model": "nssbg-lite", "device": "CPU"},
                timings={"decode": 10.0, "infer": 42.5},
                **common,
            )
        )
    return made


def with_thumbnails(output, rows, *, distinct=24):
    """Fill the output folder's store."""
    thumbs = [thumbnail(*picture(seed)) for seed in range(distinct)]
    with ThumbnailStore(thumbnails_path(output)) as store:
        for number, row in enumerate(rows):
            store.put(row.fingerprint, thumbs[number % distinct])
    return rows
