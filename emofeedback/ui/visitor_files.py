"""Files that a caller names: only those in gradio's own upload folder, for every endpoint and every event of the page.

gradio (6.31) looks only at file descriptions that carry its `meta`, takes others as they are, and tells the path of
what it refuses. Here each description is looked at before gradio does anything with it, and one sentence is said.
"""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import gradio as gr
import httpx  # both come with gradio
import safehttpx
from gradio.utils import get_upload_folder

from emofeedback.servers.visitor_addresses import is_public
from emofeedback.ui.brief_answers import BriefBlocks

REFUSED = "Upload the file first; this host reads only files that were uploaded to it."
UNFETCHED = "That address gave no file of a size that is taken here; upload the file instead."
MAX_FETCHED, MAX_REDIRECTS, FETCH_SECONDS = 4, 5, 30.0  # of one call, of one file
OpenTransport = Callable[[str], Awaitable[httpx.AsyncBaseTransport]]


class GuardedBlocks(BriefBlocks):
    """A page whose events take uploaded files only, and public web addresses, which are fetched up to a bound.

    Attributes:
        most_bytes: of one fetched file.
        over: told the session of a program's call when the call has ended.
    """

    most_bytes = 32 * 2**20

    @staticmethod
    def over(session: str) -> None:
        """Nothing else goes with it."""

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """What a listener is given: the one place that values from the page, the API and MCP come by.

        Raises:
            gr.Error: a file was not uploaded, or an address gave none.
        """
        if not explicit_call:  # the host's own code calls a page like a function
            check_files(inputs)
            web = [described for described in _descriptions(inputs) if _is_web(described)]
            if len(web) > MAX_FETCHED:
                raise _notice(UNFETCHED)
            for described in web:  # gradio would fetch them without a limit of size
                described["path"] = str(await fetched(described["path"], self.most_bytes))
                self.upload_file_set.add(described["path"])  # cleaned up like uploads
        if inputs and block_fn.api_visibility == "public":  # a program may leave out what comes last
            inputs = [*inputs, *(component.value for component in block_fn.inputs[len(inputs) :])]
        found: list[Any] = await super().preprocess_data(block_fn, inputs, state, explicit_call)
        return found

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        """Gradio's own message repeats all values, however long.

        Raises:
            gr.Error: there are fewer values than fields.
        """
        if len(inputs) < len(block_fn.inputs):
            raise _notice(f"{block_fn.name} takes {len(block_fn.inputs)} values, but {len(inputs)} came.")

    async def process_api(
        self,
        block_fn: Any,
        inputs: list[Any],
        *rest: Any,
        session_hash: str | None = None,
        event_id: str | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """One step of an event. A program's call without a session has one for itself, whose state goes with it."""
        goes_on = False
        try:
            output: dict[str, Any] = await super().process_api(
                block_fn, inputs, *rest, session_hash=session_hash, event_id=event_id, **more
            )
            goes_on = bool(output.get("is_generating"))
            return output
        finally:
            if session_hash is not None and session_hash == event_id and not goes_on:
                self._call_over(event_id)

    def queue(self, *given: Any, **more: Any) -> "GuardedBlocks":
        """As gradio's. When an event has ended, also where its caller has gone away, what was kept for it goes."""
        super().queue(*given, **more)
        reset = self._queue.reset_iterators  # the one thing that is done at the end of every event

        async def ended(event_id: str) -> None:
            await reset(event_id)
            self._call_over(event_id)

        self._queue.reset_iterators = ended  # type: ignore[method-assign]
        return self

    def _call_over(self, event_id: str) -> None:
        """Forget the session of a program's call that had one for itself, by the name of its event."""
        sessions = self.state_holder
        sessions.session_data.pop(event_id, None)
        sessions.time_last_used.pop(event_id, None)
        self.over(event_id)  # the answer's files are copies in gradio's own folder


def check_files(values: Sequence[Any]) -> None:
    """Refuse values, JSON of any depth, that name a file which was not uploaded.

    Raises:
        gr.Error: always the same sentence, whether there is such a file or not.
    """
    for described in _descriptions(values):
        if not _is_web(described) and not is_uploaded(described["path"]):
            raise _notice(REFUSED)


async def fetched(url: str, most: int, transport: OpenTransport | None = None) -> Path:
    """A file of the web in the upload folder. Never one of the host's own network; each redirect is looked at anew.

    Args:
        most: bytes.
        transport: how a host is reached, for tests; None = at a public address that is looked up once.

    Raises:
        gr.Error: always the same sentence: what is in the host's network shall not show.
    """
    try:
        async with asyncio.timeout(FETCH_SECONDS):
            content = await _content(url, most, transport or _public_transport)
    except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL):
        raise _notice(UNFETCHED) from None
    folder = Path(tempfile.mkdtemp(prefix="fetched-", dir=_upload_folder()))
    (folder / "file").write_bytes(content)
    return folder / "file"


def _notice(sentence: str) -> gr.Error:
    return gr.Error(sentence, title="Please check", print_exception=False)


async def _content(url: str, most: int, transport: OpenTransport) -> bytes:
    for _ in range(MAX_REDIRECTS + 1):
        opened = await transport(httpx.URL(url).host)
        async with (
            httpx.AsyncClient(transport=opened, follow_redirects=False) as client,
            client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as reply,
        ):
            if reply.has_redirect_location:
                url = urljoin(url, reply.headers["location"])
                continue
            reply.raise_for_status()
            content = bytearray()
            async for piece in reply.aiter_raw():
                content += piece
                if len(content) > most:
                    raise ValueError("too large")
            return bytes(content)
    raise ValueError("too many redirects")


async def _public_transport(host: str) -> httpx.AsyncBaseTransport:
    address = await safehttpx.async_validate_url(host)
    if not is_public(address):
        raise ValueError("not public")
    return safehttpx.AsyncSecureTransport(address)


def _upload_folder() -> Path:
    folder = Path(os.path.abspath(get_upload_folder()))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_uploaded(path: object) -> bool:
    """Whether a path is that of a regular file in the upload folder. The disk is not asked about any other path."""
    if not isinstance(path, str):
        return False
    try:
        folder, file = Path(os.path.abspath(get_upload_folder())), Path(os.path.abspath(path))
        inside = file.is_relative_to(folder) and file.resolve().is_relative_to(folder.resolve())
        return inside and file.is_file()
    except (OSError, RuntimeError, ValueError):
        return False


def _descriptions(values: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """All dicts with a path. Not recursive: a caller chooses how deep their JSON is."""
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("path") is not None:
                yield value
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)


def _is_web(described: dict[str, Any]) -> bool:
    """Whether gradio would fetch it: an address in a description with its `meta`."""
    path, meta = described["path"], described.get("meta")
    typed = isinstance(meta, dict) and meta.get("_type") == "gradio.FileData"
    return typed and isinstance(path, str) and path.startswith(("http://", "https://"))
