"""A question about the messages of a project, and a page of the answer."""

from dataclasses import dataclass

from bridge.model.message import Message, Status


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is not given does not restrict. Times are milliseconds since the epoch, both ends included."""

    limit: int
    """Most messages on a page."""
    device_id: str | None = None
    status: Status | None = None
    since: int | None = None
    until: int | None = None
    before: int | None = None
    """`Page.rest` of the page before."""


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first. It may hold fewer messages than asked for, or none, and still have a rest: looking is bounded."""

    messages: list[tuple[str, Message]]
    """Each with the id of its device."""
    rest: int | None
    """Where the next page begins; None: there is nothing more."""
