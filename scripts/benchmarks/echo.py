"""The yardstick: a bare Starlette echo on uvicorn, with the settings of the daemon's HTTP listener.

Takes a listening socket, whose descriptor is the only argument, and the very requests the daemon gets.
"""

import socket
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def echo(request: Request) -> Response:
    return Response(await request.body(), 201, media_type="application/json")


def main() -> None:
    app = Starlette(routes=[Route("/v5/iot/{project_id}/devices/{device_id}/messages", echo, methods=["POST"])])
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
    )
    uvicorn.Server(config).run([socket.socket(fileno=int(sys.argv[1]))])


if __name__ == "__main__":
    main()
