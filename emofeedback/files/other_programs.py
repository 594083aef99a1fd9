"""What other studios write into a PNG: Fooocus, SwarmUI, ComfyUI, NovelAI, InvokeAI; as far as it can be used here.

Each has texts of its own names. Read are prompt, negative prompt, seed, steps, guidance, model and size; a file whose
text is there and cannot be read is refused by the program's name.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from emofeedback.errors import UserError

Found = dict[str, Any]
"""Some of prompt, negative_prompt, seed, steps, guidance, model, size, program, in the source's own types."""
NAMES = ("prompt", "workflow", "Comment", "Description", "Software", "invokeai_metadata", "sd-metadata", "Dream")
"""Texts that `read_other` looks at, besides `parameters`, which several programs share."""
MAX_LINKS = 30
"""Nodes of a ComfyUI graph that are gone through from a sampler to its words."""
_DREAM = re.compile(r"\s-([sSCWH])\s*(\d+(?:\.\d+)?)")


def read_other(texts: Mapping[str, str], label: str) -> Found | None:
    """The settings of a PNG with these texts; None = none of them is of a program that is known.

    Raises:
        UserError: it is, and they cannot be read; the program is named.
    """
    readers: list[tuple[str, bool, Callable[[Mapping[str, str]], Found]]] = [
        ("ComfyUI", "prompt" in texts or "workflow" in texts, _comfy),
        ("NovelAI", "Comment" in texts and "NovelAI" in texts.get("Software", ""), _novel),
        ("InvokeAI", bool({"invokeai_metadata", "sd-metadata", "Dream"} & texts.keys()), _invoke),
    ]
    for program, there, reader in readers:
        if there:
            try:
                return _sound(reader(texts), program)
            except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
                raise _not_understood(label, program) from None
    return None


def read_json_parameters(text: str, label: str) -> Found | None:
    """A `parameters` text that is JSON, as Fooocus and SwarmUI write it; None = it is none.

    Raises:
        UserError: as for `read_other`.
    """
    if not text.lstrip().startswith("{"):
        return None
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return None  # a prompt may begin with a brace
    program = "SwarmUI" if "sui_image_params" in given else "Fooocus"
    try:
        return _sound(_swarm(given["sui_image_params"]) if program == "SwarmUI" else _fooocus(given), program)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _not_understood(label, program) from None


def _not_understood(label: str, program: str) -> UserError:
    return UserError(f"{label} was drawn by {program}, in a way that is not read here; type its words yourself.")


def _sound(found: Found, program: str) -> Found:
    if not isinstance(found["prompt"], str):
        raise TypeError("no words")
    return {name: value for name, value in found.items() if value is not None} | {"program": program}


def _number(value: object) -> object:
    """A number, also where it is written as text; whatever else as it is."""
    if isinstance(value, str) and len(value) <= 30:
        return float(value) if "." in value else int(value)
    return value


def _fooocus(given: Mapping[str, Any]) -> Found:
    return {
        "prompt": given["prompt"],
        "negative_prompt": given.get("negative_prompt"),
        "seed": _number(given.get("seed")),
        "steps": _number(given.get("steps")),
        "guidance": _number(given.get("guidance_scale")),
        "model": given.get("base_model"),
        "size": str(given.get("resolution", "")).strip("()").replace(", ", "x") or None,
    }


def _swarm(given: Mapping[str, Any]) -> Found:
    return {
        "prompt": given["prompt"],
        "negative_prompt": given.get("negativeprompt"),
        "seed": given.get("seed"),
        "steps": given.get("steps"),
        "guidance": given.get("cfgscale"),
        "model": given.get("model"),
        "size": _size(given),
    }


def _novel(texts: Mapping[str, str]) -> Found:
    given = json.loads(texts["Comment"])
    return {
        "prompt": given.get("prompt") or texts["Description"],
        "negative_prompt": given.get("uc"),
        "seed": given.get("seed"),
        "steps": given.get("steps"),
        "guidance": given.get("scale"),
        "size": _size(given),
    }


def _invoke(texts: Mapping[str, str]) -> Found:
    if "invokeai_metadata" in texts:
        given = json.loads(texts["invokeai_metadata"])
        model = given.get("model")
        return {
            "prompt": given["positive_prompt"],
            "negative_prompt": given.get("negative_prompt"),
            "seed": given.get("seed"),
            "steps": given.get("steps"),
            "guidance": given.get("cfg_scale"),
            "model": model.get("name") or model.get("model_name") if isinstance(model, dict) else None,
            "size": _size(given),
        }
    if "sd-metadata" in texts:
        whole = json.loads(texts["sd-metadata"])
        given = whole["image"]
        words = given["prompt"]
        return {
            "prompt": words if isinstance(words, str) else words[0]["prompt"],
            "seed": given.get("seed"),
            "steps": given.get("steps"),
            "guidance": given.get("cfg_scale"),
            "model": whole.get("model_weights"),
            "size": _size(given),
        }
    quoted, _, flags = texts["Dream"].rpartition('"')
    said = dict(_DREAM.findall(flags))
    return {
        "prompt": quoted.removeprefix('"'),
        "seed": _number(said.get("S")),
        "steps": _number(said.get("s")),
        "guidance": _number(said.get("C")),
        "size": f"{said['W']}x{said['H']}" if "W" in said and "H" in said else None,
    }


def _size(given: Mapping[str, Any]) -> str | None:
    width, height = given.get("width"), given.get("height")
    return f"{width}x{height}" if isinstance(width, int) and isinstance(height, int) else None


def _comfy(texts: Mapping[str, str]) -> Found:
    """The graph that was run: the sampler that knows its words, and what it is linked to."""
    graph = json.loads(texts["prompt"])
    samplers = [node["inputs"] for node in graph.values() if "positive" in node["inputs"]]
    samplers = [inputs for inputs in samplers if {"seed", "noise_seed"} & inputs.keys()] or samplers
    for inputs in samplers:
        words = _words(graph, inputs["positive"])
        if words is not None:
            break
    else:
        raise ValueError("no words")
    seed = inputs.get("seed", inputs.get("noise_seed"))
    return {
        "prompt": words,
        "negative_prompt": _words(graph, inputs.get("negative")),
        "seed": _value(graph, seed),
        "steps": _value(graph, inputs.get("steps")),
        "guidance": _value(graph, inputs.get("cfg")),
        "model": _value(graph, _upstream(graph, inputs.get("model"), ("ckpt_name", "unet_name"))),
        "size": _latent_size(graph, inputs.get("latent_image")),
    }


def _node(graph: Mapping[str, Any], link: object) -> Mapping[str, Any] | None:
    """The inputs of the node that a link [id, output] leads to."""
    if isinstance(link, list) and len(link) == 2 and str(link[0]) in graph:
        inputs: Mapping[str, Any] = graph[str(link[0])]["inputs"]
        return inputs
    return None


def _upstream(graph: Mapping[str, Any], link: object, names: tuple[str, ...]) -> object:
    """The first input of one of these names, from a node on against the links; None = there is none."""
    waiting, seen = [link], 0
    while waiting and seen < MAX_LINKS:
        inputs, seen = _node(graph, waiting.pop(0)), seen + 1
        for name in names if inputs is not None else ():
            if name in inputs:  # type: ignore[operator]
                return inputs[name]  # type: ignore[index]
        waiting += [value for value in (inputs or {}).values() if isinstance(value, list)]
    return None


def _value(graph: Mapping[str, Any], value: object) -> Any:
    """A number or a text, also where another node holds it; None where that is not to be told."""
    for _ in range(MAX_LINKS):
        inputs = _node(graph, value)
        if inputs is None:
            break
        held = [inputs[name] for name in ("value", "text", "string", "seed", "int", "INT", "prompt") if name in inputs]
        value = held[0] if held else None
    return value if isinstance(value, (int, float, str)) and not isinstance(value, bool) else None


def _words(graph: Mapping[str, Any], link: object) -> str | None:
    """The text of the conditioning that a link leads to."""
    found = _value(graph, _upstream(graph, link, ("text", "text_g", "clip_l", "prompt", "string")))
    return found if isinstance(found, str) else None


def _latent_size(graph: Mapping[str, Any], link: object) -> str | None:
    inputs = _node(graph, link)
    width, height = (_value(graph, (inputs or {}).get(name)) for name in ("width", "height"))
    return f"{width}x{height}" if isinstance(width, int) and isinstance(height, int) else None
