"""Applications: they send, cancel, ask and poll until they are stopped, and write down what they were told."""

import http.client
import itertools
import random
import threading
from collections.abc import Callable

from tests.acceptance.daemon import Daemon
from tests.acceptance.http_api import Api
from tests.acceptance.ledger.book import Book, Entry, Poll, now
from tests.acceptance.ledger.runner import Runner
from tests.acceptance.polling_api import Subscriber

CHANNEL = "device-message-status"
TTL = 60
NO_ANSWER = (OSError, http.client.HTTPException)
_ids = itertools.count(1)


class Application(Runner):
    """Repeats `work`, with a connection that is made anew when the daemon was gone."""

    def __init__(self, name: str, daemon: Daemon) -> None:
        super().__init__(name)
        self.daemon = daemon
        self._token = daemon.token

    def live(self) -> None:
        while not self.stopping.is_set():
            try:
                self.work()
            except NO_ANSWER:
                self.stopping.wait(0.05)

    def work(self) -> None:
        raise NotImplementedError


class Sender(Application):
    """Sends to one device after the other, one request at a time; cancels and asks about what is pending."""

    def __init__(self, book: Book, daemon: Daemon, devices: list[str], seed: int) -> None:
        super().__init__(f"sender-{seed}", daemon)
        self._book = book
        self._devices = devices
        self._random = random.Random(seed)  # noqa: S311 - to be the same every time
        self._mine: list[Entry] = []

    def work(self) -> None:
        with self.daemon.api(self._token) as api:
            while not self.stopping.is_set():
                act: Callable[[Api], None] = self._random.choices((self._send, self._cancel, self._ask), (6, 2, 3))[0]
                act(api)

    def _send(self, api: Api) -> None:
        ttl = self._random.choices((TTL, 0), (9, 1))[0]
        entry = self._book.expect(f"m{next(_ids)}", self._random.choice(self._devices), ttl)
        answer = api.post(entry.device, entry.message_id, message_id=entry.message_id, ttl=ttl)
        entry.status_code, entry.answered = answer.status, now()
        if entry.accepted:
            self._book.tell(entry, entry.asked, answer.body["result"]["status"], "the answer to its POST")
            self._mine.append(entry)

    def _recent(self) -> Entry | None:
        recent = [entry for entry in self._mine[-6:] if not entry.cancelling]
        return self._random.choice(recent) if recent else None

    def _cancel(self, api: Api) -> None:
        entry = self._recent()
        if entry is None:
            return
        entry.cancelling = True
        if api.delete(entry.device, entry.message_id).status == 204:
            entry.cancelled = now()

    def _ask(self, api: Api) -> None:
        entry = self._recent()
        if entry is not None:
            ask(self._book, api, entry)


def ask(book: Book, api: Api, entry: Entry) -> str:
    """The state of the message, as its record says; GONE when there is none."""
    asked = now()
    answer = api.show(entry.device, entry.message_id)
    assert answer.status in (200, 404), answer
    status = answer.body["status"] if answer.status == 200 else "GONE"
    book.tell(entry, asked, status, "its record")
    return str(status)


class Poller(Application):
    """One of several that poll for the same subscriber. `drained`: the last poll found nothing."""

    def __init__(self, book: Book, daemon: Daemon, subscriber: str, number: int) -> None:
        super().__init__(f"{subscriber}-{number}", daemon)
        self.drained = threading.Event()
        self._book = book
        self._subscriber = subscriber
        self._random = random.Random(number)  # noqa: S311 - to be the same every time
        with Subscriber(daemon, CHANNEL, subscriber, self._token) as application:
            application.subscribe()

    def work(self) -> None:
        with Subscriber(self.daemon, CHANNEL, self._subscriber, self._token) as application:
            while not self.stopping.is_set():
                self._poll(application)

    def _poll(self, application: Subscriber) -> None:
        asked = now()
        answer = application.poll(f"timeout=50ms&max={self._random.choice((1, 8, 64))}")
        assert answer.status == 200, answer
        events = answer.body["messages"]
        with self._book.lock:
            self._book.polls.append(Poll(asked, self._subscriber, tuple(event["messageID"] for event in events)))
            for event in events:
                body = event["content"]["notify_data"]["body"]
                self._book.reported.add(f"{body['message_id']} {body['status']}")
        if not events:
            self.drained.set()
            return
        self.drained.clear()
        if application.acknowledge(answer.body["ackHandle"]).status == 204:
            at = now()
            with self._book.lock:
                for event in events:
                    self._book.covered.setdefault((self._subscriber, event["messageID"]), at)
