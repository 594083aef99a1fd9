"""A vision-language model as an outside eye: asked the protocol's question about one picture at a time.

Any other reader (the bundled judge, the second rater) has no words for a question and answers by its own reading.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from PIL import Image

from emofeedback.evaluation.eye.rating_set import QUESTION
from emofeedback.judges.local.vision_language import VisionLanguageJudge
from emofeedback.judges.remote.remote_judge import RemoteJudge
from emofeedback.judges.replies import Pair, parse_pair
from emofeedback.records import Picture, PictureRequest, Reading
from emofeedback.servers.chat import Refused, ServerFailed, picture_url

logger = logging.getLogger(__name__)

ASKED = (
    f"{QUESTION.replace('For every picture rate', 'Rate').replace(', each picture on its own', '')}\n"
    'Answer with one JSON object and nothing else: {"valence": 0.00, "arousal": 0.00}'
)
"""The protocol's question of one picture."""
MAX_TOKENS = 60
RETRY_TEMPERATURE = 0.7
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"valence": {"type": "number"}, "arousal": {"type": "number"}},
    "required": ["valence", "arousal"],
    "additionalProperties": False,
}


class Reader(Protocol):
    """What can rate without a question."""

    name: str

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]: ...


def rate(reader: Reader, images: Sequence[Image.Image]) -> list[Pair | None]:
    """Valence and arousal of each picture, from its pixels alone; None = no reply could be read, nor the one retry.

    Raises:
        UserError: a server refuses us.
    """
    match reader:
        case RemoteJudge():
            with ThreadPoolExecutor(max_workers=reader.workers) as pool:
                return list(pool.map(lambda image: _asked(reader, image), images))
        case VisionLanguageJudge():
            return _written(reader, images)
    pictures = [Picture(image, PictureRequest("", None, 0), "file", 0.0) for image in images]
    return [None if r is None else (r.affect.valence, r.affect.arousal) for r in reader.read(pictures)]


def asks(reader: Reader) -> bool:
    """Whether a reader is asked the protocol's question, rather than read by a method of its own."""
    return isinstance(reader, (RemoteJudge, VisionLanguageJudge))


def _asked(judge: RemoteJudge, image: Image.Image) -> Pair | None:
    for temperature, schema in ((0.0, SCHEMA), (0.0, None), (RETRY_TEMPERATURE, None)):
        try:
            [answer, *_] = judge.server.ask(
                picture_url(image), ASKED, max_tokens=MAX_TOKENS, temperature=temperature, seed=0, schema=schema
            )
        except Refused:  # some servers hold no answer to a schema
            continue
        except ServerFailed as failed:
            logger.warning("%s gave no rating (%s)", judge.name, failed)
            return None
        if (pair := parse_pair(answer.text)) is not None:
            return pair
    return None


def _written(judge: VisionLanguageJudge, images: Sequence[Image.Image]) -> list[Pair | None]:
    found: list[Pair | None] = [None] * len(images)
    for sample in (False, True):
        missing = [i for i, pair in enumerate(found) if pair is None]
        for start in range(0, len(missing), judge.batch):
            some = missing[start : start + judge.batch]
            replies = judge.writer.write([images[i] for i in some], [ASKED] * len(some), SCHEMA, MAX_TOKENS, sample)
            for i, pieces in zip(some, replies, strict=True):
                found[i] = parse_pair("".join(piece for piece, _ in pieces))
    return found
