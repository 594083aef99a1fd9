"""The end of a prompt that a tokenizer's limit cuts off, in whole words."""

from typing import Any


def beyond_limit(tokenizer: Any, text: str, limit: int) -> str:
    """The words of a text that lie beyond its first `limit` tokens; empty where there are no more.

    The last of those tokens is the end token's. A word of which only a part would be read counts as left out.

    Args:
        tokenizer: of transformers.
    """
    found = tokenizer(text, verbose=False, return_offsets_mapping=tokenizer.is_fast)
    ids = found["input_ids"]
    if len(ids) <= limit:
        return ""
    if not tokenizer.is_fast:  # it cannot say where in the text a token lies
        return str(tokenizer.decode(ids[limit - 1 :], skip_special_tokens=True)).strip()
    at = int(found["offset_mapping"][limit - 1][0])
    while at > 0 and text[at].isalnum() and text[at - 1].isalnum():
        at -= 1
    return text[at:].strip(" ,;\n\t")
