"""The request body, bounded in size; its time is bounded in protocol.py."""

from bridge.api.faults import BodyTooLarge, ClientGone, NotJson
from bridge.api.resource import Call

DISCARD = 8
"""How many times the limit is still read and thrown away, so that an ordinary client, which sends everything before it
reads, sees the answer. Beyond it the connection is closed."""


async def read_json(call: Call, limit: int) -> bytes:
    """The body of a request that has to be JSON; the text itself is not looked at.

    Never holds more than `limit` bytes. Errors: NotJson (media type), BodyTooLarge, ClientGone.
    """
    media_type = call.fields.get(b"content-type", b"application/json")
    if media_type != b"application/json":
        _check_media_type(media_type)
    length = call.fields.get(b"content-length")
    if length is not None and int(length) > limit:  # the parser has let digits only through
        raise BodyTooLarge(limit, hang_up=int(length) > DISCARD * limit)
    body = bytearray()
    while (message := await call.receive())["type"] == "http.request":
        body += message.get("body", b"")
        if len(body) > limit:
            raise BodyTooLarge(limit)
        if not message.get("more_body", False):
            return bytes(body)
    raise ClientGone


def _check_media_type(value: bytes) -> None:
    """Parameters are of no interest: JSON is UTF-8 (RFC 8259, section 8.1)."""
    essence = value.partition(b";")[0].strip().lower()
    if essence not in {b"application/json", b""}:
        raise NotJson("the media type must be application/json")
