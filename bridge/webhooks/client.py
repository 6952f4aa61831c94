"""One POST to a target. The only module that knows the HTTP library.

It speaks to the transport of httpx and not to its client, because that would keep cookies, follow what the environment
says about proxies, and resolve the name of the target itself. Here the address is resolved first, then checked, and
then connected to as it was checked, so a name that changes in between (DNS rebinding) changes nothing; the name goes
into `Host` and the TLS handshake, where the certificate has to be for it.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping

import httpx

from bridge.model.push import Attempt
from bridge.webhooks.addresses import is_public
from bridge.webhooks.resolver import Resolver
from bridge.webhooks.settings import WebhookSettings

MOST_ANSWER = 4096
"""Bytes of the body of an answer that are read, so that the connection can be used again."""
MOST_ADDRESSES = 3
"""Of one target, tried one after the other."""
KEPT_ALIVE = 30.0
"""Seconds that a connection is kept for the next push."""
GONE = 410


class Refused(Exception):
    """The target is not one to connect to; with a sentence."""


class Client:
    """Connections of one target."""

    def __init__(self, resolver: Resolver, settings: WebhookSettings, tls: ssl.SSLContext) -> None:
        self._resolver = resolver
        self._settings = settings
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=8, keepalive_expiry=KEPT_ALIVE)
        self._transport = httpx.AsyncHTTPTransport(verify=tls, limits=limits, trust_env=False)

    async def post(self, url: str, head: Mapping[str, str], body: bytes) -> Attempt:
        """2xx alone is success. Never raises for what a target or the network does."""
        began = time.monotonic()
        status = after = None
        try:
            async with asyncio.timeout(self._settings.total_timeout):
                status, after = await self._exchange(httpx.URL(url), head, body)
            error = None if 200 <= status < 300 else f"the target answered {status}"
        except TimeoutError:
            error = f"no answer within {self._settings.total_timeout:g} s"
        except (httpx.TransportError, httpx.InvalidURL, OSError, UnicodeError, Refused) as failure:
            error = said(failure)
        return Attempt(time.monotonic() - began, status, error, after)

    async def close(self) -> None:
        await self._transport.aclose()

    async def _exchange(self, url: httpx.URL, head: Mapping[str, str], body: bytes) -> tuple[int, str | None]:
        addresses = await self._addresses(url.host)
        for last, address in zip((False,) * (len(addresses) - 1) + (True,), addresses, strict=True):
            try:
                return await self._send(self._request(url, address, head, body))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if last:
                    raise
        raise AssertionError("there is an address")  # pragma: no cover

    async def _addresses(self, host: str) -> list[str]:
        found = await self._resolver.addresses(host)
        allowed = [each for each in found if self._settings.allow_private or is_public(each)]
        if not allowed:
            raise Refused(f"{host} is {', '.join(found[:MOST_ADDRESSES])}: not public (webhooks.allow_private)")
        return allowed[:MOST_ADDRESSES]

    def _request(self, url: httpx.URL, address: str, head: Mapping[str, str], body: bytes) -> httpx.Request:
        settings = self._settings
        timeouts = {
            "connect": settings.connect_timeout,
            "read": settings.read_timeout,
            "write": settings.read_timeout,
            "pool": settings.total_timeout,
        }
        extensions = {"timeout": timeouts, "sni_hostname": url.host}
        fields = {"Host": url.netloc.decode("ascii"), **head}
        return httpx.Request("POST", url.copy_with(host=address), headers=fields, content=body, extensions=extensions)

    async def _send(self, request: httpx.Request) -> tuple[int, str | None]:
        """Status, and Retry-After. Redirects are answers like others."""
        response = await self._transport.handle_async_request(request)
        try:
            read = 0
            async for piece in response.aiter_raw():
                read += len(piece)
                if read > MOST_ANSWER:
                    break
            return response.status_code, response.headers.get("retry-after")
        finally:
            await response.aclose()


def said(failure: Exception) -> str:
    """A short sentence about it."""
    if isinstance(failure, httpx.ConnectTimeout):
        return "no connection in time"
    if isinstance(failure, httpx.TimeoutException):
        return "no answer in time"
    return str(failure)[:200] or type(failure).__name__
