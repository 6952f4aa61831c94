"""A client library of another maker, as the tests use it: from any thread, one step at a time."""

from dataclasses import dataclass, field
from typing import Protocol

from bridge.mqtt import Version
from tests.acceptance.device import Login

WITHIN = 20.0
"""Seconds for any one step."""


@dataclass(frozen=True)
class Heard:
    topic: str
    payload: bytes
    qos: int
    response_topic: str | None = None
    correlation_data: bytes | None = None
    user_properties: list[tuple[str, str]] = field(default_factory=list)
    """In the order in which the library gives them."""


class OtherClient(Protocol):
    """Connected with its creation. `session_present` is what the CONNACK said; None if the library does not tell."""

    session_present: bool | None

    def __init__(self, address: tuple[str, int], login: Login, version: Version, *, kept: bool) -> None:
        """`kept`: the session outlives the connection, and goes on if there is one."""

    def subscribe(self, topic_filter: str, qos: int) -> None:
        """Returns when it is acknowledged."""

    def publish(self, topic: str, payload: bytes, qos: int, user_properties: list[tuple[str, str]]) -> None:
        """Returns when the server has it; with QoS 0 at once. Properties need MQTT 5."""

    def next(self) -> Heard: ...

    def close(self) -> None:
        """May be repeated."""
