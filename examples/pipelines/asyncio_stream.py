"""asyncio with back-pressure: a source is asked for more only as results are taken.

python asyncio_stream.py FOLDER-IN FOLDER-OUT
"""

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import nssbg

AT_ONCE = 2
# One kernel thread a picture: AT_ONCE pictures side by side use as many cores.
remover = nssbg.Remover(threads=1)


async def cut_out(photos: AsyncIterator[bytes]) -> AsyncIterator[bytes | nssbg.NssbgError]:
    """PNGs in the order of the photos; what fails gives its error, and the others go on.

    At most AT_ONCE photos are in work or wait to be taken.
    """
    pending: deque[asyncio.Task[bytes]] = deque()

    async def oldest() -> bytes | nssbg.NssbgError:
        try:
            return await pending.popleft()
        except nssbg.NssbgError as error:
            return error

    try:
        async for photo in photos:
            pending.append(asyncio.create_task(remover.remove_async(photo)))
            if len(pending) == AT_ONCE:
                yield await oldest()
        while pending:
            yield await oldest()
    finally:  # the taker left early, or was cancelled
        for task in pending:
            task.cancel()


async def main(source: Path, target: Path) -> int:
    """Cut out a folder's JPEGs; returns how many failed."""
    paths = sorted(source.glob("*.jpg"))

    async def photos() -> AsyncIterator[bytes]:
        for path in paths:  # a socket, a queue, an object store
            yield await asyncio.to_thread(path.read_bytes)

    names, failed = iter(paths), 0
    async for result in cut_out(photos()):
        path = next(names)
        if isinstance(result, nssbg.NssbgError):
            failed += 1
            print(f"{path}: {result}", file=sys.stderr)
        else:
            await asyncio.to_thread((target / f"{path.stem}.png").write_bytes, result)
    return failed


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]))) > 0)
