"""Sessions: the uploads and runs of one browser, in a folder that is removed at its end."""

import secrets
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swag.errors import ResourceError, SettingsError
from swag.web.choices import page_settings
from swag.web.limits import WebLimits
from swag.web.page_run import InputFiles, PageRun
from swag.web.uploads import SentPicture

MOST_STYLES = 4


@dataclass
class Session:
    """One browser; `id` is known to it alone."""

    id: str
    folder: Path
    pictures: dict[str, SentPicture] = field(default_factory=dict)
    runs: dict[str, PageRun] = field(default_factory=dict)
    last_used: float = field(default_factory=time.monotonic)

    def new_path(self) -> Path:
        """The path for an upload; the file name is the picture's id."""
        return self.folder / secrets.token_urlsafe(9)

    def add_picture(self, picture: SentPicture, limits: WebLimits) -> None:
        """Add a picture; remove the oldest ones that no run needs beyond the limits.

        The limits are of their number and of their bytes.
        """
        self.pictures[picture.id] = picture
        needed = {path for run in self.runs.values() if not run.ended for path in files_of(run)}
        needed.add(picture.path)
        for spare in [spare for spare in self.pictures.values() if spare.path not in needed]:
            total = sum(sent.bytes for sent in self.pictures.values())
            if len(self.pictures) <= limits.pictures and total <= 1e6 * limits.session_megabytes:
                break
            del self.pictures[spare.id]
            spare.remove()

    def add_run(self, run: PageRun, limits: WebLimits) -> None:
        """Add a run; remove the oldest ended runs beyond the limit."""
        self.runs[run.id] = run
        needed = {path for r in self.runs.values() if not r.ended for path in files_of(r)}
        ended = [
            other
            for other in self.runs.values()
            if other.ended and other is not run and other.picture("png") not in needed
        ]
        for other in ended[: max(0, len(self.runs) - limits.history)]:
            del self.runs[other.id]
            other.remove()

    def create_run(self, wish: dict[str, Any], limits: WebLimits) -> PageRun:
        """The run that a page asks for.

        SettingsError if the wish is invalid, or names a picture that this session does not have.
        """
        paintings = [entry for entry in _as_list(wish.get("styles")) if isinstance(entry, dict)]
        if not 1 <= len(paintings) <= MOST_STYLES:
            raise SettingsError(f"choose one to {MOST_STYLES} paintings")
        values = wish.get("settings", {})
        if not isinstance(values, dict):
            raise SettingsError("the settings are not names with values; reload the page")
        weights = [_painting_weight(entry.get("weight", 1)) for entry in paintings]
        settings = page_settings(values, limits, weights=weights if len(weights) > 1 else ())
        settings.style_shares(len(weights))
        # A run of one pass has no steps, so that it cannot continue from a picture.
        earlier = self._run(wish["from"]) if wish.get("from") and settings.steps else None
        if earlier is not None:
            scales = earlier.scales_left if earlier.settings.size == settings.size else 1
            settings = settings.model_copy(update={"scales": min(scales, settings.steps)})
        mask = wish.get("mask")
        inputs = InputFiles(
            content=self._picture(wish.get("content"), "a photo"),
            styles=tuple(self._picture(entry.get("id"), "a painting") for entry in paintings),
            content_mask=self._picture(mask, "the mask") if mask else None,
            initial=None if earlier is None else earlier.picture("png"),
            description={
                "content": wish.get("content"),
                "styles": [
                    {"id": entry.get("id"), "weight": weight}
                    for entry, weight in zip(paintings, weights, strict=True)
                ],
                "mask": mask,
                "from": None if earlier is None else earlier.id,
            },
        )
        return PageRun(settings, inputs, self.folder)

    def _picture(self, name: object, role: str) -> Path:
        picture = self.pictures.get(name) if isinstance(name, str) else None
        if picture is None:
            raise SettingsError(f"{role} is missing or no longer kept; add it again")
        return picture.path

    def _run(self, name: object) -> PageRun:
        run = self.runs.get(name) if isinstance(name, str) else None
        if run is None or not run.has_picture:
            raise SettingsError("the picture to continue from is no longer kept; start a new run")
        return run


def files_of(run: PageRun) -> list[Path | None]:
    """The files that a run reads."""
    inputs = run.inputs
    return [inputs.content, *inputs.styles, inputs.content_mask, inputs.initial]


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _painting_weight(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise SettingsError("the weight of a painting is no number; reload the page")
    return float(value)


class Sessions:
    """All sessions of a server; unused ones end, and their files are removed."""

    def __init__(self, folder: Path, limits: WebLimits) -> None:
        self._folder, self._limits = folder, limits
        self._by_id: dict[str, Session] = {}
        self._lock = threading.Lock()

    def find(self, name: str | None) -> Session | None:
        """The session of this id, which counts as used now."""
        session = self._by_id.get(name or "")
        if session is not None:
            session.last_used = time.monotonic()
        return session

    def begin(self) -> Session:
        """A new session. ResourceError if the server has as many as the limit."""
        self.sweep()
        with self._lock:
            if len(self._by_id) >= self._limits.sessions:
                raise ResourceError("too many people are using this server; try again later")
            session_id = secrets.token_urlsafe(24)
            folder = self._folder / secrets.token_hex(8)
            folder.mkdir(mode=0o700)
            self._by_id[session_id] = Session(session_id, folder)
            return self._by_id[session_id]

    def end(self, session: Session) -> None:
        """End a session: its runs stop, and its files are removed."""
        self._by_id.pop(session.id, None)
        for run in session.runs.values():
            run.stop()
        shutil.rmtree(session.folder, ignore_errors=True)

    def sweep(self) -> None:
        """End sessions that were unused for longer than the limits allow."""
        oldest = time.monotonic() - 60 * self._limits.idle_minutes
        for session in [session for session in self._by_id.values() if session.last_used < oldest]:
            self.end(session)

    def close(self) -> None:
        """End all sessions."""
        for session in list(self._by_id.values()):
            self.end(session)
