"""The process `nssbg` from its first line: Ctrl-C ends it in silence, also while modules load.

What it does is in `main`.
"""

from __future__ import annotations

import os

__all__ = ["command"]

# A shell's own convention for "ended by Ctrl-C".
INTERRUPTED = 130


def command() -> None:
    """Run the command line and end the process."""
    try:
        from nssbg.cli.main import command as run

        run()
    except KeyboardInterrupt:
        # At once: taking down half-loaded modules could only add words to it.
        os._exit(INTERRUPTED)
    except ImportError as error:
        # A C extension whose loading Ctrl-C cut short says that it could not be imported.
        if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            os._exit(INTERRUPTED)
        raise
