"""What a row of the tables of normative statements says."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum


class Binds(Enum):
    """Whom a statement obliges. One on the form of packets that clients send obliges the server as well: it has to
    refuse what breaks it [MQTT-4.13.1-1]."""

    SERVER = "server"
    CLIENT = "client"
    NOBODY = "cannot apply"


@dataclass(frozen=True)
class Statement:
    number: str
    """As it is cited: MQTT-3.1.2-22 of version 5, MQTT3-3.1.2-24 of version 3.1.1."""
    text: str
    """In words of our own."""
    binds: Binds
    reason: str = ""
    """Why it cannot apply to this server."""
    same_as: str = ""
    """Of 3.1.1: the statement of 5 that says the same, so that a line that cites it implements both."""


def server(number: str, text: str, same_as: str = "") -> Statement:
    return Statement(number, text, Binds.SERVER, same_as=same_as)


def client(number: str, text: str) -> Statement:
    return Statement(number, text, Binds.CLIENT)


def never(number: str, text: str, reason: str) -> Statement:
    """It speaks of servers, and of something that this one does not do."""
    return Statement(number, text, Binds.NOBODY, reason)


def numbered(prefix: str, *statements: Statement) -> Iterator[Statement]:
    """With the numbers as they are cited."""
    for each in statements:
        same_as = f"MQTT-{each.same_as}" if each.same_as else ""
        yield replace(each, number=f"{prefix}-{each.number}", same_as=same_as)
