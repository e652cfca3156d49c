"""How much a server does for those who reach it; the defaults suit a laptop."""

import math
from dataclasses import dataclass

from swag.errors import SettingsError


@dataclass(frozen=True)
class WebLimits:
    """What one server takes on.

    Args:
        megapixels: of a picture that is sent.
        megabytes: of a picture that is sent.
        size: long side in pixels of a result; a painting may be read at twice that.
        steps: of one run.
        seconds: of one run, from its start; the picture so far is kept.
        runs: computed at the same time.
        queue: runs that wait.
        pictures: kept for a session, the newest.
        session_megabytes: of the pictures that are kept for a session.
        history: runs that are kept for a session, the newest.
        sessions: at the same time.
        idle_minutes: after which a session ends if no page of it is open.
    """

    megapixels: float = 50
    megabytes: float = 30
    size: int = 1024
    steps: int = 1000
    seconds: float = 900
    runs: int = 1
    queue: int = 20
    pictures: int = 60
    session_megabytes: float = 300
    history: int = 40
    sessions: int = 20
    idle_minutes: float = 60

    def __post_init__(self) -> None:
        """Check that each limit is above 0, and finite. SettingsError if one is not."""
        for name, value in vars(self).items():
            if not 0 < value < math.inf:
                raise SettingsError(f"the limit {name} = {value}: expected a finite number above 0")

    @property
    def pixels(self) -> int:
        """The most pixels of an uploaded picture."""
        return int(self.megapixels * 1e6)

    @property
    def most_bytes(self) -> int:
        """The most bytes of an uploaded picture."""
        return int(self.megabytes * 1e6)
