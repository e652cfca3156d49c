"""Answers of the server: JSON in, JSON out, and mistakes as one line with their status."""

import json
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from swag.errors import ResourceError, SettingsError, SwagError
from swag.web.uploads import TooLargeError

LARGEST_WISH = 1 << 16
"""Bytes of JSON that a page may send."""

STATIC = Path(__file__).parent / "static"


class NoSessionError(SwagError):
    """The session has ended, or there never was one."""


STATUSES: dict[type[Exception], int] = {NoSessionError: 401, ResourceError: 503, TooLargeError: 413}
"""The status of errors that are not mistakes in the request."""


async def wish_of(request: Request) -> dict[str, Any]:
    """The JSON object that a page sends. SettingsError if it is too long or no object."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_WISH:
            raise SettingsError(f"the request has more than {LARGEST_WISH} bytes")
    try:
        wish = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SettingsError("the request is not JSON; reload the page") from error
    if not isinstance(wish, dict):
        raise SettingsError("the request is no JSON object; reload the page")
    return wish


async def complain(request: Request, error: Exception) -> Response:
    """An error as one line of JSON, with its status."""
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, status_code=error.status_code)
    return JSONResponse({"error": str(error)}, status_code=STATUSES.get(type(error), 400))


HANDLERS = {SwagError: complain, HTTPException: complain}


def page_file(name: str) -> FileResponse:
    """One of the pages of the package."""
    return FileResponse(
        STATIC / name, media_type="text/html", headers={"Cache-Control": "no-cache"}
    )
