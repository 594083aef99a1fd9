"""The company: several viewers, one back end, and a director."""

import logging
from collections.abc import Sequence
from functools import partial

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.records import Chain, Rewrites, StepName
from emofeedback.rewriting.chain import RewriteRequest, Thinker, ViewerMissing, rerun, rewrite_of, walk
from emofeedback.rewriting.director import in_order, merged
from emofeedback.rewriting.viewers import Viewer
from emofeedback.servers.stopping import each_of

logger = logging.getLogger(__name__)


class Company:
    """Implements `protocols.Rewriter`: every viewer walks a chain of its own, then the director orders what came.

    Args:
        merge: let the director add one rewrite, merged from the two that stand first.

    Raises:
        UserError: there is no viewer.
    """

    def __init__(self, thinker: Thinker, viewers: Sequence[Viewer], *, merge: bool = True) -> None:
        if not viewers:
            raise UserError("A company needs at least one viewer; choose one.")
        self.thinker, self.viewers, self.merge = thinker, tuple(viewers), merge
        self.name = f"{thinker.name}: {', '.join(viewer.name for viewer in viewers)}"

    def of(self, viewers: Sequence[Viewer]) -> "Company":
        """The same back end with other viewers."""
        return Company(self.thinker, viewers, merge=self.merge)

    def rewrite(self, prompt: str, target: Affect, *, seed: int = 0) -> Rewrites:
        """One rewrite per viewer, in the director's order, a merged one behind the two it comes from.

        Raises:
            UserError: no viewer gave a rewrite.
        """
        chains, missing = self.chains(prompt, target, seed=seed)
        if not chains:
            raise UserError(f"No viewer gave a rewrite ({missing[0]}) Choose another back end or try again.")
        return self.directed(prompt, target, chains, missing)

    def chains(self, prompt: str, target: Affect, *, seed: int = 0) -> tuple[tuple[Chain, ...], tuple[str, ...]]:
        """The viewers' chains in their order, and a sentence for each viewer who is missing."""
        ask = partial(self._chain, request=RewriteRequest(prompt, target, seed))
        if self.thinker.parallel > 1:
            found = each_of(ask, self.viewers, self.thinker.parallel)
        else:
            found = [ask(viewer) for viewer in self.viewers]
        missing = tuple(item for item in found if isinstance(item, str))
        return tuple(item for item in found if isinstance(item, Chain)), missing

    def _chain(self, viewer: Viewer, request: RewriteRequest) -> Chain | str:
        try:
            return walk(self.thinker, viewer, request)
        except ViewerMissing as gone:
            logger.warning("%s", gone)
            return str(gone)

    def directed(self, prompt: str, target: Affect, chains: Sequence[Chain], missing: tuple[str, ...] = ()) -> Rewrites:
        """Finished chains as rewrites in the director's order."""
        ordered = in_order([rewrite_of(chain) for chain in chains])
        if self.merge and len(ordered) > 1:
            known = getattr(self.thinker, "known_words", ())
            both = merged(prompt, target, ordered[0], ordered[1], known)
            if both is not None and all(both.prompt != other.prompt for other in ordered):
                ordered = (*ordered[:2], both, *ordered[2:])
        return Rewrites(ordered, missing)

    def rerun(self, chain: Chain, from_step: StepName, edited: Sequence[str]) -> Chain:
        """A chain from one step on, that step as a person wrote it.

        Raises:
            UserError: the lines are not what the step is written in, its viewer has left, or no usable answer came.
        """
        viewer = next((viewer for viewer in self.viewers if viewer.name == chain.viewer), None)
        if viewer is None:
            raise UserError(f"{chain.viewer} is not in the company any more; choose that viewer again.")
        try:
            return rerun(self.thinker, viewer, chain, from_step, edited)
        except ViewerMissing as gone:
            raise UserError(f"{gone} Try again, or write the step in other words.") from None
