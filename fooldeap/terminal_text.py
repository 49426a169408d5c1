"""Makes untrusted text safe to show on a terminal, where it could move the cursor, and in Markdown.

All text from outside, such as names, messages of plugins and content of files, must go through `printable`.
"""

import re
import sys
import unicodedata


def printable(text: object) -> str:
    r"""Return text without terminal commands: control characters are written as ``\x1b``.

    Characters that change the direction of writing, are invisible, or cannot be encoded are escaped in the same way.
    Line breaks and tabs are kept.
    """
    shown = str(text)
    return shown if shown.isprintable() else "".join(map(_shown, shown))


def _shown(character: str) -> str:
    if character.isprintable() or character in "\n\t" or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode()


def tell(text: object) -> None:
    """Print text to stderr. Every line starts with ``fooldeap:``, so that it cannot imitate other programs."""
    for line in printable(text).split("\n"):
        print(f"fooldeap: {line}".rstrip(), file=sys.stderr)


def markdown(text: object) -> str:
    """Return text as one line without Markdown: tables, code, HTML, links and pictures are escaped."""
    line = printable(" ".join(str(text).split("\n")))
    return re.sub(r"[\\|*`]|<(?=\S)|&(?=#?\w+;)|(?<=\])(?=[\[(:])|~(?=~)|(?<!\w)_|_(?!\w)", r"\\\g<0>", line)
