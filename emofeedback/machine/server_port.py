"""The port that GRADIO_SERVER_PORT asks for: it is the one, or the app says why not; and how a port is taken."""

import socket
from collections.abc import Mapping

from emofeedback.errors import UserError

VARIABLE = "GRADIO_SERVER_PORT"
BACKLOG = 2048
"""Connections that may wait to be taken, as many as uvicorn lets."""


def asked_port(environ: Mapping[str, str], name: str = VARIABLE) -> int | None:
    """The port that the environment names; None = none is named. Gradio reads the same when it is imported.

    Args:
        name: what a person wrote it as.

    Raises:
        UserError: it is no port.
    """
    text = environ.get(VARIABLE)
    if text is None:
        return None
    if not text.isascii() or not text.strip().isdigit() or not 1 <= int(text) <= 65535:
        raise UserError(f"{name} must be a whole number from 1 to 65535, not {text[:20]!r}.")
    return int(text)


def free_port(environ: Mapping[str, str], host: str | None) -> int | None:
    """The port that the environment names, which nothing else uses; None = none is named.

    Args:
        host: None = GRADIO_SERVER_NAME, or this machine only.

    Raises:
        UserError: it is no port, or it cannot be listened on.
    """
    port = asked_port(environ)
    if port is None:
        return None
    host = host or environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    try:
        for probe in listening(host.strip("[]"), port):
            probe.close()
    except OSError as error:
        raise UserError(
            f"Port {port} of {host} cannot be used ({error.strerror}); stop the program that uses it, or name another "
            f"with --port or {VARIABLE}."
        ) from None
    return port


def listening(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on a port, one for each address of the host; from now on it is nobody else's.

    Raises:
        OSError: it is taken, or the host has no address on this machine.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            opened.append(socket.socket(family, socket.SOCK_STREAM))
            if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows lets two programs share a port otherwise
                opened[-1].setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                opened[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                opened[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # beside the same port of IPv4
            opened[-1].bind(address)
            opened[-1].listen(BACKLOG)
    except OSError:
        for one in opened:
            one.close()
        raise
    return opened
