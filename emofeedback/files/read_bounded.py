"""Reading a file that somebody named: regular files only, and never more than a number of bytes."""

import errno
import os
import stat
from pathlib import Path


def read_bounded(path: Path, most: int) -> bytes:
    """The content of a regular file, cut off after `most` + 1 bytes: a longer result says that the file is too large.

    A file's size is not asked for: that of /dev/zero is 0, and a file may grow while it is read. A FIFO that nobody
    writes to does not hold the caller.

    Raises:
        OSError: there is no such file, it cannot be read, or it is not a regular one.
        ValueError: no file can have such a name.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # the second is Windows' own
    descriptor = os.open(path, flags)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(most + 1)
    finally:
        os.close(descriptor)
