"""Makes untrusted text safe to show on a terminal, where it could move the cursor, and in Markdown.

All text from outside, such as names, messages of plugins and content of files, must go through `printable`.
"""

import re
import sys
import unicodedata

_LONGEST = 2000  # characters of a line; values from files can be of any length


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
    """Print text to stderr. Every line starts with ``fooldeap:``, so that it cannot imitate other programs.

    The middle of a very long line is left out.
    """
    for line in printable(text).split("\n"):
        shown = line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"
        print(f"fooldeap: {shown}".rstrip(), file=sys.stderr)


def markdown(text: object) -> str:
    """Return text as one line without Markdown: tables, code, HTML, links and pictures are escaped."""
    line = printable(" ".join(str(text).split("\n")))
    return re.sub(r"[\\|*`]|<(?=\S)|&(?=#?\w+;)|(?<=\])(?=[\[(:])|~(?=~)|(?<!\w)_|_(?!\w)", r"\\\g<0>", line)
