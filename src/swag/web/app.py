"""The server of the main page: pictures and wishes in; progress, frames and pictures out."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from matplotlib.cbook import get_sample_data
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from swag.web.choices import page_choices
from swag.web.limits import WebLimits
from swag.web.page_run import FORMATS, PageRun
from swag.web.replies import HANDLERS, STATIC, NoSessionError, page_file, wish_of
from swag.web.run_queue import RunQueue
from swag.web.session import Session, Sessions
from swag.web.uploads import SentPicture, TooLargeError, admit, receive, too_large

COOKIE = "swag-session"
LOOK_SECONDS = 0.1
"""Seconds between two checks of the runs of a session with an open page."""

STILL_SECONDS = 15.0
"""Seconds after which an event is sent without a change, so that a lost page is noticed."""

PHOTO = "grace_hopper.jpg"
"""Rear Admiral Grace Hopper by James S. Davis, 1984: a work of the US Navy, public domain."""

GALLERY = ("brush", "mosaic", "ink", "strokes", "tiles")
"""Paintings made by formulas, in `examples/paint.py` and the laboratory."""


class Studio:
    """The sessions, the queue, and the answers to every request."""

    def __init__(self, folder: Path, limits: WebLimits, closing: asyncio.Event) -> None:
        self.limits = limits
        self.closing = closing
        self.queue = RunQueue(limits)
        self.sessions = Sessions(folder, limits)
        self._reading = asyncio.Semaphore(2)

    async def home(self, request: Request) -> Response:
        """The page, with the cookie of a session."""
        response = page_file("studio.html")
        if self.sessions.find(request.cookies.get(COOKIE)) is None:
            # Only this server reads it, until the browser is closed.
            session_id = self.sessions.begin().id
            response.set_cookie(COOKIE, session_id, httponly=True, samesite="strict", path="/")
        return response

    async def choices(self, request: Request) -> Response:
        """What the page can choose from."""
        return JSONResponse({**page_choices(self.limits), "gallery": GALLERY})

    async def send_picture(self, request: Request) -> Response:
        """Add the picture in the body of the request."""
        session = self._session(request)
        if int(request.headers.get("content-length") or 0) > self.limits.most_bytes:
            raise TooLargeError(too_large(self.limits))
        path = session.new_path()
        try:
            await receive(request.stream(), path, self.limits)
        except (TimeoutError, ClientDisconnect) as error:
            raise HTTPException(408, "the picture did not arrive; try again") from error
        return JSONResponse((await self._admit(session, path)).facts)

    async def take_sample(self, request: Request) -> Response:
        """Add a picture of the gallery, or the sample photo."""
        session, name = self._session(request), request.path_params["name"]
        if name != "photo" and name not in GALLERY:
            raise HTTPException(404, "there is no such picture in the gallery")
        source: Any = STATIC / "gallery" / f"{name}.jpg"
        if name == "photo":
            source = get_sample_data(PHOTO, asfileobj=False)
        path = session.new_path()
        shutil.copyfile(source, path)
        return JSONResponse((await self._admit(session, path)).facts)

    async def preview(self, request: Request) -> Response:
        """A picture of the session, as the page shows it."""
        picture = self._session(request).pictures.get(request.path_params["id"])
        if picture is None:
            raise HTTPException(404, "there is no such picture in this session")
        return FileResponse(picture.preview, media_type="image/jpeg")

    async def begin_run(self, request: Request) -> Response:
        """Queue a run."""
        session = self._session(request)
        run = session.create_run(await wish_of(request), self.limits)
        self.queue.submit(run)
        session.add_run(run, self.limits)
        return JSONResponse({"id": run.id, "place": self.queue.places().get(run.id, 0)})

    async def stop_run(self, request: Request) -> Response:
        """Stop a run; the best picture so far stays."""
        self._run(request).stop()
        return JSONResponse({})

    async def frame(self, request: Request) -> Response:
        """The picture of a run as it is now."""
        run = self._run(request)
        if not run.frame:
            raise HTTPException(404, "there is no picture yet")
        return Response(run.frame, media_type="image/jpeg")

    async def download(self, request: Request) -> Response:
        """The picture of a run that has ended, as a file."""
        run, ending = self._run(request), request.path_params["ending"]
        if ending not in FORMATS or not run.has_picture:
            raise HTTPException(404, "there is no such picture")
        return FileResponse(
            run.picture(ending), media_type=FORMATS[ending], filename=f"swag-{run.id}.{ending}"
        )

    async def end_session(self, request: Request) -> Response:
        """Forget all that a session has sent and made."""
        self.sessions.end(self._session(request))
        return JSONResponse({})

    async def events(self, request: Request) -> Response:
        """The progress of a session's runs, as server-sent events."""
        return StreamingResponse(
            self._event_stream(self._session(request)), media_type="text/event-stream"
        )

    async def _event_stream(self, session: Session) -> AsyncIterator[str]:
        """Yield events: first all runs, then, at each change or long pause, those that changed."""
        sent: dict[str, Any] = {}
        waited = STILL_SECONDS
        while not self.closing.is_set() and self.sessions.find(session.id) is session:
            places = self.queue.places()
            runs = list(session.runs.values())
            current = {r.id: {**r.snapshot(), "place": places.get(r.id, 0)} for r in runs}
            changed = [facts for name, facts in current.items() if sent.get(name) != facts]
            if changed or current.keys() != sent.keys() or waited >= STILL_SECONDS:
                event = {"runs": changed, "all": list(current), "waiting": len(places)}
                yield f"data: {json.dumps(event)}\n\n"
                waited = 0.0
            sent = current
            await asyncio.sleep(LOOK_SECONDS)
            waited += LOOK_SECONDS

    async def _admit(self, session: Session, path: Path) -> SentPicture:
        """Read an upload in a thread, two at a time to bound the memory, and add it."""
        async with self._reading:
            picture = await asyncio.to_thread(admit, path, self.limits)
        session.add_picture(picture, self.limits)
        return picture

    def _session(self, request: Request) -> Session:
        session = self.sessions.find(request.cookies.get(COOKIE))
        if session is None:
            raise NoSessionError("this session has ended; reload the page")
        return session

    def _run(self, request: Request) -> PageRun:
        run = self._session(request).runs.get(request.path_params["id"])
        if run is None:
            raise HTTPException(404, "there is no such run in this session")
        return run

    def close(self) -> None:
        """Stop all runs and remove all files."""
        self.closing.set()
        self.sessions.close()
        self.queue.close()


def studio_app(limits: WebLimits) -> Starlette:
    """The application; while it runs, a temporary folder holds all files."""
    closing = asyncio.Event()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        with TemporaryDirectory(prefix="swag-web-") as folder:
            studio = Studio(Path(folder), limits, closing)
            app.router.routes.extend(_routes(studio))
            sweeper = asyncio.create_task(_sweep(studio.sessions))
            yield
            sweeper.cancel()
            await asyncio.to_thread(studio.close)

    app = Starlette(lifespan=lifespan, exception_handlers=HANDLERS)
    app.state.closing = closing
    return app


def _routes(studio: Studio) -> list[BaseRoute]:
    run = "/api/runs/{id}"
    return [
        Route("/", studio.home),
        Route("/api/choices", studio.choices),
        Route("/api/pictures", studio.send_picture, methods=["POST"]),
        Route("/api/pictures/{id}", studio.preview),
        Route("/api/gallery/{name}", studio.take_sample, methods=["POST"]),
        Route("/api/runs", studio.begin_run, methods=["POST"]),
        Route("/api/events", studio.events),
        Route("/api/session", studio.end_session, methods=["DELETE"]),
        Route(f"{run}/stop", studio.stop_run, methods=["POST"]),
        Route(f"{run}/frame", studio.frame),
        Route(f"{run}/picture.{{ending}}", studio.download),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]


async def _sweep(sessions: Sessions) -> None:
    """End sessions that nobody uses any more, now and then."""
    while True:
        await asyncio.sleep(60)
        await asyncio.to_thread(sessions.sweep)
