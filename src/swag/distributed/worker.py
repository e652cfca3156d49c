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
    """Value or exception of the function, with the warnings of ours on the way."""

    value: Any = None
    error: Exception | None = None
    messages: list[tuple[int, str]] = field(default_factory=list)


def attempt(function: Callable[[Any], Any], item: Any) -> Answer:
    """Call the function; catches every exception and warning."""
    lines, answer = BufferingHandler(2**31), Answer()
    lines.setLevel(logging.WARNING)
    with own_lines(lines):
        try:
            answer.value = function(item)
        except Exception as error:
            error.add_note(traceback.format_exc())  # a traceback is lost on the way
            answer.error = error
    answer.messages = [(record.levelno, record.getMessage()) for record in lines.buffer]
    return answer


def told_to_stop() -> bool:
    """Whether the function that this worker runs should end soon: it was asked to, or is alone."""
    return STOP.is_set()


@contextmanager
def stop_by_signal() -> Iterator[None]:
    """Inside, SIGINT makes `told_to_stop` true and interrupts nothing. For a main thread."""
    STOP.clear()
    before = signal.signal(signal.SIGINT, lambda number, frame: STOP.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
