"""The middleware alone: what a server never or rarely does to it."""

import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from bridge.api.request_id import RequestIds, new_request_id


async def receive() -> Message:
    return {"type": "http.disconnect"}


class Sent(list[Message]):
    async def __call__(self, message: Message) -> None:
        self.append(message)


def answer(_scope: Scope, _error: BaseException) -> Response:
    return Response("failed", 500)


async def test_no_two_are_alike() -> None:
    assert len({new_request_id() for _ in range(10_000)}) == 10_000


async def test_other_protocols_pass_untouched() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope)

    scope: Scope = {"type": "lifespan"}
    await RequestIds(app, answer)(scope, receive, Sent())
    assert seen == [{"type": "lifespan"}]


async def test_an_exception_before_the_answer() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("inside")

    sent = Sent()
    await RequestIds(app, answer)({"type": "http", "headers": []}, receive, sent)
    assert sent[0]["status"] == 500
    assert b"x-request-id" in dict(sent[0]["headers"])


async def test_an_exception_inside_the_answer_is_left_to_the_server() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("inside")

    sent = Sent()
    with pytest.raises(RuntimeError, match="inside"):
        await RequestIds(app, answer)({"type": "http", "headers": []}, receive, sent)
    assert [message["type"] for message in sent] == ["http.response.start"]
