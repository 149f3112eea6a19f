"""What training libraries raise, as errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import DataError, HarnessError, StoreError, UnavailableError, first_line

_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")
_WRITING = ("no space left", "file too large", "writing file", "write failed", "disk quota", "file write")


@contextmanager
def explained(thing: str) -> Iterator[None]:
    """Turn an exception of a library into a HarnessError about a thing; what was written before stays.

    Raises:
        StoreError: A file cannot be written.
        UnavailableError: Memory does not suffice.
        DataError: A library refuses what it was given.
    """
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:  # torch, safetensors and accelerate each raise their own
        raise _explanation(thing, error) from error


def _explanation(thing: str, error: Exception) -> HarnessError:
    text, told = str(error).lower(), first_line(error)
    if isinstance(error, OSError) or any(words in text for words in _WRITING):
        again = "free space or name another folder, and run again; it goes on at the last whole state"
        return StoreError(thing, f"cannot be written ({getattr(error, 'strerror', None) or told})", again)
    if isinstance(error, MemoryError) or any(words in text for words in _MEMORY):
        return UnavailableError(thing, "does not fit into memory", "lower batch and raise accumulation")
    return DataError(thing, f"is refused ({type(error).__name__}: {told})", "correct the recipe, or see --debug")
