"""All messages of one device, without an index that every message pays for.

An index on (device, seq) has as many growing ends as there are devices: with a thousand of them nearly every message
rewrites an index page of its own, which was measured to cost more than everything else about the message. So the
index is on (block, device), a block being 4096 consecutive seqs: it grows at one end, and the messages of one commit
share a few pages. The price is paid by whoever lists: one look per block, under two microseconds each.
"""

import sqlite3
from collections.abc import Iterator

from bridge.store import statements

BITS = 12
"""As in `seq >> 12`, the block, in the schema and the statements."""


def blocks(connection: sqlite3.Connection, device: int, *, newest: int, oldest: int = 0) -> Iterator[int]:
    """The blocks that hold messages of the device, newest first, among those of the seqs from `newest` to `oldest`."""
    first = connection.execute(statements.FIRST_SEQ).fetchone()[0]
    if first is not None:
        bounds = (newest >> BITS, max(first, oldest) >> BITS)
        for (block,) in connection.execute(statements.BLOCKS, (*bounds, device)):
            yield block
