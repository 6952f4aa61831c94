"""amqtt's topic plug-ins: who may publish, subscribe and receive what, besides our own rules."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from amqtt.contexts import Action
from amqtt.plugins.base import BaseTopicPlugin

from bridge.broker.identity import Identity
from bridge.broker.limits import Limits
from bridge.broker.plugin_session import PluginSession
from bridge.broker.session import Line, Session
from bridge.broker.settings import MqttSettings
from bridge.mqtt import split_shared

_log = logging.getLogger(__name__)


class _Waiting:
    """Messages for one session that the plug-ins have not decided about, in order."""

    __slots__ = ("messages", "size")

    def __init__(self) -> None:
        self.messages: deque[tuple[str, int, Callable[[], None]]] = deque()
        self.size = 0


class TopicPlugins:
    """They can only forbid: what our own rules do not open stays closed. Admins, and devices in the trees below `$oc/`
    that are theirs, are not their business.

    A client whose packet they look at is held until they have decided, so its packets stay in order. A failure, or no
    decision within `connect_timeout`, forbids.
    """

    def __init__(self, settings: MqttSettings) -> None:
        self._patience = settings.connect_timeout
        self._limits = Limits(settings)
        self._tasks: set[asyncio.Task[None]] = set()
        self._receivers: dict[Session, _Waiting] = {}
        self.plugins: list[BaseTopicPlugin] = []

    def decide(self, identity: Identity, topic: str) -> bool:
        """Whether they are asked."""
        return not identity.unrestricted and (identity.device is None or not topic.startswith("$oc/"))

    async def allow(self, known: PluginSession, topic: str, action: Action | str) -> bool:
        """All have to agree, and None is no yes: the rule of amqtt's own broker."""
        try:
            async with asyncio.timeout(self._patience):
                for plugin in self.plugins:
                    if not await plugin.topic_filtering(session=known, topic=topic, action=Action(action)):
                        return False
        except Exception:  # a plug-in is foreign code: its failure forbids one topic and is logged, nothing else
            _log.exception("topic plug-in failed", extra={"client": known.client_id, "topic": topic})
            return False
        return True

    def publish(self, line: Line, session: Session, topic: str, answer: Callable[[bool], None]) -> None:
        """`answer` is called with the decision, and what the client sent meanwhile follows."""

        async def ask() -> None:
            answer(await self.allow(PluginSession.of_session(session), topic, Action.PUBLISH))

        self._hold(line, ask())

    def subscribe(
        self, line: Line, session: Session, filters: Sequence[str], answer: Callable[[list[bool]], None]
    ) -> None:
        """The same for each of these filters; of a shared one without its group."""

        async def ask() -> None:
            known = PluginSession.of_session(session)
            bare = [split_shared(topic_filter)[1] for topic_filter in filters]
            answer(
                [
                    not self.decide(session.identity, each) or await self.allow(known, each, Action.SUBSCRIBE)
                    for each in bare
                ]
            )

        self._hold(line, ask())

    def receive(self, session: Session, topic: str, size: int, forward: Callable[[], None]) -> None:
        """`forward` is called if the session may have the message. Beyond the bounds of its queue it is dropped."""
        waiting = self._receivers.get(session)
        if waiting is None:
            waiting = self._receivers[session] = _Waiting()
            self._start(self._hand_on(session, waiting))
        limits = self._limits.of(session.identity)
        full = len(waiting.messages) >= limits.queued_messages or waiting.size + size > limits.queued_bytes
        if waiting.messages and full:
            session.dropped += 1
            return
        waiting.messages.append((topic, size, forward))
        waiting.size += size

    def judge(self, session: Session, topic: str, answer: Callable[[bool], None]) -> None:
        """`answer` is called with whether the session may have a message of the topic."""

        async def ask() -> None:
            answer(await self.allow(PluginSession.of_session(session), topic, Action.RECEIVE))

        self._start(ask())

    async def _hand_on(self, session: Session, waiting: _Waiting) -> None:
        try:
            while waiting.messages:
                topic, size, forward = waiting.messages.popleft()
                waiting.size -= size
                if await self.allow(PluginSession.of_session(session), topic, Action.RECEIVE):
                    forward()
        finally:
            del self._receivers[session]

    def _hold(self, line: Line, ask: Coroutine[Any, Any, None]) -> None:
        async def held() -> None:
            try:
                await ask
            finally:
                line.release()

        line.hold()
        self._start(held())

    def _start(self, step: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(step)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
