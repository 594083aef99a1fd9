"""Answers to the page that cost what they change.

gradio (6.31) builds every output of a listener anew, also those that the listener leaves alone; with the thirty outputs
of a tab that takes as long as drawing a preview.
"""

import copy
from typing import Any

import gradio as gr


class BriefBlocks(gr.Blocks):
    """A page that looks at those outputs alone that a listener names."""

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """What a listener gave, for the page."""
        skip, outputs = gr.skip(), list(block_fn.outputs)
        by_part = isinstance(predictions, dict) and all(part in outputs for part in predictions)
        named = [part for part in outputs if predictions.get(part, skip) != skip] if by_part else outputs
        if len(named) == len(outputs):
            found: list[Any] = await super().postprocess_data(block_fn, predictions, state)
            return found
        if not named:
            return [skip] * len(outputs)
        fewer = copy.copy(block_fn)
        fewer.outputs = named
        given = await super().postprocess_data(fewer, {part: predictions[part] for part in named}, state)
        values = dict(zip(named, given, strict=True))
        return [values.get(part, skip) for part in outputs]
