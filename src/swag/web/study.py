"""A study: who is shown which pair, in which order, and what was answered, in SQLite.

A participant is a random code and nothing else. The trials of a code are drawn once and stay, so
that a study goes on where it was left; a trial has at most one answer, the first.
"""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from swag.errors import ResourceError, SettingsError
from swag.web.pairs import BlindPair, Results
from swag.web.ranking import PairAnswer, Preference

Choice = Literal["left", "right", "neither"]
CHOICES: tuple[Choice, ...] = ("left", "right", "neither")
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters of codes: none that look alike."""

DAMAGED = "(damaged)"
"""The method that stands for the damaged picture of a catch trial."""

_TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS participants (code TEXT PRIMARY KEY) STRICT;
CREATE TABLE IF NOT EXISTS trials (
    id TEXT PRIMARY KEY,
    code TEXT NOT NULL REFERENCES participants,
    number INTEGER NOT NULL,
    unit TEXT NOT NULL,
    left_method TEXT NOT NULL,
    right_method TEXT NOT NULL,
    pair TEXT NOT NULL,
    UNIQUE (code, number)
) STRICT;
CREATE TABLE IF NOT EXISTS answers (
    trial TEXT PRIMARY KEY REFERENCES trials,
    choice TEXT NOT NULL CHECK (choice IN ('left', 'right', 'neither'))
) STRICT;
"""


@dataclass(frozen=True)
class Trial:
    """Two pictures that a participant sees; `id` reveals nothing about them."""

    id: str
    number: int
    unit: str
    left_method: str
    right_method: str


@dataclass(frozen=True)
class StudyProgress:
    """How far a participant has come, and the trial that is next, if there is one."""

    answered: int
    total: int
    trial: Trial | None


class AnswerStore:
    """The answers to a study in a file; every call is a transaction of its own."""

    def __init__(
        self, path: Path, results: Results, *, trials: int = 40, catch_every: int = 8
    ) -> None:
        """Open or create the file. ResourceError if it cannot be opened, or is of another kind."""
        self._path, self._results = path, results
        self._trials, self._catch_every = trials, catch_every
        with self._open() as database:
            database.executescript(_TABLES)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            database = sqlite3.connect(self._path, timeout=20, isolation_level=None)
            try:
                database.executescript("PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL")
                yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise ResourceError(f"cannot use the answers in {self._path}: {error}") from error

    def enter(self, code: str | None = None) -> str:
        """The code of a participant: a new one, with trials drawn for it, or the known `code`.

        SettingsError for a code that was never given out.
        """
        with self._open() as database:
            if code is None:
                return self._draw_trials(database)
            code = code.strip().lower()
            if _is_known(database, code):
                return code
        raise SettingsError("this code is unknown; check its letters, or begin without a code")

    def progress(self, code: str) -> StudyProgress:
        """Counts of trials, and the first one unanswered. SettingsError for an unknown code."""
        with self._open() as database:
            if not _is_known(database, code):
                raise SettingsError("this code is unknown; begin again")
            rows = database.execute(
                "SELECT id, number, unit, left_method, right_method, choice FROM trials "
                "LEFT JOIN answers ON trial = id WHERE code = ? ORDER BY number",
                (code,),
            ).fetchall()
        pending = [Trial(*row[:5]) for row in rows if row[5] is None]
        return StudyProgress(len(rows) - len(pending), len(rows), pending[0] if pending else None)

    def trial(self, trial: str) -> Trial | None:
        """The trial of this id."""
        with self._open() as database:
            row = database.execute(
                "SELECT id, number, unit, left_method, right_method FROM trials WHERE id = ?",
                (trial,),
            ).fetchone()
        return Trial(*row) if row else None

    def answer(self, code: str, trial: str, choice: Choice) -> bool:
        """Store an answer if it is the first to this trial; returns whether it is.

        SettingsError if the trial is not of this participant.
        """
        with self._open() as database:
            query = "SELECT 1 FROM trials WHERE id = ? AND code = ?"
            if database.execute(query, (trial, code)).fetchone() is None:
                raise SettingsError("this pair is not one of yours; reload the page")
            inserted = database.execute(
                "INSERT INTO answers VALUES (?, ?) ON CONFLICT DO NOTHING", (trial, choice)
            )
            return inserted.rowcount == 1

    def comparisons(self, *, attentive: float = 0.75) -> list[PairAnswer]:
        """The answers of participants who passed a share `attentive` of their catch trials."""
        caught = self.catches()
        answers = []
        for code, left, right, choice in self._answers():
            passed, total = caught.get(code, (0, 0))
            if DAMAGED not in (left, right) and passed >= attentive * total:
                answers.append(PairAnswer(left, right, _OUTCOMES[choice]))
        return answers

    def catches(self) -> dict[str, tuple[int, int]]:
        """For each participant, the number of catch trials answered right, and of all answered."""
        counts: dict[str, tuple[int, int]] = {}
        for code, left, right, choice in self._answers():
            if DAMAGED in (left, right):
                passed, total = counts.get(code, (0, 0))
                correct = choice == ("right" if left == DAMAGED else "left")
                counts[code] = passed + correct, total + 1
        return counts

    def _answers(self) -> list[tuple[str, str, str, str]]:
        with self._open() as database:
            return database.execute(
                "SELECT code, left_method, right_method, choice FROM answers "
                "JOIN trials ON trial = id ORDER BY code, number"
            ).fetchall()

    def _draw_trials(self, database: sqlite3.Connection) -> str:
        """Add a new code with its trials: the pairs drawn least so far, sides at random."""
        rng = secrets.SystemRandom()
        database.execute("BEGIN IMMEDIATE")
        code = "".join(rng.choices(LETTERS, k=8))
        counts = dict(database.execute("SELECT pair, count(*) FROM trials GROUP BY pair"))
        pairs = self._results.pairs()
        rng.shuffle(pairs)
        pairs = sorted(pairs, key=lambda pair: counts.get(pair.key, 0))[: self._trials]
        rng.shuffle(pairs)
        trials: list[BlindPair] = []
        for number, pair in enumerate(pairs, start=1):
            trials.append(pair)
            if self._catch_every and number % self._catch_every == 0:
                trials.append(BlindPair(pair.unit, pair.first, DAMAGED))
        database.execute("INSERT INTO participants VALUES (?)", (code,))
        for number, pair in enumerate(trials):
            left, right = rng.sample([pair.first, pair.second], 2)
            row = (secrets.token_urlsafe(12), code, number, pair.unit, left, right, pair.key)
            database.execute("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        database.execute("COMMIT")
        return code


_OUTCOMES: dict[str, Preference] = {"left": "first", "right": "second", "neither": "neither"}


def _is_known(database: sqlite3.Connection, code: str) -> bool:
    row = database.execute("SELECT 1 FROM participants WHERE code = ?", (code,)).fetchone()
    return row is not None
