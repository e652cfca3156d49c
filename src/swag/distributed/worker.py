"""Code that runs in a worker: it turns items into answers and learns when to stop."""

import logging
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from logging.handlers import BufferingHandler
from typing import Any

from swag.messages import own_lines

STOP = threading.Event()


@dataclass
class Answer:
    """Value or exception of the function, with SWAG's warnings during the call."""

    value: Any = None
    error: Exception | None = None
    messages: list[tuple[int, str]] = field(default_factory=list)


def attempt(function: Callable[[Any], Any], item: Any) -> Answer:
    """Call the function; catches every exception and warning."""
    handler, answer = BufferingHandler(2**31), Answer()
    handler.setLevel(logging.WARNING)
    with own_lines(handler):
        try:
            answer.value = function(item)
        except Exception as error:
            error.add_note(traceback.format_exc())  # a traceback is lost on the way
            answer.error = error
    answer.messages = [(record.levelno, record.getMessage()) for record in handler.buffer]
    return answer


def stop_requested() -> bool:
    """Whether this worker's function should end soon: it was told to, or the main process ended."""
    return STOP.is_set()


@contextmanager
def stop_by_signal() -> Iterator[None]:
    """Inside, SIGINT makes `stop_requested` true and interrupts nothing. For a main thread."""
    STOP.clear()
    old_handler = signal.signal(signal.SIGINT, lambda number, frame: STOP.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, old_handler)
