"""Hugging Face's client with this package's own way of sending: no redirect to another host, bounded replies."""

from typing import Any

from huggingface_hub import InferenceClient, is_offline_mode
from huggingface_hub.errors import OfflineModeIsEnabled

from emofeedback.servers.chat_reply import Answer, answers_of
from emofeedback.servers.requests import MAX_PICTURE, MAX_REPLY, Door, Reply, send

_NAMED = ("max_tokens", "temperature", "logprobs", "top_logprobs", "n", "seed", "response_format")
"""What `chat_completion` takes by name; all else goes into its extra body."""


class HostedClient(InferenceClient):
    """Finds a model's provider and what it wants to be sent, as its base does, and sends it by `requests.send`.

    The base follows redirects to any host and sends the picture there again. `_inner_post` is its one place of
    sending; it is not public, so a test holds that nothing goes past it.
    """

    def __init__(self, provider: str | None, key: str | None, seconds: float) -> None:
        known: Any = provider or "auto"
        super().__init__(provider=known, api_key=key, timeout=seconds)
        self._reply: Reply | None = None

    def answers(self, model: str, messages: list[dict[str, Any]], options: dict[str, Any]) -> list[Answer]:
        """A chat completion's choices.

        Raises:
            Unreadable: the reply is none.
            StatusError, UserError, ServerFailed, OSError: as `requests.send`.
        """
        named = {name: value for name, value in options.items() if name in _NAMED}
        extra = {name: value for name, value in options.items() if name not in _NAMED}
        try:
            self.chat_completion(messages, model=model, extra_body=extra or None, **named)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            if self._reply is None:
                raise  # else only the base's own reading of the reply failed
        assert self._reply is not None
        return answers_of(self._reply.json())

    def _inner_post(self, request_parameters: Any, *, stream: bool = False) -> Any:
        if is_offline_mode():
            raise OfflineModeIsEnabled("offline")
        asked, drawing = request_parameters, request_parameters.task == "text-to-image"
        headers = {name: str(value) for name, value in asked.headers.items()}
        if drawing:
            headers.setdefault("Accept", "image/png")
        body = asked.data if asked.json is None else asked.json
        door = Door(most=MAX_PICTURE if drawing else MAX_REPLY)
        self._reply = send("POST", asked.url, headers, float(self.timeout or 60.0), body, door)
        return self._reply.content
