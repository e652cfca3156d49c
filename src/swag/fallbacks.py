"""What a run did otherwise than asked: it stands in the picture, and users see it as a warning."""

import logging


class Fallbacks(list[str]):
    """Sentences, each once."""

    def note(self, words: str) -> None:
        """Write down a sentence and warn of it, unless it is there."""
        if words not in self:
            self.append(words)
            logging.getLogger("swag").warning(words)
