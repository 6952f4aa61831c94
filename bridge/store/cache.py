"""A bounded memory of what was read."""

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST = 100_000


class Cache(dict[K, V]):
    """A dict that forgets its oldest entry when it is full. Reading is as cheap as a dict's."""

    def remember(self, key: K, value: V) -> V:
        if len(self) >= MOST:
            del self[next(iter(self))]
        self[key] = value
        return value
