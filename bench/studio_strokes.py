"""How long a brush stroke takes to show in the studio page, as the page itself measures it.

    python -m bench.studio_strokes [--megapixels 12] [--strokes 12]

From the letting go of the brush to the pixels of the visible part, in a real Chromium over the real
server: whole picture fitted, and every pixel shown. The first stroke of each is left out.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from bench.studio_screenshots import ROOT, browser_and_page, choose, opened

SHOWN = re.compile(r"Last change shown after ([\d.,]+) (ms|s)\b")


def strokes(page: Any, number: int) -> list[float]:
    """Milliseconds of each stroke, but the first."""
    took = []
    for at in range(number + 1):
        y = 250 + at * 400 / number
        page.click("#tab-cutout")
        page.mouse.move(560, y)
        page.mouse.down()
        page.mouse.move(700, y + 8, steps=5)
        with page.expect_response(lambda answer: answer.url.endswith("/preview")):
            page.mouse.up()
        # The whole is computed before the next one begins.
        page.locator(".updating").wait_for(state="visible")
        page.locator(".updating").wait_for(state="hidden", timeout=60_000)
        page.click("#tab-device")
        found = SHOWN.search(page.inner_text("#panel-device"))
        assert found is not None
        took.append(float(found[1].replace(",", "")) * (1000 if found[2] == "s" else 1))
    return took[1:]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--strokes", type=int, default=12)
    arguments = parser.parse_args()
    height = round((arguments.megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(height * 4 / 3)
    with tempfile.TemporaryDirectory() as folder, browser_and_page() as (browser, address):
        path = Path(folder) / "bear.jpg"
        with Image.open(ROOT / "examples" / "bear.jpg") as small:
            small.resize((width, height), Image.Resampling.LANCZOS).save(path, quality=92)
        page = opened(browser, address, viewport={"width": 1440, "height": 900})
        choose(page, [path])
        print(f"{width} x {height}, window 1440 x 900, {os.cpu_count()} cores", end="")
        print(f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "")
        for key, what in (("0", "fitted"), ("1", "every pixel")):
            page.locator(".surface").focus()
            page.keyboard.press(key)
            page.wait_for_timeout(1500)
            page.keyboard.press("e")
            took = strokes(page, arguments.strokes)
            page.keyboard.press("v")
            print(
                f"{what:12} median {statistics.median(took):.0f} ms, "
                f"{min(took):.0f} to {max(took):.0f}, zoom {page.inner_text('.zoom-value')}"
            )
        page.context.close()


if __name__ == "__main__":
    main()
