"""Writing so that it survives: durable files and folders, locks between processes, errors in words."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import StoreError

_NEXT_STEPS = {
    errno.ENOSPC: "free space there or choose another folder; what was computed is kept in the journal",
    errno.EDQUOT: "free space there or choose another folder; what was computed is kept in the journal",
    errno.EFBIG: "raise the limit on file sizes or choose another folder",
    errno.EROFS: "choose a folder on a disk that can be written",
}


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn an operating-system error in the block into a StoreError that names the place and a next step."""
    try:
        yield
    except OSError as error:
        reason = f"cannot be written ({error.strerror or error})"
        next_step = _NEXT_STEPS.get(error.errno or 0, "choose a folder that you may write to")
        raise StoreError(str(place), reason, next_step) from error


def write_all(descriptor: int, data: bytes) -> None:
    """Append the bytes to an open file, all of them or none.

    Raises:
        OSError: It could not be done; the file is as long as before.
    """
    start = os.fstat(descriptor).st_size
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except BaseException:
        os.ftruncate(descriptor, start)
        raise


def write_durably(path: Path, data: bytes) -> None:
    """Write a new file and wait until the disk has it."""
    with path.open("xb") as sink:
        sink.write(data)
        sync(sink.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, in place of one that may be there; folders above it are made.

    Raises:
        StoreError: It cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(data)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def sync(descriptor: int) -> None:
    """Wait until the disk has the file; a file system that cannot promise it is taken at its word."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file for the block; other processes wait. It is released when a process dies."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep a folder, which is made where it is missing, for this process in the block; the hold ends with the process.

    Raises:
        StoreError: Another process is at work there, or the folder cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            reason = "is being worked on by another process"
            raise StoreError(f"Folder {folder}", reason, "wait until it ends, or name another folder") from error
        yield
    finally:
        os.close(descriptor)
