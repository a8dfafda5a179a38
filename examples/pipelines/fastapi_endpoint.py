"""An endpoint of your own FastAPI application: a photo's bytes in, a PNG out.

uvicorn fastapi_endpoint:app
curl --data-binary @photo.jpg localhost:8000/cutout > cutout.png
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from fastapi import FastAPI, HTTPException, Request, Response

import nssbg

MOST_BYTES = 30_000_000
AT_ONCE = 2  # pictures in work
WAITING = 16  # requests that wait for a place; more are told to come again

remover = nssbg.Remover(threads=1, max_pixels=50_000_000)
places = asyncio.Semaphore(AT_ONCE)
inside = 0


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Open the network before the first request."""
    await asyncio.to_thread(remover.cutout, np.zeros((64, 64, 3), np.uint8))
    yield
    remover.close()


app = FastAPI(lifespan=lifespan)


async def body_of(request: Request) -> bytes:
    """A request's body, read no further than MOST_BYTES."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"more than {MOST_BYTES} bytes")
    return bytes(body)


@app.post("/cutout")
async def cutout(request: Request) -> Response:
    """Take the background out of the picture in the body."""
    global inside
    if inside >= AT_ONCE + WAITING:
        raise HTTPException(503, "busy", headers={"Retry-After": "1"})
    inside += 1
    try:
        photo = await body_of(request)
        async with places:
            png = await remover.remove_async(photo, format="png")
    except nssbg.ImageDecodeError as error:
        raise HTTPException(422, str(error)) from error
    finally:
        inside -= 1
    return Response(png, media_type="image/png")
