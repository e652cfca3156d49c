"""Departures of a run from its settings, recorded in the picture and shown as warnings."""

import logging


class Fallbacks(list[str]):
    """Sentences, each once."""

    def add(self, words: str) -> bool:
        """Add a sentence unless it is there; returns whether it is new."""
        new = words not in self
        if new:
            self.append(words)
        return new

    def note(self, words: str) -> None:
        """Add a sentence and log it as a warning, unless it is there."""
        if self.add(words):
            logging.getLogger("swag").warning(words)
