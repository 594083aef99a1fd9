"""Rewrites and their chains as JSON, as run.json and the app keep them."""

from typing import Any

from emofeedback.records import Chain, Rewrite, Rewrites


def chain_json(chain: Chain) -> dict[str, Any]:
    """A chain as JSON."""
    return {
        "viewer": chain.viewer,
        "prompt": chain.prompt,
        "valence": chain.target.valence,
        "arousal": chain.target.arousal,
        "seed": chain.seed,
        "steps": [
            {"name": step.name, "lines": list(step.lines), "notes": list(step.notes), "edited": step.edited}
            for step in chain.steps
        ],
    }


def rewrite_json(rewrite: Rewrite) -> dict[str, Any]:
    return {
        "prompt": rewrite.prompt,
        "viewers": list(rewrite.viewers),
        "concepts": list(rewrite.concepts),
        "distance": None if rewrite.distance is None else round(rewrite.distance, 4),
        "chain": None if rewrite.chain is None else chain_json(rewrite.chain),
    }


def rewrites_json(found: Rewrites) -> dict[str, Any]:
    """What run.json holds under "rewrites"."""
    return {"rewrites": [rewrite_json(rewrite) for rewrite in found.rewrites], "missing": list(found.missing)}
