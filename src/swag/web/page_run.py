"""A run that the page asked for: its inputs, how far it has come, and its picture at the end."""

import io
import logging
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from swag.config import Settings
from swag.errors import SwagError
from swag.image import Picture, fitted, resize
from swag.run import NO_STEP, Update, iterate
from swag.schedule import Pace, plan
from swag.web.choices import offered_settings

RunPhase = Literal["waiting", "running", "done", "stopped", "failed"]
FORMATS = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
"""Media types of the formats in which a picture can be downloaded, by extension."""

FRAME_SECONDS = 0.2
"""Seconds between two pictures of a run in progress, at least."""

LARGEST_FRAME = 1024


@dataclass(frozen=True)
class InputFiles:
    """The files of a run; `description` names them to the page, by the pictures' ids."""

    content: Path
    styles: tuple[Path, ...]
    content_mask: Path | None = None
    initial: Path | None = None
    description: dict[str, Any] = field(default_factory=dict)


@dataclass
class PageRun:
    """A run of a session; a worker's thread computes it, other threads read its state.

    Its picture is written to `folder`. After its end the run holds no tensors.
    """

    settings: Settings
    inputs: InputFiles
    folder: Path
    id: str = field(default_factory=lambda: secrets.token_urlsafe(9))

    def __post_init__(self) -> None:
        """Start as waiting, without a picture."""
        self.phase: RunPhase = "waiting"
        self.message = ""
        self.frame = b""
        self.frames = 0
        self.scales_left = self.settings.scales
        self._step = 0
        self._size: tuple[int, int] | None = None
        self._stopping = threading.Event()
        self._turn = threading.Lock()
        self._seconds_left: float | None = None

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.phase in {"done", "stopped", "failed"}

    def stop(self) -> None:
        """Keep the best picture so far and end; a run that has not begun ends at once."""
        self._stopping.set()
        with self._turn:
            if self.phase == "waiting":
                self.phase, self.message = "stopped", "stopped before it began"

    def picture(self, ending: str) -> Path:
        """The file of the result in a format of `FORMATS`."""
        return self.folder / f"{self.id}.{ending}"

    @property
    def has_picture(self) -> bool:
        """Whether there is a result to download."""
        return self.ended and self.picture("png").exists()

    def remove(self) -> None:
        """Remove the files of the result."""
        for ending in FORMATS:
            self.picture(ending).unlink(missing_ok=True)

    def snapshot(self) -> dict[str, Any]:
        """The state of the run for the page, as plain values."""
        return {
            "id": self.id,
            "phase": self.phase,
            "message": self.message,
            "step": self._step,
            "steps": self.settings.steps,
            "size": self._size,
            "seconds_left": None if self.ended else self._seconds_left,
            "frame": self.frames,
            "picture": self.has_picture,
            "settings": offered_settings(self.settings.model_dump(mode="json")),
            **self.inputs.description,
        }

    def work(self, seconds: float) -> None:
        """Compute the run for at most `seconds`; an error becomes its message."""
        with self._turn:
            if self.ended:
                return
            self.phase = "running"
        try:
            self._finish(self._follow(seconds))
        except SwagError as error:
            self._fail(str(error))
        except MemoryError:
            self._fail("there is not enough memory; choose a smaller size")
        except Exception:
            logging.getLogger("swag").exception("a run of the page failed")
            self._fail("the run failed by a fault of the program; the terminal says more")

    def _fail(self, message: str) -> None:
        self.phase, self.message = "failed", message

    def _updates(self) -> Iterator[Update]:
        """The updates of the run. Inputs are bytes, so that no message names a server's file."""
        inputs = self.inputs
        return iterate(
            inputs.content.read_bytes(),
            [path.read_bytes() for path in inputs.styles],
            self.settings,
            content_mask=_bytes_of(inputs.content_mask),
            initial=_bytes_of(inputs.initial),
        )

    def _follow(self, seconds: float) -> tuple[Update, list[dict[str, Any]], bool]:
        """Follow the steps: the last update, all trace entries, and whether the run finished."""
        steps: list[dict[str, Any]] = []
        chosen, began, shown_at, last = self.settings, time.monotonic(), 0.0, None
        updates = self._updates()
        pace = Pace(plan(chosen.size, chosen.steps, chosen.scales))
        for last in updates:
            pace.record(last.index + 1, time.monotonic() - began)
            self._seconds_left = pace.seconds_left if last.index else None
            self._step, self._size = last.index + 1, last.size[::-1]
            self.scales_left = last.scales - last.scale
            steps.append(last.trace_entry)
            if time.monotonic() - shown_at >= FRAME_SECONDS:
                self._show_frame(last.image)
                shown_at = time.monotonic()
            timed_out = time.monotonic() - began > seconds
            if (timed_out or self._stopping.is_set()) and not last.last:
                self.message = f"stopped after {seconds:g} seconds" if timed_out else ""
                return last, steps, False
        if last is None:
            raise SwagError(NO_STEP)
        return last, steps, True

    def _show_frame(self, picture: Picture) -> None:
        self.frame = as_jpeg(picture, LARGEST_FRAME)
        self.frames += 1

    def _finish(self, outcome: tuple[Update, list[dict[str, Any]], bool]) -> None:
        """Write the picture, with its metadata, in every format."""
        last, steps, finished = outcome
        result = last.result(steps, finished=finished)
        for ending in FORMATS:
            result.save(self.picture(ending))
        self._show_frame(result.image)
        self.phase = "done" if finished else "stopped"


def _bytes_of(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()


def as_jpeg(picture: Picture, size: int) -> bytes:
    """A picture as the bytes of a JPEG file, with a long side of at most `size` pixels."""
    width, height = picture.size
    small = resize(picture.batch, fitted(height, width, min(size, max(width, height))))
    stream = io.BytesIO()
    Picture(small[0]).pil().save(stream, "JPEG", quality=85)
    return stream.getvalue()
