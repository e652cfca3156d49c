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
    """A server that on exit first ends its event streams, which have no end of their own."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Set the event `closing` of the application, and end."""
        closing = getattr(self.config.app, "closing", None)
        if closing is not None:
            closing.set()
        super().handle_exit(sig, frame)


def serve(app: Starlette, host: str, port: int, *, announce: Callable[[str], None]) -> None:
    """Answer requests until Ctrl-C or SIGTERM; `announce` is called with the page's address.

    Port 0 is any free port. ResourceError if the port is not available.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ResourceError(
            f"cannot listen on {host}, port {port} ({error.strerror}); give another --port"
        ) from error
    name = f"[{host}]" if ":" in host else host
    announce(f"http://{name}:{listener.getsockname()[1]}/")
    with listener:
        server_for(app, host).run(sockets=[listener])


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
