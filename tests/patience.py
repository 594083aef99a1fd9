"""How long a test waits for what must come: a wait that succeeds costs nothing, and a starved machine takes long."""

import functools

import httpx

PATIENCE = 300.0
"""Seconds: for a start of a program, a page, an answer, the end of a thread."""


def patient_requests() -> None:
    """Let requests of httpx that name no timeout, gradio's client's too, wait as long; it gives five seconds.

    All share one context of certificates: to make one takes 20 ms, and each request would make its own.
    """
    httpx._config.DEFAULT_TIMEOUT_CONFIG.__init__(PATIENCE)  # type: ignore[misc]
    httpx._transports.default.create_ssl_context = functools.cache(httpx._config.create_ssl_context)
