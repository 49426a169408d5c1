"""Text from outside, made safe to show: on a terminal, where it could move the cursor, and in Markdown.

Names, messages of plugins, what stands in files: whatever is printed goes through `printable`.
"""

import re
import sys
import unicodedata


def printable(text: object) -> str:
    r"""Return a text in which nothing is a command to a terminal: control characters are written as ``\x1b``.

    So are those that turn the direction of writing, that are invisible, or that no encoding has. Line breaks and tabs
    stay.
    """
    shown = str(text)
    return shown if shown.isprintable() else "".join(map(_shown, shown))


def _shown(character: str) -> str:
    if character.isprintable() or character in "\n\t" or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode()


def tell(text: object) -> None:
    """Print on stderr; every line begins with ``fooldeap:``, so that none can pass for somebody else's."""
    for line in printable(text).split("\n"):
        print(f"fooldeap: {line}".rstrip(), file=sys.stderr)


def markdown(text: object) -> str:
    """Return a text as one line in which nothing is Markdown: no table, code, HTML, link or picture."""
    line = printable(" ".join(str(text).split("\n")))
    return re.sub(r"[\\|*`]|<(?=\S)|&(?=#?\w+;)|(?<=\])(?=[\[(:])|~(?=~)|(?<!\w)_|_(?!\w)", r"\\\g<0>", line)
