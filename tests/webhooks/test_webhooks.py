"""What reaches an application, over real connections and from a real store."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable

import pytest

from bridge.model.errors import UnknownAction
from bridge.model.push import webhook_id
from bridge.model.rule import DEVICE_STATUS, MESSAGE_STATUS, SUBJECTS, ActionAmendment, Page, Subject, signing_key
from tests.webhooks.conftest import NewSite
from tests.webhooks.push_site import PROJECT, until
from tests.webhooks.receiver import NO_CONTENT, Received, Receiver, answering

HOUR = 3_600_000


def contents(receiver: Receiver, device: str | None = None) -> list[str]:
    return [each.content for each in receiver.received if device in {None, each.device}]


def refusing(device: str, status: int = 500) -> Callable[[Received], bytes]:
    return lambda received: answering(status) if received.device == device else NO_CONTENT


async def hold(gate: asyncio.Event) -> AsyncIterator[bytes]:
    await gate.wait()
    yield NO_CONTENT


def verified(received: Received, secret: str) -> bool:
    """As any receiver would do it."""
    text = f"{received.id}.{received.head['webhook-timestamp']}.".encode() + received.body
    wanted = base64.b64encode(hmac.new(signing_key(secret), text, hashlib.sha256).digest()).decode()
    return f"v1,{wanted}" in received.head["webhook-signature"].split(" ")


async def test_an_event_is_pushed_as_it_is_stored(new_site: NewSite, receiver: Receiver) -> None:
    site = await new_site()
    rule = await site.rule(receiver.url)
    await site.report("lamp", "h\u00e9llo")
    [received] = await receiver.have(1)
    event = received.event
    assert (event["resource"], event["event"]) == ("device.message", "report")
    assert event["notify_data"]["header"]["device_id"] == "lamp"
    assert event["notify_data"]["body"] == {"topic": "$oc/devices/lamp/user/x", "content": "h\u00e9llo"}
    [action] = site.actions(rule)
    assert received.id == webhook_id(action.action_id, int(event["request_id"]))
    assert received.head["content-type"] == "application/json"
    assert received.head["webhook-timestamp"] == str(site.clock() // 1000)
    assert verified(received, action.secrets[0])
    await site.settled(action)


async def test_while_two_secrets_are_good_both_sign(new_site: NewSite, receiver: Receiver) -> None:
    site = await new_site()
    [action] = site.actions(await site.rule(receiver.url))
    await site.report("lamp", "one")
    await receiver.have(1)
    changed = await site.rules.amend_action(PROJECT, action.action_id, ActionAmendment(), rotate=True)
    await site.report("lamp", "two")
    await receiver.have(2)
    assert len(set(changed.secrets)) == 2
    assert all(verified(receiver.received[1], secret) for secret in changed.secrets)
    assert not verified(receiver.received[0], changed.secrets[0])
    await site.rules.amend_action(PROJECT, action.action_id, ActionAmendment(retire=True))
    await site.report("lamp", "three")
    await receiver.have(3)
    assert [verified(receiver.received[2], secret) for secret in changed.secrets] == [True, False]


async def test_only_what_a_rule_is_about_is_pushed(new_site: NewSite, receiver: Receiver, other: Receiver) -> None:
    site = await new_site()
    await site.rule(receiver.url)
    await site.rule(other.url, app_id="shop")
    await site.rule(other.url, subject=DEVICE_STATUS)
    await site.rule(other.url, subject=MESSAGE_STATUS)
    await site.report("lamp", "1", "2")
    assert [each.content for each in await receiver.have(2)] == ["1", "2"]
    assert other.received == []


async def test_nothing_is_stored_for_a_rule_that_pushes_nothing(new_site: NewSite, receiver: Receiver) -> None:
    site = await new_site()
    rule = await site.rule()
    assert site.events.channels.channels(PROJECT) == []
    await site.rules.add_action(PROJECT, rule.rule_id, receiver.url, None)
    [channel] = site.events.channels.channels(PROJECT)
    assert (channel.name, len(channel.subscribers)) == ("device-message-report", 1)
    await site.activate(rule, False)
    [channel] = site.events.channels.channels(PROJECT)
    assert channel.subscribers == []
    await site.report("lamp", "nobody wants it")
    await site.activate(rule)
    await site.report("lamp", "somebody does")
    assert [each.content for each in await receiver.have(1)] == ["somebody does"]


async def test_a_device_whose_event_fails_holds_back_its_own(new_site: NewSite, receiver: Receiver) -> None:
    site = await new_site(first_wait=60.0, longest_wait=60.0)
    receiver.answer = refusing("lamp", 400)
    [action] = site.actions(await site.rule(receiver.url))
    await site.report("lamp", "1", "2", "3")
    await site.report("fan", "1", "2", "3")
    await until(lambda: contents(receiver, "fan") == ["1", "2", "3"])
    await until(lambda: site.outstanding(action) == 3)
    assert contents(receiver, "lamp") == ["1"]
    status = site.webhooks.status(PROJECT, action.action_id)
    assert (status.record.error, status.record.failed_at) == ("the target answered 400", site.clock())
    receiver.answer = lambda _: NO_CONTENT
    site.clock.now += 60_000
    await site.settled(action)
    assert contents(receiver, "lamp") == ["1", "1", "2", "3"]
    assert len({each.id for each in receiver.received}) == 6


async def test_a_target_that_is_down_gets_everything_later_in_order(new_site: NewSite, receiver: Receiver) -> None:
    site = await new_site()
    [action] = site.actions(await site.rule(receiver.url))
    port = receiver.port
    await receiver.stop()
    for number in range(20):
        await site.report(f"device-{number % 4}", str(number))
    await until(lambda: site.webhooks.status(PROJECT, action.action_id).state == "FAILING")
    await site.restart()
    assert site.outstanding(action) == 20
    await receiver.start(port)
    site.clock.now += HOUR
    await site.settled(action)
    for lane in range(4):
        assert contents(receiver, f"device-{lane}") == [str(n) for n in range(lane, 20, 4)]
    assert site.webhooks.status(PROJECT, action.action_id).state == "ACTIVE"


async def test_a_restart_pushes_under_the_same_id(new_site: NewSite, receiver: Receiver) -> None:
    site = await new_site(longest_wait=0.02)
    receiver.answer = lambda _: answering(503)
    [action] = site.actions(await site.rule(receiver.url))
    await site.report("lamp", "1", "2")
    await receiver.have(1)
    await site.restart()
    receiver.answer = lambda _: NO_CONTENT
    site.clock.now += HOUR
    await site.settled(action)
    ids = [each.id for each in receiver.received]
    assert len(set(ids)) == 2
    assert list(dict.fromkeys(contents(receiver))) == ["1", "2"]


async def test_what_came_while_nobody_pushed_is_pushed(new_site: NewSite, receiver: Receiver) -> None:
    """As after kill -9: the event is in its channel, and nobody has read it. However old it is, it waits."""
    site = await new_site()
    [action] = site.actions(await site.rule(receiver.url))
    await site.webhooks.stop()
    await site.report("lamp", "1")
    await site.stop()
    site.clock.now += 48 * HOUR
    site.start()
    assert [each.content for each in await receiver.have(1)] == ["1"]
    await site.settled(action)


@pytest.mark.slow
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_holds_for_the_whole_target(new_site: NewSite, receiver: Receiver, status: int) -> None:
    site = await new_site()
    receiver.answer = lambda _: answering(status, "Retry-After: 30")
    [action] = site.actions(await site.rule(receiver.url))
    await site.report("lamp", "1")
    await receiver.have(1)
    await until(lambda: site.webhooks.status(PROJECT, action.action_id).record.error)
    receiver.answer = lambda _: NO_CONTENT
    await site.report("fan", "2")
    site.clock.now += 29_000
    await site.rule(receiver.url)  # another target at the same address
    await site.report("pump", "3")
    await receiver.have(2)
    assert contents(receiver) == ["1", "3"]
    site.clock.now += 1_001
    await site.settled(action)
    assert sorted(contents(receiver)) == ["1", "1", "2", "3", "3"]


async def test_retry_after_is_bounded(new_site: NewSite, receiver: Receiver) -> None:
    site = await new_site(longest_wait=10.0)
    receiver.answer = lambda _: answering(429, "Retry-After: 999999999")
    [action] = site.actions(await site.rule(receiver.url))
    await site.report("lamp", "1")
    await receiver.have(1)
    await until(lambda: site.webhooks.status(PROJECT, action.action_id).record.error)
    receiver.answer = lambda _: NO_CONTENT
    site.clock.now += 10_001
    await site.settled(action)


async def test_gone_ends_the_rule(new_site: NewSite, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    site = await new_site()
    receiver.answer = lambda _: answering(410)
    rule = await site.rule(receiver.url)
    [action] = site.actions(rule)
    await site.report("lamp", "1", "2")
    await until(lambda: not site.rules.show(PROJECT, rule.rule_id).active)
    assert "its rule is not active any more" in caplog.text
    await until(lambda: not site.events.cursors("webhooks"))
    await site.restart()
    status = site.webhooks.status(PROJECT, action.action_id)
    assert (status.state, status.outstanding, status.record.error) == ("INACTIVE", 2, "the target answered 410")
    assert contents(receiver) == ["1"]
    receiver.answer = lambda _: NO_CONTENT
    await site.activate(rule)
    await site.settled(action)
    assert contents(receiver) == ["1", "1", "2"]


async def test_what_fails_for_too_long_is_a_dead_letter_until_it_is_replayed(
    new_site: NewSite, receiver: Receiver
) -> None:
    site = await new_site()
    receiver.answer = refusing("lamp")
    [action] = site.actions(await site.rule(receiver.url))
    await site.report("lamp", "1", "2", "3")
    await receiver.have(1)
    site.clock.now += 24 * HOUR
    await site.settled(action)
    dead = site.dead(action)
    assert [json.loads(each.content)["notify_data"]["body"]["content"] for each in dead] == ["1", "2", "3"]
    assert {(each.device, each.error, each.failed_at) for each in dead} == {
        ("lamp", "the target answered 500", site.clock())
    }
    await site.restart()
    receiver.answer = lambda _: NO_CONTENT
    receiver.received.clear()
    ids = [webhook_id(action.action_id, each.position) for each in dead]
    assert await site.webhooks.replay(PROJECT, action.action_id, [ids[1], ids[1], "msg_unknown"]) == 1
    await site.settled(action)
    assert await site.webhooks.replay(PROJECT, action.action_id, None) == 2
    await site.settled(action)
    assert [each.id for each in receiver.received] == [ids[1], ids[0], ids[2]]
    assert site.dead(action) == []
    assert await site.webhooks.replay(PROJECT, action.action_id, None) == 0


async def test_dead_letters_are_bounded(new_site: NewSite, receiver: Receiver) -> None:
    site = await new_site(max_dead_letters=2, give_up_after=0.001)
    receiver.answer = lambda _: answering(404)
    [action] = site.actions(await site.rule(receiver.url))
    await site.report("lamp", *"12345")
    await receiver.have(1)
    site.clock.now += HOUR
    await site.settled(action)
    assert [json.loads(each.content)["notify_data"]["body"]["content"] for each in site.dead(action)] == ["4", "5"]
    assert site.webhooks.status(PROJECT, action.action_id).record.dropped == 3


async def test_what_waits_for_a_target_is_bounded(new_site: NewSite, receiver: Receiver) -> None:
    site = await new_site(max_outstanding=3)
    gate = asyncio.Event()
    receiver.answer = lambda _: hold(gate)
    [action] = site.actions(await site.rule(receiver.url))
    await site.report("lamp", "0")
    await receiver.have(1)
    for number in range(1, 10):
        await site.report("lamp", str(number))
    await until(lambda: site.webhooks.status(PROJECT, action.action_id).record.dropped == 7)
    gate.set()
    await site.settled(action)
    assert contents(receiver) == ["0", "8", "9"]
    await site.restart()
    assert site.webhooks.status(PROJECT, action.action_id).record.dropped == 7


async def test_requests_at_once_are_bounded_and_no_target_waits_for_another(
    new_site: NewSite, receiver: Receiver, other: Receiver
) -> None:
    site = await new_site(max_concurrent=3, max_concurrent_total=3)
    gate = asyncio.Event()
    receiver.answer = lambda _: hold(gate)
    [slow] = site.actions(await site.rule(receiver.url))
    [fast] = site.actions(await site.rule(other.url))
    for number in range(12):
        await site.report(f"device-{number}", str(number))
    await receiver.have(3)
    await site.settled(fast)
    assert (len(other.received), other.most_at_once >= 1) == (12, True)
    gate.set()
    await site.settled(slow)
    assert (len(receiver.received), receiver.most_at_once) == (12, 3)


async def test_a_target_that_is_down_is_asked_once_at_a_time(new_site: NewSite, receiver: Receiver) -> None:
    site = await new_site(first_wait=0.01, longest_wait=0.01)
    receiver.answer = lambda _: answering(503)
    [action] = site.actions(await site.rule(receiver.url))
    await site.report("first", "x")
    await until(lambda: site.webhooks.status(PROJECT, action.action_id).state == "FAILING")
    receiver.most_at_once = 0
    for number in range(10):
        await site.report(f"device-{number}", str(number))
    await receiver.have(11)
    assert receiver.most_at_once == 1


async def test_a_new_url_is_tried_at_once(new_site: NewSite, receiver: Receiver, other: Receiver) -> None:
    site = await new_site(first_wait=600.0)
    receiver.answer = lambda _: answering(503, "Retry-After: 600")
    [action] = site.actions(await site.rule(receiver.url))
    await site.report("lamp", "1")
    await until(lambda: site.webhooks.status(PROJECT, action.action_id).record.error)
    await site.rules.amend_action(PROJECT, action.action_id, ActionAmendment(url=other.url))
    assert [each.content for each in await other.have(1)] == ["1"]


async def test_what_is_kept_of_an_action_goes_with_it(new_site: NewSite, receiver: Receiver) -> None:
    site = await new_site(give_up_after=0.001)
    receiver.answer = lambda _: answering(500)
    rule = await site.rule(receiver.url, receiver.url)
    one, two = site.actions(rule)
    await site.report("lamp", "1", "2")
    await receiver.have(2)
    site.clock.now += HOUR
    await until(lambda: len(site.dead(one)) == len(site.dead(two)) == 2)
    await site.report("lamp", "3")
    await site.rules.remove_action(PROJECT, one.action_id)
    with pytest.raises(UnknownAction):
        site.webhooks.status(PROJECT, one.action_id)
    await until(lambda: site.store.pushing_actions() == [two.key])
    await site.webhooks.stop()
    await site.rules.remove(PROJECT, rule.rule_id)
    await site.restart()
    await until(lambda: site.store.pushing_actions() == [])
    assert list(site.store.waiting_pushes()) == []
    assert site.store.dead_letters(two.key, Page(10)).count == 0


@pytest.mark.parametrize("subject", SUBJECTS)
async def test_a_sample(new_site: NewSite, receiver: Receiver, subject: Subject) -> None:
    site = await new_site()
    rule = await site.rule(receiver.url, subject=subject)
    [action] = site.actions(rule)
    await site.activate(rule, False)
    attempt = await site.webhooks.test(PROJECT, action.action_id)
    assert (attempt.status, attempt.error) == (204, None)
    [received] = receiver.received
    assert (received.event["resource"], received.event["event"]) == subject
    assert received.id.startswith("msg_test_")
    assert verified(received, action.secrets[0])
    receiver.answer = lambda _: answering(500)
    attempt = await site.webhooks.test(PROJECT, action.action_id)
    assert (attempt.status, attempt.error) == (500, "the target answered 500")
    assert site.outstanding(action) == 0


async def test_private_targets_are_refused_unless_allowed(new_site: NewSite, receiver: Receiver) -> None:
    site = await new_site(allow_private=False)
    [action] = site.actions(await site.rule(receiver.url))
    await site.report("lamp", "1")
    await until(lambda: site.webhooks.status(PROJECT, action.action_id).record.error)
    error = site.webhooks.status(PROJECT, action.action_id).record.error
    assert error == "127.0.0.1 is 127.0.0.1: not public (webhooks.allow_private)"
    assert receiver.connections == 0


@pytest.mark.slow
async def test_thousands_of_events_each_once_and_in_order(new_site: NewSite, receiver: Receiver) -> None:
    site = await new_site()
    [action] = site.actions(await site.rule(receiver.url))
    for start in range(0, 1000, 100):
        await asyncio.gather(*(site.report(f"device-{n % 7}", str(n)) for n in range(start, start + 100)))
    await site.settled(action)
    by_device: dict[str, list[int]] = defaultdict(list)
    for each in receiver.received:
        by_device[each.device].append(int(each.content))
    assert sum(map(len, by_device.values())) == len({each.id for each in receiver.received}) == 1000
    assert all(numbers == sorted(numbers) for numbers in by_device.values())
    assert receiver.most_at_once <= 8
