"""Departures of a run from its settings, recorded in the picture and shown as warnings."""

import logging


class Fallbacks(list[str]):
    """Sentences, each once."""

    def add(self, sentence: str) -> bool:
        """Add a sentence unless it is there; returns whether it is new."""
        new = sentence not in self
        if new:
            self.append(sentence)
        return new

    def note(self, sentence: str) -> None:
        """Add a sentence and log it as a warning, unless it is there."""
        if self.add(sentence):
            logging.getLogger("swag").warning(sentence)
