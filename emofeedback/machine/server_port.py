"""The port that GRADIO_SERVER_PORT asks for: it is the one, or the app says why not."""

import socket
from collections.abc import Mapping

from emofeedback.errors import UserError

VARIABLE = "GRADIO_SERVER_PORT"


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
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows lets two programs share a port otherwise
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
                else:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                probe.listen(1)
    except OSError as error:
        raise UserError(
            f"Port {port} of {host} cannot be used ({error.strerror}); stop the program that uses it, or name another "
            f"with --port or {VARIABLE}."
        ) from None
    return port
