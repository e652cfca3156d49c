"""Rules for every request and headers of every answer, which keep other sites out.

A page of another site can make a browser send requests here, and its own host name can be made to
lead here (DNS rebinding). So a request must name a host of this server, and a request that changes
something must come from a page of this server.
"""

import ipaddress
from asyncio import Event
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
READING = {"GET", "HEAD"}


class Guard:
    """An application behind a check of the headers Host and Origin.

    It answers to the hosts in `names`, localhost and any numeric address, which cannot be made to
    lead elsewhere. `closing` is set when the server is about to end.
    """

    def __init__(
        self, app: ASGIApp, names: Iterable[str] = (), closing: Event | None = None
    ) -> None:
        self._app, self.closing = app, closing
        self._names = {"localhost", *(name.lower() for name in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        complaint = self._complaint(Headers(scope=scope), scope["method"])
        answer = self._app if complaint is None else PlainTextResponse(complaint, status_code=403)
        await answer(scope, receive, send_guarded)

    def _complaint(self, headers: Headers, method: str) -> str | None:
        """Why a request is refused; None if it is not."""
        host = headers.get("host", "")
        if not self._is_own_host(host):
            return "this server does not answer to that host; open it by its address"
        if method in READING:
            return None
        if urlsplit(headers.get("origin", "")).netloc != host:
            return "this request did not come from the page of this server"
        return None

    def _is_own_host(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            return name in self._names or bool(ipaddress.ip_address(name))
        except ValueError:
            return False
