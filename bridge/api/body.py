"""The request body, bounded in size; its time is bounded in protocol.py."""

from bridge.api.faults import BodyTooLarge, ClientGone, NotJson, UnsupportedCoding
from bridge.api.resource import Call

DISCARD = 8
"""How many times the limit is still read and thrown away, so that an ordinary client, which sends everything before it
reads, sees the answer. Beyond it the connection is closed."""


async def read_json(call: Call, limit: int) -> bytes:
    """The body of a request that has to be JSON; the text itself is not looked at.

    Errors: NotJson (media type), and those of `read_content`.
    """
    check_media_type(call)
    return await read_content(call, limit)


async def read_content(call: Call, limit: int) -> bytes:
    """The body of a request that is about to be understood. Errors: UnsupportedCoding, and those of `read_body`."""
    check_coding(call)
    return await read_body(call, limit)


async def read_body(call: Call, limit: int) -> bytes:
    """The body, whatever it is. May be called again.

    Never holds more than `limit` bytes. Errors: BodyTooLarge, ClientGone.
    """
    if call.content is not None:
        return call.content
    length = call.fields.get(b"content-length")
    if length is not None and int(length) > limit:  # the parser has let digits only through
        raise BodyTooLarge(limit, hang_up=int(length) > DISCARD * limit)
    body = bytearray()
    while (message := await call.receive())["type"] == "http.request":
        body += message.get("body", b"")
        if len(body) > limit:
            raise BodyTooLarge(limit)
        if not message.get("more_body", False):
            call.content = bytes(body)
            return call.content
    raise ClientGone


def check_coding(call: Call) -> None:
    """Nothing is decompressed: what a body takes in memory is what it takes on the way. Error: UnsupportedCoding."""
    if b"content-encoding" not in call.fields:
        return
    given = b",".join(value for name, value in call.scope["headers"] if name == b"content-encoding")
    if {coding.strip().lower() for coding in given.split(b",")} - {b"identity", b""}:
        raise UnsupportedCoding


def check_media_type(call: Call) -> None:
    """Parameters are of no interest: JSON is UTF-8 (RFC 8259, section 8.1). Error: NotJson."""
    value = call.fields.get(b"content-type", b"application/json")
    if value != b"application/json" and value.partition(b";")[0].strip().lower() not in {b"application/json", b""}:
        raise NotJson("the media type must be application/json")
