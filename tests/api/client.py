"""An HTTP client that sends exactly the bytes it is told to, and reads answers one by one."""

import asyncio
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.api.memory import DEVICE, PROJECT

MESSAGES = f"/v5/iot/{PROJECT}/devices/{DEVICE}/messages"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json()["error_code"])

    @property
    def text(self) -> str:
        return str(self.json()["error_msg"])


class Client:
    """One connection. `async with Client(address) as client`. `source`: the address to come from."""

    def __init__(self, address: tuple[str, int], *, source: str | None = None) -> None:
        self._address = address
        self._source = (source, 0) if source else None

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection(*self._address, local_addr=self._source)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        self.writer.close()

    async def request(
        self, method: str, path: str, body: bytes | str | None = None, *, who: str | None = "app", **fields: str
    ) -> Answer:
        """`who` is the token, None for no credentials. Underscores in the names of `fields` become hyphens."""
        if who is not None:
            fields.setdefault("X_Auth_Token", who)
        data = body.encode() if isinstance(body, str) else body or b""
        if body is not None:
            fields.setdefault("Content_Type", "application/json")
            fields.setdefault("Content_Length", str(len(data)))
        return await self.exchange(head(method, path, **fields) + data, bodiless=method == "HEAD")

    async def post(self, body: bytes | str, **fields: str) -> Answer:
        return await self.request("POST", MESSAGES, body, **fields)

    async def get(self, path: str, *, who: str | None = "app", **fields: str) -> Answer:
        return await self.request("GET", path, who=who, **fields)

    async def exchange(self, data: bytes, *, bodiless: bool = False) -> Answer:
        self.writer.write(data)
        return await self.answer(bodiless=bodiless)

    async def answer(self, *, bodiless: bool = False) -> Answer:
        async with asyncio.timeout(20):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:-2])}
            body = await self.reader.readexactly(0 if bodiless else int(headers.get("content-length", "0")))
        return Answer(int(lines[0].split()[1]), headers, body)

    async def closed(self) -> bool:
        """Waits for the server to close the connection; False if it sends something else first."""
        async with asyncio.timeout(20):
            try:
                return await self.reader.read(1) == b""
            except ConnectionResetError:
                return True


def head(method: str, path: str, **fields: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: bridge"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
