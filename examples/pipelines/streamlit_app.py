"""A Streamlit page: a photo in, its cut-out to look at and to download.

streamlit run streamlit_app.py --browser.gatherUsageStats false
"""

import streamlit as st

import nssbg


@st.cache_resource
def remover() -> nssbg.Remover:
    """One for all sessions: it may be used from several threads."""
    return nssbg.Remover()


st.title("Cut out")
photo = st.file_uploader("Photo", type=["jpg", "jpeg", "png", "webp", "tiff", "avif"])
background = st.selectbox("Background", ["transparent", "white", "black", "#00b140"])
if photo is not None:
    try:
        cutout = remover().cutout(photo.getvalue())
    except nssbg.NssbgError as error:
        st.error(str(error))
        st.stop()
    laid = None if background == "transparent" else background
    st.image(cutout.to_pil() if laid is None else cutout.over(laid))
    if cutout.low_confidence:
        st.warning(f"Look at it closely: confidence {cutout.confidence:.2f}")
    st.download_button(
        "Download", cutout.encode("png", background=laid), "cutout.png", mime="image/png"
    )
