"""Messages on their way to a client, or waiting for it."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.mqtt import Publish


@dataclass(slots=True)
class Flight:
    """A QoS 1 or 2 message on its way to the client."""

    publish: Publish | None
    """Kept for sending again; None for a Downlink, which the store keeps, and once the client has it (PUBREC).
    Not to be changed: other sessions hold the same. Its packet identifier is the key of the flight."""
    seq: int = 0
    """`Downlink.seq`; 0 for a message between clients."""
    qos: int = 1
    released: bool = False
    """QoS 2: PUBREC came, PUBREL was sent or is `held`, PUBCOMP is missing."""
    expires: float = 0.0
    """Loop time [MQTT-3.3.2-6]; 0 for never."""
    share: str = ""
    """The `$share/name/filter` that chose this session for it."""
    place: int = 0
    """Among the copies that the store keeps for the session; 0: it is not kept."""
    held: bool = False
    """Its next packet (PUBLISH, or PUBREL if it is released) leaves when something is durable that has to be so
    before."""
    sent: bool = True
    """It has left, on this connection or an earlier one."""
    data: bytes | None = None
    """The PUBLISH as the present connection takes it, if it is encoded already."""


@dataclass(slots=True)
class Queued:
    """A message between clients that waits for the client or for room in its window."""

    publish: Publish
    """Not to be changed: other sessions hold the same."""
    expires: float
    """Loop time [MQTT-3.3.2-5]; 0 for never."""
    share: str = ""
    """The `$share/name/filter` that chose this session for it."""
    place: int = 0
    """Among the copies that the store keeps for the session; 0: it is not kept."""


def take(line: deque[tuple[int, Flight]], flights: Mapping[int, Flight], room: int) -> tuple[int, Flight] | None:
    """Take out of line what leaves next; None when there is nothing, or it is held, or the window has no `room` for it.

    Each stands there with its packet identifier, 0 at QoS 0. What is not among the `flights` any more was settled
    meanwhile, and is left out."""
    while line:
        packet_id, flight = line[0]
        if not packet_id or flights.get(packet_id) is flight:
            return None if flight.held or (packet_id and room <= 0) else line.popleft()
        line.popleft()
    return None
