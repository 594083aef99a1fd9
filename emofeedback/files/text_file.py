"""Text files as people's editors and spreadsheets write them: UTF-8 with or without a mark, UTF-16 likewise."""

import codecs

from emofeedback.errors import UserError

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decoded(content: bytes, label: str, otherwise: str | None = None) -> str:
    """A file's text, without the mark that names its encoding.

    Args:
        label: what messages call it.
        otherwise: the encoding of what is neither UTF-8 nor UTF-16; None = such a file is refused.

    Raises:
        UserError: it is no text in one of these encodings.
    """
    mark, encoding = next(((m, e) for m, e in MARKS if content.startswith(m)), (b"", _unmarked(content)))
    try:
        return content[len(mark) :].decode(encoding)
    except UnicodeDecodeError:
        if otherwise is None or mark or encoding != "utf-8":
            raise UserError(f"{label} is no text in UTF-8 or UTF-16; save it as UTF-8.") from None
        return content.decode(otherwise, "replace")


def _unmarked(content: bytes) -> str:
    """UTF-16 without a mark shows by its zero bytes, which text in UTF-8 does not hold."""
    head = content[:2000]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) * 5 < len(head):  # under two of five characters
        return "utf-8"
    return "utf-16-le" if odd > even else "utf-16-be"
