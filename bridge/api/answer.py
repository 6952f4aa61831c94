"""Answers in the forms that the dialects share."""

from starlette.responses import Response


class Json(Response):
    """A JSON text as the body. Says what `Response` with that media type says, which looks for more first."""

    def __init__(self, body: bytes, status_code: int = 200) -> None:
        self.status_code = status_code
        self.background = None
        self.body = body
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
