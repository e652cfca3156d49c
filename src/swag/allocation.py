"""Keep memory that tensors free in the process, if its C library is GNU's.

glibc gives the memory of every large tensor back to the system and fetches it anew, page by page
and each page zeroed, a step later. That takes a fifth to a third of a step on a processor.
"""

import ctypes
import sys
from functools import cache

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of mallopt, from malloc.h."""

_NEVER = 2**31 - 1


class _Statistics(ctypes.Structure):
    """What mallinfo2 returns."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
        )
    ]


def keep_freed_memory() -> bool:
    """Keep freed memory for later tensors from now on; returns whether the C library agreed.

    A program does this once, as `swag` and its examples; a library leaves it to its program.
    The process then does not shrink before it ends.
    """
    library = _glibc()
    if library is None:
        return False
    results = [library.mallopt(_MMAP_MAX, 0), library.mallopt(_TRIM_THRESHOLD, _NEVER)]
    return all(results)


def idle_memory() -> int:
    """Bytes that the process holds and does not use: available without asking the system."""
    library = _glibc()
    if library is None or not hasattr(library, "mallinfo2"):
        return 0
    library.mallinfo2.restype = _Statistics
    return int(library.mallinfo2().fordblks)


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library of the process, if it is GNU's."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
