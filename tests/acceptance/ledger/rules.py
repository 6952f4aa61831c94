"""What has to be true of a book, whatever happened. Each rule yields a sentence for each fact that breaks it."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator

from tests.acceptance.ledger.book import FINAL, Book, Entry

Rule = Callable[[Book], Iterator[str]]


def nothing_accepted_is_lost(book: Book) -> Iterator[str]:
    """After the last drain. A message with ttl 0 may have failed; one whose cancellation got no answer may be gone."""
    for entry in book.known():
        if entry.accepted and entry.ttl and entry.cancelled is None and not entry.cancelling:
            last = entry.told[-1].status
            if last != "DELIVERED":
                yield f"{entry.message_id} was accepted and is {last}"
            elif not entry.receipts:
                yield f"{entry.message_id} is DELIVERED and its device never saw it"


def what_was_refused_does_not_exist(book: Book) -> Iterator[str]:
    for entry in book.known():
        if entry.status_code >= 400 and entry.receipts:
            yield f"{entry.message_id} was refused with {entry.status_code} and sent"


def a_final_state_stays(book: Book) -> Iterator[str]:
    for entry in book.known():
        for earlier, later in itertools.permutations(tuple(entry.told), 2):
            if earlier.status in FINAL and later.asked > earlier.at and later.status != earlier.status:
                allowed = later.status == "GONE" and (entry.cancelled is not None or entry.cancelling)
                if not allowed:
                    yield (
                        f"{entry.message_id} was told {earlier.status} by {earlier.source} and later "
                        f"{later.status} by {later.source}"
                    )
                    break


def delivered_is_acknowledged(book: Book) -> Iterator[str]:
    for entry in book.known():
        for told in tuple(entry.told):
            if told.status == "DELIVERED" and not any(at <= told.at for at in entry.acknowledged):
                yield f"{entry.message_id} was told DELIVERED before its device acknowledged it"
                break


def what_has_ended_is_not_sent(book: Book) -> Iterator[str]:
    for entry in book.known():
        ended = [told.at for told in tuple(entry.told) if told.status in FINAL]
        if entry.cancelled is not None:
            ended.append(entry.cancelled)
        late = [receipt for receipt in tuple(entry.receipts) if ended and receipt.after > min(ended)]
        if late:
            yield f"{entry.message_id} was sent after it was cancelled or told to have ended"


def messages_of_a_device_come_in_order(book: Book) -> Iterator[str]:
    devices: dict[str, list[Entry]] = defaultdict(list)
    for entry in book.known():
        if entry.receipts and entry.answered is not None:
            devices[entry.device].append(entry)
    for device, entries in devices.items():
        entries.sort(key=lambda entry: entry.receipts[0].at)
        latest = 0.0
        for entry in entries:
            if entry.answered is not None and entry.answered < latest:
                yield f"{entry.message_id} came to {device} behind a message that was accepted after it"
            latest = max(latest, entry.asked)


def at_qos_2_a_session_gets_a_message_once(book: Book) -> Iterator[str]:
    for entry in book.known():
        if sum(receipt.new for receipt in entry.receipts) > 1 + entry.forgotten:
            yield f"{entry.message_id} was given to the application of {entry.device} twice"


def what_is_acknowledged_is_not_polled_again(book: Book) -> Iterator[str]:
    for poll in tuple(book.polls):
        for event in poll.events:
            covered = book.covered.get((poll.subscriber, event))
            if covered is not None and poll.asked > covered:
                yield f"{poll.subscriber} got event {event} after its acknowledgement was answered"


def every_end_is_an_event(book: Book) -> Iterator[str]:
    """After the last drain; a message with ttl 0 has none for PENDING."""
    for entry in book.known():
        if entry.accepted and entry.cancelled is None and not entry.cancelling:
            last = entry.told[-1].status
            if f"{entry.message_id} {last}" not in book.reported:
                yield f"{entry.message_id} is {last} and no event says so"


def clients_get_what_was_confirmed(book: Book) -> Iterator[str]:
    for exchange in book.spoken():
        if exchange.confirmed and not exchange.receipts:
            yield f"{exchange.payload} was acknowledged and never came"
        if exchange.qos == 2 and sum(receipt.new for receipt in exchange.receipts) > 1:
            yield f"{exchange.payload} came twice at QoS 2"


def clients_get_it_in_order(book: Book) -> Iterator[str]:
    """Of one publisher at one QoS [MQTT-4.6.0-6]."""
    groups: dict[tuple[str, int], list[tuple[float, int, str]]] = defaultdict(list)
    for exchange in book.spoken():
        if exchange.receipts:
            group = groups[exchange.publisher, exchange.qos]
            group.append((exchange.receipts[0].at, exchange.number, exchange.payload))
    for group in groups.values():
        latest = -1
        for _, number, payload in sorted(group):
            if number < latest:
                yield f"{payload} came behind {latest}"
            latest = max(latest, number)


RULES: tuple[Rule, ...] = (
    nothing_accepted_is_lost,
    what_was_refused_does_not_exist,
    a_final_state_stays,
    delivered_is_acknowledged,
    what_has_ended_is_not_sent,
    messages_of_a_device_come_in_order,
    at_qos_2_a_session_gets_a_message_once,
    what_is_acknowledged_is_not_polled_again,
    every_end_is_an_event,
    clients_get_what_was_confirmed,
    clients_get_it_in_order,
)


def broken(book: Book) -> dict[str, list[str]]:
    """What breaks each rule, by the rule's name; without those that hold."""
    found = {rule.__name__: list(rule(book)) for rule in RULES}
    return {name: sentences for name, sentences in found.items() if sentences}
