"""A running request and its answer, with the form of answers that HTTP/1.0 has."""

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

_WITHOUT_BODY = (204, 304)


class Cycle(RequestResponseCycle):
    """uvicorn's, which answers HTTP/1.0 in chunks as well.

    A client that says HTTP/1.0 does not know chunks (RFC 9112, section 6.1): the body of an answer whose length is not
    known beforehand is sent as it is, and ends with the connection (section 6.3, rule 8).
    """

    ends_with_connection = False

    @property
    def is_cut(self) -> bool:
        """Whether a client would take the answer, as far as it was written, for the whole."""
        return self.ends_with_connection and not self.response_complete

    async def send(self, message: "ASGISendEvent") -> None:
        if self.scope["http_version"] == "1.0":
            self._without_chunks(message)
        await super().send(message)

    def _without_chunks(self, message: "ASGISendEvent") -> None:
        if message["type"] == "http.response.start":
            known = any(name.lower() == b"content-length" for name, _ in message.get("headers", ()))
            if not known and self.scope["method"] != "HEAD" and message["status"] not in _WITHOUT_BODY:
                self.ends_with_connection = True
                self.chunked_encoding = False
        elif message["type"] == "http.response.body" and self.ends_with_connection:
            self.expected_content_length = len(message.get("body", b""))  # of this piece: uvicorn counts it down
