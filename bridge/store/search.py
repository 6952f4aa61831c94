"""Questions about the messages of a project or a device, away from the event loop.

There is no index that answers them: every message would pay for it. So the store is walked block by block
(`blocks.py`), newest first, and one call looks at a bounded number of them; who asks goes on from where it ended. That
is a short read each, which holds up neither the loop nor the writer nor a checkpoint. The times between which the
messages of a block were created are remembered once known, so that a question about last week does not look at this
week's messages again.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bridge.model.errors import StoreUnavailable
from bridge.model.inquiry import Inquiry, Page
from bridge.store import statements
from bridge.store.blocks import BITS, blocks
from bridge.store.connection import refusing
from bridge.store.rows import read_message

LOOKS = 16
"""Blocks one call looks at: some 65,000 messages of a project, a few tens of milliseconds."""
MOST_CONTENT = 1024 * 1024
"""Characters of content after which a page ends."""
NEVER = -(2**62)
FOREVER = 2**62


class Searches:
    """One thread with a connection of its own."""

    def __init__(self, connection: sqlite3.Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._loop = loop
        self._thread = ThreadPoolExecutor(1, "store-search")
        self._bounds: dict[int, tuple[int, int]] = {}
        """Block → when its first and its last message were created. Of blocks to which nothing is added any more."""

    async def find(self, project: str, device: int | None, inquiry: Inquiry) -> Page:
        """`device`: the key of `inquiry.device_id`. Raises StoreUnavailable."""
        try:
            page = self._loop.run_in_executor(self._thread, self._find, _Asked(project, device, inquiry))
        except RuntimeError as error:  # the thread takes no more
            raise StoreUnavailable("the store is closed") from error
        return await page

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown)

    def _find(self, asked: "_Asked") -> Page:
        with refusing():
            newest = self._value(statements.LAST_SEQ) or 0
            page, size = Page([], None), 0
            for looks, block in enumerate(self._blocks(asked, newest)):
                if looks == LOOKS:
                    return Page(page.messages, (block + 1) << BITS)
                if not self._overlaps(block, asked, measure=asked.device is None and block < newest >> BITS):
                    continue
                for row in self._look(block, asked, asked.inquiry.limit - len(page.messages)):
                    message = read_message(row[:-1])
                    page.messages.append((row[-1], message))
                    size += len(message.draft.content)
                    if size >= MOST_CONTENT or len(page.messages) == asked.inquiry.limit:
                        return Page(page.messages, message.seq)
            return page

    def _blocks(self, asked: "_Asked", newest: int) -> Iterator[int]:
        """Newest first."""
        newest = max(0, min(asked.before - 1, newest))
        if asked.device is not None:
            yield from blocks(self._connection, asked.device, newest=newest)
        elif (first := self._value(statements.FIRST_SEQ)) is not None:
            yield from range(newest >> BITS, (first >> BITS) - 1, -1)

    def _look(self, block: int, asked: "_Asked", limit: int) -> sqlite3.Cursor:
        rules = (asked.since, asked.until, asked.inquiry.status, limit)
        if asked.device is not None:
            device = (asked.inquiry.device_id, block, asked.device, asked.before)
            return self._connection.execute(statements.SEARCH_DEVICE, (*device, *rules))
        end = min(asked.before, (block + 1) << BITS)
        return self._connection.execute(statements.SEARCH_PROJECT, (asked.project, block << BITS, end, *rules))

    def _overlaps(self, block: int, asked: "_Asked", *, measure: bool) -> bool:
        """Whether the block may hold messages of the period. `measure`: it is worth a look to know that for good."""
        if asked.since == NEVER and asked.until == FOREVER:
            return True
        if measure and block not in self._bounds:
            bounds = self._connection.execute(statements.BOUNDS, (block << BITS, (block + 1) << BITS)).fetchone()
            self._bounds[block] = (FOREVER, NEVER) if bounds[0] is None else bounds
        first, last = self._bounds.get(block, (NEVER, FOREVER))
        return last >= asked.since and first <= asked.until

    def _value(self, statement: str) -> int | None:
        value: int | None = self._connection.execute(statement).fetchone()[0]
        return value


@dataclass(frozen=True, slots=True)
class _Asked:
    """An inquiry with every default filled in."""

    project: str
    device: int | None
    inquiry: Inquiry

    @property
    def before(self) -> int:
        return FOREVER if self.inquiry.before is None else max(NEVER, min(self.inquiry.before, FOREVER))

    @property
    def since(self) -> int:
        return NEVER if self.inquiry.since is None else self.inquiry.since

    @property
    def until(self) -> int:
        return FOREVER if self.inquiry.until is None else self.inquiry.until
