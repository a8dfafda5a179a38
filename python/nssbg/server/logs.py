"""Log lines as JSON, one object a line on stderr; no picture's name or content can be in them."""

from __future__ import annotations

import json
import logging
import sys
import time

__all__ = ["JsonFormatter", "log_as_json"]


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "event", ...}`; a request's line has its record, others a message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {"time": f"{when}.{int(record.msecs):03d}Z", "level": record.levelname.lower()}
        told = getattr(record, "record", None)
        if isinstance(told, dict):
            return json.dumps({**line, **told})
        message = {"event": "log", "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            message["traceback"] = self.formatException(record.exc_info)
        return json.dumps({**line, **message})


def log_as_json(level: str) -> None:
    """Let every log line of this process be JSON from here on.

    Args:
        level: "debug", "info", "warning" or "error".
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    # Libraries' own debug lines may hold what files hold.
    logging.getLogger("PIL").setLevel(logging.WARNING)
