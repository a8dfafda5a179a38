"""A Celery task: a message names pictures, their rows come back.

celery -A celery_task worker --pool prefork --concurrency 2
"""

import os
from typing import Any

from celery import Celery

import nssbg

app = Celery("cutouts", broker=os.environ.get("BROKER", "memory://"), backend="cache+memory://")
app.conf.update(
    # A worker that dies gives its message back; its outputs are whole or not there.
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    task_reject_on_worker_lost=True,
)

# Opened by the first task, so in the worker's own process and not before its fork.
remover = nssbg.Remover(threads=1)


@app.task(bind=True, max_retries=5)
def cut(self: Any, paths: list[str], root: str, output: str) -> list[dict[str, Any]]:
    """Cut out pictures below `root` into the same folders below `output`.

    A picture that fails is a row with its error, not an exception. A full disk is no picture's
    fault: the task is tried again, and writes what it wrote before to the same bytes.
    """
    try:
        rows = list(nssbg.cut_rows(paths, root=root, output=output, remover=remover))
    except nssbg.ImageEncodeError as error:
        raise self.retry(exc=error, countdown=60) from error
    return [row.event() for row in rows]
