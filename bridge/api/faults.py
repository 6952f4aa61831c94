"""What can be wrong with a request, whichever dialect it speaks. Each dialect's error table says how it answers them.

Fault
├── NoSuchPath
├── WrongMethod
├── NoCredentials      none, or none that is valid
│   └── BadSignature
├── TooManyFailures    wrong credentials, and too many like it are waiting for their answer
├── Forbidden          valid, but not for this project or operation
├── NotJson            media type or text
├── UnsupportedCoding  the body is compressed
├── BadField           one field of the body or the query
├── BodyTooLarge
└── ClientGone         the connection ended inside the body; nobody reads the answer
"""


class Fault(Exception):
    """Base of all of them. `hang_up`: the connection cannot be used for another request."""

    hang_up = False


class NoSuchPath(Fault):
    pass


class WrongMethod(Fault):
    def __init__(self, allow: str) -> None:
        super().__init__(allow)
        self.allow = allow
        """The value of the Allow header."""


class NoCredentials(Fault):
    """The text says what is missing or wrong; nothing of it is secret."""

    def __init__(self, reason: str = "a valid X-Auth-Token, Bearer token or AK/SK signature is needed") -> None:
        super().__init__(reason)


class BadSignature(NoCredentials):
    def __init__(self, reason: str = "unknown access key or wrong signature") -> None:
        super().__init__(reason)


class TooManyFailures(Fault):
    hang_up = True  # each further guess costs a connection


class Forbidden(Fault):
    """The text says which right is missing."""


class NotJson(Fault):
    """The text says what is wrong, without repeating the input."""


class UnsupportedCoding(Fault):
    """The body has a content coding (RFC 9110, section 8.4)."""

    def __init__(self) -> None:
        super().__init__("Content-Encoding: only identity, which is the same as none; send the body as it is")


class BadField(Fault):
    """Its name, and what it has to be."""

    def __init__(self, field: str, allowed: str) -> None:
        super().__init__(f"{field}: {allowed}")
        self.field = field
        self.allowed = allowed


class BodyTooLarge(Fault):
    def __init__(self, limit: int, *, hang_up: bool = False) -> None:
        super().__init__(f"larger than {limit} bytes")
        self.hang_up = hang_up


class ClientGone(Fault):
    hang_up = True
