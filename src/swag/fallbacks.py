"""Departures of a run from its settings: the picture records them, and users see a warning."""

import logging


class Fallbacks(list[str]):
    """Sentences, each once."""

    def add(self, words: str) -> bool:
        """Write down a sentence; whether it was not there."""
        new = words not in self
        if new:
            self.append(words)
        return new

    def note(self, words: str) -> None:
        """Write down a sentence and warn of it, unless it is there."""
        if self.add(words):
            logging.getLogger("swag").warning(words)
