"""The second rater behind the same reading interface as a judge, so that one protocol grades with either."""

from collections.abc import Sequence

from emofeedback.evaluation.rater import RaterReading, SceneRater
from emofeedback.records import Picture, Reading, Seen
from emofeedback.scenes import captions


class GradingRater:
    """Implements `protocol.Reader`. The rater gives no spread and always answers: spreads are 0 and mass is 1."""

    name = "scene-rater"

    def __init__(self, rater: SceneRater) -> None:
        self.rater = rater

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        """One reading per picture from its pixels alone."""
        return [self._reading(graded) for graded in self.rater.read([picture.image for picture in pictures])]

    def _reading(self, graded: RaterReading) -> Reading:
        seen = [Seen(aspect, word, probability) for aspect, (word, probability) in graded.content.items()]
        seen += [Seen("subject", word, probability) for word, probability in graded.subjects]
        seen += [Seen("element", word, probability) for word, probability in graded.elements]
        return Reading(graded.affect(), 0.0, 0.0, 1.0, tuple(seen), self.name)

    def content_kept(self, prompt: str, reading: Reading) -> bool | None:
        """Whether the place and all subjects that the prompt names are seen; None when it names none."""
        named = captions.parse(prompt)
        if named.place is None and not named.subjects:
            return None
        seen = {(item.aspect, item.word) for item in reading.seen}
        place_kept = named.place is None or ("place", named.place) in seen
        return place_kept and all(("subject", subject) in seen for subject in named.subjects)
