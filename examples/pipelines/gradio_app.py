"""A Gradio page: a photo in, its cut-out, alpha and confidence out.

python gradio_app.py
"""

import gradio as gr
from PIL import Image

import nssbg

remover = nssbg.Remover()


def cut_out(photo: Image.Image | None, effort: str) -> tuple[Image.Image, Image.Image, str]:
    """What the button does."""
    if photo is None:
        raise gr.Error("Choose a picture first")
    try:
        cutout = remover.cutout(photo, effort=effort)
    except nssbg.NssbgError as error:
        raise gr.Error(str(error)) from error
    trusted = "" if cutout.confidence is None else f", confidence {cutout.confidence:.2f}"
    return cutout.to_pil(), Image.fromarray(cutout.alpha), f"{cutout.plan.model}{trusted}"


page = gr.Interface(
    cut_out,
    [
        gr.Image(type="pil", label="Photo"),
        gr.Radio(["fast", "balanced", "best"], value="balanced", label="Effort"),
    ],
    [
        gr.Image(type="pil", format="png", label="Cut-out"),
        gr.Image(type="pil", format="png", label="Alpha"),
        gr.Textbox(label="What ran"),
    ],
    flagging_mode="never",  # no picture is kept
    analytics_enabled=False,  # and nothing is told to anybody
    concurrency_limit=1,
)

if __name__ == "__main__":
    page.queue(max_size=16).launch()
