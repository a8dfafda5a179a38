"""rembg's surface (2.0.86) on nssbg: `from nssbg.compat import rembg`, and nothing else changes.

Results are nssbg's own: straight alpha, true edge colours, alpha refined to the image's size.
NSSBG_COMPAT=exact gives the pixels that rembg itself computes from the same weights.
docs/guides/from-rembg.md tells what is different.
"""

from __future__ import annotations

from nssbg.compat.rembg.bg import remove
from nssbg.compat.rembg.session_factory import new_session

__all__ = ["__version__", "new_session", "remove"]

#: The release of rembg whose surface this is: code that asks for the version finds it.
__version__ = "2.0.86"
