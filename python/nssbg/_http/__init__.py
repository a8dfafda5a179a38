"""What everything that answers HTTP shares: the front door, uploads, the engine, the listener.

`nssbg.server` and the studio page's server are applications of Starlette routes on this room:

```python
engine = Engine(EngineSettings(model="auto"))  # one per process
uploads = Uploads(UploadLimits())


async def cut(request: Request) -> Response:
    engine.check_room()  # 503 before a byte of the body is read
    async with uploads.of(request) as upload:  # its memory is given back at the end
        form = await upload.form()  # form.fields: name -> text, form.files: name -> File
        result = await until_gone(
            request,
            engine.cut_out(
                form.files["image"].data,
                lambda cutout: cutout.encode("png", threads=1),  # runs in a worker
                options=CutoutOptions(effort="fast"),
            ),
        )
        return PiecewiseResponse(result, media_type="image/png")


app = FrontDoor(
    Router([Route("/cut", cut, methods=["POST"])], lifespan=engine.lifespan),
    AccessRules(hosts=local_hosts()),
)
serve(app, ListenerSettings(port=8000), started=print)
```

- A handler raises `HttpError`, or lets errors of nssbg's pass: `FrontDoor` turns them into JSON
  with a request id (`errors.http_error` has the table), logs one line, and never lets a picture's
  name or content into it.
- `Engine.cut_out` queues a picture for `Remover.map`'s own scheduler, `Engine.call` any other work
  (a brush stroke on a cached map) for the same bounded places; both end in `HttpError` 503 with
  Retry-After where there is no room or the time is over, and leave the queue when cancelled.
- `serve` binds the socket, closes what is slow or too many, and ends gracefully on SIGTERM.
"""
