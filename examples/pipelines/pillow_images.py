"""Pillow in, Pillow out: a picture that code of your own has opened, turned or drawn.

python pillow_images.py photo.jpg shop.png
"""

import sys

from PIL import Image

import nssbg

remover = nssbg.Remover()


def product_card(photo: Image.Image, side: int = 800) -> Image.Image:
    """The subject alone on a grey card; `photo` may be of any mode that Pillow has."""
    cutout = remover.remove(photo)  # mode RGBA, the photo's size, its ICC profile in .info
    cutout = cutout.crop(cutout.getbbox())
    cutout.thumbnail((side * 8 // 10, side * 8 // 10))
    card = Image.new("RGB", (side, side), "#e8e8e8")
    place = ((side - cutout.width) // 2, (side - cutout.height) // 2)
    card.paste(cutout, place, cutout)
    return card


if __name__ == "__main__":
    with Image.open(sys.argv[1]) as opened:
        product_card(opened).save(sys.argv[2])
