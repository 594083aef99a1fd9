"""What is printed on a terminal or into a file that cannot hold every character."""

import io
import sys


def print_anything() -> None:
    """From now on a character that standard output or error cannot write is escaped; nothing dies of it.

    Windows consoles and redirected output are often not UTF-8 (cp1252, ascii).
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
