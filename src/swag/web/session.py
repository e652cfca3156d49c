"""Sessions: what one browser sent and made, in a folder of its own that goes with it."""

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
from swag.web.page_run import AskedInputs, PageRun
from swag.web.uploads import SentPicture

MOST_STYLES = 4


@dataclass
class Session:
    """One browser; `id` is known to it alone."""

    id: str
    folder: Path
    pictures: dict[str, SentPicture] = field(default_factory=dict)
    runs: dict[str, PageRun] = field(default_factory=dict)
    seen: float = field(default_factory=time.monotonic)

    def new_path(self) -> Path:
        """Where a picture that is sent goes; its name is its id."""
        return self.folder / secrets.token_urlsafe(9)

    def keep(self, picture: SentPicture, limits: WebLimits) -> None:
        """Add a picture; the oldest ones that no run needs go if there are too many.

        Too many bytes are too many, too.
        """
        self.pictures[picture.id] = picture
        needed = {path for run in self.runs.values() if not run.ended for path in files_of(run)}
        needed.add(picture.path)
        for one in [one for one in self.pictures.values() if one.path not in needed]:
            held = sum(kept.bytes for kept in self.pictures.values())
            if len(self.pictures) <= limits.pictures and held <= 1e6 * limits.session_megabytes:
                break
            del self.pictures[one.id]
            one.remove()

    def add(self, run: PageRun, limits: WebLimits) -> None:
        """Add a run; the oldest ones that have ended go if there are too many."""
        self.runs[run.id] = run
        needed = {path for one in self.runs.values() if not one.ended for path in files_of(one)}
        spare = [
            one
            for one in self.runs.values()
            if one.ended and one is not run and one.picture("png") not in needed
        ]
        for one in spare[: max(0, len(self.runs) - limits.history)]:
            del self.runs[one.id]
            one.remove()

    def asked(self, wish: dict[str, Any], limits: WebLimits) -> PageRun:
        """The run that a page wishes for.

        SettingsError if the wish is none, or names what this session does not have.
        """
        paintings = [one for one in _listed(wish.get("styles")) if isinstance(one, dict)]
        if not 1 <= len(paintings) <= MOST_STYLES:
            raise SettingsError(f"choose one to {MOST_STYLES} paintings")
        values = wish.get("settings", {})
        if not isinstance(values, dict):
            raise SettingsError("the settings are not names with values; reload the page")
        given = [_number(one.get("weight", 1)) for one in paintings]
        settings = page_settings(values, limits, weights=given if len(given) > 1 else ())
        settings.style_shares(len(given))
        # A picture of one pass has no steps that could go on from another.
        earlier = self._run(wish["from"]) if wish.get("from") and settings.steps else None
        if earlier is not None:
            scales = earlier.scales_left if earlier.settings.size == settings.size else 1
            settings = settings.model_copy(update={"scales": min(scales, settings.steps)})
        mask = wish.get("mask")
        inputs = AskedInputs(
            content=self._picture(wish.get("content"), "a photo"),
            styles=tuple(self._picture(one.get("id"), "a painting") for one in paintings),
            content_mask=self._picture(mask, "the mask") if mask else None,
            initial=None if earlier is None else earlier.picture("png"),
            told={
                "content": wish.get("content"),
                "styles": [
                    {"id": one.get("id"), "weight": weight}
                    for one, weight in zip(paintings, given, strict=True)
                ],
                "mask": mask,
                "from": None if earlier is None else earlier.id,
            },
        )
        return PageRun(settings, inputs, self.folder)

    def _picture(self, name: object, what: str) -> Path:
        found = self.pictures.get(name) if isinstance(name, str) else None
        if found is None:
            raise SettingsError(f"{what} is missing or no longer kept; add it again")
        return found.path

    def _run(self, name: object) -> PageRun:
        found = self.runs.get(name) if isinstance(name, str) else None
        if found is None or not found.has_picture:
            raise SettingsError("the picture to continue from is no longer kept; start a new run")
        return found


def files_of(run: PageRun) -> list[Path | None]:
    """The files that a run reads."""
    inputs = run.inputs
    return [inputs.content, *inputs.styles, inputs.content_mask, inputs.initial]


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise SettingsError("the weight of a painting is no number; reload the page")
    return float(value)


class Sessions:
    """All sessions of a server; those that nobody uses any more end, with their files."""

    def __init__(self, folder: Path, limits: WebLimits) -> None:
        self._folder, self._limits = folder, limits
        self._by_id: dict[str, Session] = {}
        self._lock = threading.Lock()

    def find(self, name: str | None) -> Session | None:
        """The session of this id, which is in use from now on."""
        session = self._by_id.get(name or "")
        if session is not None:
            session.seen = time.monotonic()
        return session

    def begin(self) -> Session:
        """A new session. ResourceError if there are as many as may."""
        self.sweep()
        with self._lock:
            if len(self._by_id) >= self._limits.sessions:
                raise ResourceError("too many people are using this server; try again later")
            name = secrets.token_urlsafe(24)
            folder = self._folder / secrets.token_hex(8)
            folder.mkdir(mode=0o700)
            self._by_id[name] = Session(name, folder)
            return self._by_id[name]

    def end(self, session: Session) -> None:
        """End a session: its runs stop, and its files are removed."""
        self._by_id.pop(session.id, None)
        for run in session.runs.values():
            run.stop()
        shutil.rmtree(session.folder, ignore_errors=True)

    def sweep(self) -> None:
        """End those that were not seen for so long as the limits say."""
        oldest = time.monotonic() - 60 * self._limits.idle_minutes
        for session in [one for one in self._by_id.values() if one.seen < oldest]:
            self.end(session)

    def close(self) -> None:
        """End them all."""
        for session in list(self._by_id.values()):
            self.end(session)
