"""What we use and override of uvicorn and Starlette is still there. A failure here means: read its new version before
anything else."""

import ast
import asyncio
import inspect
from importlib.metadata import version
from typing import Any

import pytest
import uvicorn
from starlette.responses import Response
from starlette.routing import Router
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from bridge.api import server
from bridge.api.closing import ClosingProtocol
from bridge.api.direct import DirectCycle
from bridge.api.protocol import HttpProtocol

OURS = (ClosingProtocol, HttpProtocol)
"""Each a subclass of the one before, the first of uvicorn's."""
OVERRIDDEN = {
    "connection_lost": ["self", "exc"],
    "connection_made": ["self", "transport"],
    "data_received": ["self", "data"],
    "eof_received": ["self"],
    "on_body": ["self", "body"],
    "on_headers_complete": ["self"],
    "on_message_begin": ["self"],
    "on_message_complete": ["self"],
    "pause_writing": ["self"],
    "resume_writing": ["self"],
    "shutdown": ["self"],
    "timeout_keep_alive_handler": ["self"],
}
"""Methods of the protocol that are ours, and their parameters."""
USED = {
    "_start_asgi_task",
    "_unset_keepalive_if_required",
    "access_log",
    "access_logger",
    "app",
    "asgi_version",
    "client",
    "cycle",
    "expect_100_continue",
    "flow",
    "headers",
    "logger",
    "loop",
    "on_response_complete",
    "parser",
    "pipeline",
    "root_path",
    "scheme",
    "scope",
    "server",
    "server_state",
    "timeout_keep_alive_handler",
    "timeout_keep_alive_task",
    "transport",
    "url",
}
"""What else of the protocol we read, set or call."""
SERVER = {
    "capture_signals": ["self"],
    "main_loop": ["self"],
    "on_tick": ["self", "counter"],
    "serve": ["self", "sockets"],
    "shutdown": ["self", "sockets"],
    "startup": ["self", "sockets"],
}


class Transport(asyncio.Transport):
    """As much of one as a protocol wants to see when its connection begins."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


def of_self(cls: type[Any], *path: str) -> set[str]:
    """The attributes of `self`, or of `self` followed by `path`, that the source of a class names."""
    prefix = ".".join(("self", *path))
    nodes = ast.walk(ast.parse(inspect.getsource(cls)))
    return {node.attr for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) == prefix}


@pytest.fixture
async def protocol() -> HttpToolsProtocol:
    """uvicorn's own, with a connection and a request that has begun."""
    made = HttpToolsProtocol(uvicorn.Config(app=lambda: None, log_config=None), ServerState(), {})
    made.connection_made(Transport())
    made.on_message_begin()
    return made


@pytest.mark.parametrize(
    ("library", "minor"), [("uvicorn", "0.54."), ("starlette", "1.10."), ("msgspec", "0.22."), ("httptools", "0.9.")]
)
def test_version(library: str, minor: str) -> None:
    assert version(library).startswith(minor)


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_overridden_methods(name: str) -> None:
    assert list(inspect.signature(vars(HttpToolsProtocol)[name]).parameters) == OVERRIDDEN[name]
    for cls in OURS:
        if name in vars(cls):
            assert list(inspect.signature(vars(cls)[name]).parameters) == OVERRIDDEN[name]


def test_nothing_else_of_the_protocol_is_overridden_or_used(protocol: HttpToolsProtocol) -> None:
    """Every name that we share is listed here, and none of ours hides one that a new version brought."""
    theirs = {name for name in dir(protocol) if not name.startswith("__")}
    assert {name for cls in OURS for name in vars(cls) if name in theirs} == OVERRIDDEN.keys()
    assert {name for cls in OURS for name in of_self(cls)} & theirs == USED


@pytest.mark.parametrize("name", sorted(USED))
def test_what_is_used_of_the_protocol(protocol: HttpToolsProtocol, name: str) -> None:
    assert hasattr(protocol, name)


def test_our_cycle_has_what_the_protocol_asks_one_for() -> None:
    """It stands where uvicorn keeps its own. Only a body that is still on its way would be put into it, and ours has
    its body before it begins."""
    asked = of_self(HttpToolsProtocol, "cycle")
    assert {name for name in asked if not hasattr(DirectCycle, name)} == {"body", "more_body"}


@pytest.mark.parametrize("name", SERVER)
def test_the_server(name: str) -> None:
    assert list(inspect.signature(getattr(uvicorn.Server, name)).parameters) == SERVER[name]
    shared = {name for name in vars(server._Server) if hasattr(uvicorn.Server, name) and not name.startswith("__")}
    assert shared == {"capture_signals", "main_loop", "shutdown", "startup"}
    assert not hasattr(uvicorn.Server, "listening")
    assert not hasattr(uvicorn.Server, "leave")


def test_the_state_of_the_server() -> None:
    state = ServerState()
    assert (state.default_headers, state.tasks, state.connections) == ([], set(), set())


def test_status_lines() -> None:
    assert STATUS_LINE[201] == b"HTTP/1.1 201 Created\r\n"


def test_starlette() -> None:
    assert {"routes", "redirect_slashes", "default"} <= inspect.signature(Router.__init__).parameters.keys()
    response = Response("x", 201, {"A": "b"}, "text/plain")
    assert response.body == b"x"
    assert (b"a", b"b") in response.raw_headers
    response.raw_headers.append((b"connection", b"close"))
    assert response.headers["connection"] == "close"
