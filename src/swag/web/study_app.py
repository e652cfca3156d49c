"""The server of a study: blind pairs for participants, results for those who have the key."""

import asyncio
import io
import random
import secrets
from pathlib import Path

import torch
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from swag.errors import SettingsError
from swag.image import Picture, read
from swag.web.pairs import Results
from swag.web.replies import HANDLERS, STATIC, page_file, wish_of
from swag.web.study import CHOICES, DAMAGED, AnswerStore, Trial
from swag.web.study_results import results_csv, results_figure, results_of

DISPLAY_SIZE = 768
"""Long side in pixels of the pictures of a pair."""

BLOCKS = 8
"""Rows and columns of blocks that change their places in a damaged picture."""


class StudyPages:
    """The answers to every request; `key` opens the results."""

    def __init__(self, results: Results, store: AnswerStore, key: str) -> None:
        self._results, self._store, self._key = results, store, key
        self._reading = asyncio.Semaphore(2)

    async def home(self, request: Request) -> Response:
        """The page of a participant."""
        return page_file("study.html")

    async def enter(self, request: Request) -> Response:
        """Enter with a known code, or get a new one."""
        code = (await wish_of(request)).get("code") or None
        if not isinstance(code, str | None):
            raise SettingsError("the code is no text")
        return await self._progress(await asyncio.to_thread(self._store.enter, code))

    async def answer(self, request: Request) -> Response:
        """Store an answer, and reply with the next trial."""
        wish = await wish_of(request)
        code, trial, choice = (str(wish.get(name)) for name in ("code", "trial", "choice"))
        if choice not in CHOICES:
            raise SettingsError(f"the answer is none of {', '.join(CHOICES)}")
        await asyncio.to_thread(self._store.answer, code, trial, choice)
        return await self._progress(code)

    async def picture(self, request: Request) -> Response:
        """The left or the right picture of a trial."""
        trial = await asyncio.to_thread(self._store.trial, request.path_params["trial"])
        side = request.path_params["side"]
        if (
            trial is None
            or side not in {"left", "right"}
            or trial.unit not in self._results.pictures
        ):
            raise HTTPException(404, "there is no such picture")
        method = trial.left_method if side == "left" else trial.right_method
        async with self._reading:
            data = await asyncio.to_thread(picture_on_display, self._results, trial, method)
        return Response(data, media_type="image/png")

    async def results(self, request: Request) -> Response:
        """The page of results."""
        self._check_key(request)
        return page_file("results.html")

    async def result_rows(self, request: Request) -> Response:
        """The results as JSON."""
        self._check_key(request)
        return JSONResponse(await asyncio.to_thread(results_of, self._store))

    async def result_file(self, request: Request) -> Response:
        """The results as CSV or as a figure."""
        self._check_key(request)
        rows = (await asyncio.to_thread(results_of, self._store))["rows"]
        if request.path_params["ending"] == "csv":
            disposition = {"Content-Disposition": 'attachment; filename="results.csv"'}
            return Response(results_csv(rows), media_type="text/csv", headers=disposition)
        return Response(await asyncio.to_thread(results_figure, rows), media_type="image/svg+xml")

    async def _progress(self, code: str) -> Response:
        """The numbers of trials done and in all, and the next trial's id, as JSON."""
        progress = await asyncio.to_thread(self._store.progress, code)
        trial = None if progress.trial is None else progress.trial.id
        facts = {"code": code, "done": progress.answered, "total": progress.total, "trial": trial}
        return JSONResponse(facts)

    def _check_key(self, request: Request) -> None:
        key = request.query_params.get("key", "")
        if not secrets.compare_digest(key.encode(), self._key.encode()):
            raise HTTPException(403, "the results have an address of their own; see the terminal")


def picture_on_display(results: Results, trial: Trial, method: str) -> bytes:
    """The picture of a trial by this method, as PNG without the metadata of its file."""
    methods = results.pictures[trial.unit]
    other = trial.right_method if trial.left_method == method else trial.left_method
    path: Path = methods[other if method == DAMAGED else method]
    picture = read(path, size=DISPLAY_SIZE)
    if method == DAMAGED:
        picture = damaged(picture, seed=trial.id)
    stream = io.BytesIO()
    Picture(picture.pixels).pil().save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def damaged(picture: Picture, seed: str) -> Picture:
    """The picture with its blocks in random order: attentive people prefer the other picture."""
    height, width = picture.pixels.shape[1:]
    rows, columns = max(1, height // BLOCKS), max(1, width // BLOCKS)
    shuffled = picture.pixels.clone()
    places = [(i, j) for i in range(height // rows) for j in range(width // columns)]
    order = random.Random(seed).sample(places, len(places))
    for (i, j), (k, m) in zip(places, order, strict=True):
        block = picture.pixels[:, k * rows : (k + 1) * rows, m * columns : (m + 1) * columns]
        shuffled[:, i * rows : (i + 1) * rows, j * columns : (j + 1) * columns] = block
    return Picture(torch.clamp(shuffled, 0, 1))


def study_app(results: Results, store: AnswerStore, key: str) -> Starlette:
    """The application of a study."""
    pages = StudyPages(results, store, key)
    routes = [
        Route("/", pages.home),
        Route("/results", pages.results),
        Route("/api/enter", pages.enter, methods=["POST"]),
        Route("/api/answer", pages.answer, methods=["POST"]),
        Route("/api/trials/{trial}/{side}", pages.picture),
        Route("/api/results", pages.result_rows),
        Route("/api/results.{ending:str}", pages.result_file),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    return Starlette(routes=routes, exception_handlers=HANDLERS)
