"""Servers that a visitor names, in the Models tab or through its event: which are taken, and which get a key.

The settings are the host's own: a key was set for the server that they name, and that server may lie anywhere.
"""

import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from emofeedback.errors import UserError
from emofeedback.servers.hub import HOSTED, hosted_parts


def address_of(name: str) -> str | None:
    """The address in a model's name, http(s)://...[#MODEL] or hosted:http(s)://...; None where it has none."""
    address = name.removeprefix(HOSTED).partition("#")[0]
    return address if address.lower().startswith(("http://", "https://")) else None


def server_of(name: str) -> str | None:
    """What a key is bound to: scheme, host and port of an address, or a provider; None = no server, or no such one.

    >>> server_of("http://Box:8000/v1#org/vlm"), server_of("hosted:org/vlm:novita")
    ('http://box:8000', 'hosted:novita')
    """
    address = address_of(name)
    try:
        if address is not None:
            parts = urlsplit(address)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            return f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname else None
        return f"{HOSTED}{hosted_parts(name)[1] or 'auto'}" if name.startswith(HOSTED) else None
    except (UserError, ValueError):
        return None


def environment_for(asked: str, named: str, environ: Mapping[str, str], kind: str) -> Mapping[str, str]:
    """The environment for a model that a visitor asks for: the key of its kind is in it only for its own server.

    Args:
        named: the model that the settings name.
        kind: "generator" or "judge".
    """
    if asked == named or (server_of(asked) is not None and server_of(asked) == server_of(named)):
        return environ
    return {name: value for name, value in environ.items() if name != f"EMOFEEDBACK_{kind.upper()}_KEY"}


def check_asked(asked: str, named: str, *, public: bool, inside: bool) -> None:
    """Refuse a server that a visitor may not name. Models of this machine and hosted ones are none, and pass.

    Args:
        named: the model that the settings name; its server is always taken.
        public: strangers reach the studio: they name no addresses at all.
        inside: whether addresses of this machine and its network are taken.

    Raises:
        UserError: the address is refused, or its host is not known.
    """
    address = address_of(asked)
    if address is None or asked == named:
        return
    server = server_of(asked)
    if server is not None and server == server_of(named):
        return
    if public:
        raise UserError("This is a shared host, whose models are chosen by whoever runs it; choose one of the list.")
    if server is None:
        raise UserError("That is no server's address; write it as http://HOST:PORT/v1.")
    if not inside:
        outside_address(address)


def only_outside(asked: str, named: str, *, inside: bool) -> bool:
    """Whether requests to a server that a visitor may name reach the public internet alone (`outside_address`)."""
    own = asked == named or (server_of(asked) is not None and server_of(asked) == server_of(named))
    return not inside and not own and address_of(asked) is not None


def outside_address(url: str) -> str:
    """The IP address of a server on the public internet, to connect to: a name may mean another one a moment later.

    Raises:
        UserError: the server has no address, or one that is not of the public internet.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(parts.hostname or "", port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, ValueError):
        found = []  # the same answer as for a private one: names of the inside are not told apart
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(is_public(address) for address in addresses):
        raise UserError(
            "This studio serves others, who may name no address of its own network; whoever runs it can allow that "
            "with EMOFEEDBACK_PRIVATE_SERVERS=1."
        )
    return addresses[0]


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public internet; one that stands for another counts as that."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        embedded = address.ipv4_mapped or address.sixtofour
        if address in ipaddress.ip_network("64:ff9b::/96"):  # NAT64 (RFC 6052)
            embedded = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if embedded is not None:
            address = embedded
    return address.is_global and not address.is_multicast
