"""The server itself: a port, and an application behind the guard until Ctrl-C."""

import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from swag.errors import ResourceError
from swag.web.guard import Guard

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
"""Hosts that only this machine reaches."""


class QuietServer(uvicorn.Server):
    """A server that ends its endless answers first when it is asked to end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Tell the application."""
        closing = getattr(self.config.app, "closing", None)
        if closing is not None:
            closing.set()
        super().handle_exit(sig, frame)


def serve(app: Starlette, host: str, port: int, *, announce: Callable[[str], None]) -> None:
    """Answer requests until Ctrl-C or SIGTERM; `announce` is given the address of the page.

    Port 0 is any that is free. ResourceError if the port cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ResourceError(
            f"cannot listen on {host}, port {port} ({error.strerror}); give another --port"
        ) from error
    shown = f"[{host}]" if ":" in host else host
    announce(f"http://{shown}:{listening.getsockname()[1]}/")
    with listening:
        server_for(app, host).run(sockets=[listening])


def server_for(app: Starlette, host: str) -> QuietServer:
    """The server of an application, behind the guard."""
    guarded = Guard(app, names=[host], closing=getattr(app.state, "closing", None))
    config = uvicorn.Config(
        guarded,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=3,
    )
    return QuietServer(config)
