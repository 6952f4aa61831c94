"""Somebody who does the same again and again in a thread of its own."""

import threading


class Runner:
    """`live` is called in the thread; it has to end soon after `stopping` is set."""

    def __init__(self, name: str) -> None:
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self.live, name=name)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when it has ended."""
        self.stopping.set()
        self._thread.join()

    def live(self) -> None:
        raise NotImplementedError
