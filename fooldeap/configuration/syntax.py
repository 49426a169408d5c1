"""Error messages for invalid YAML, with cures, based on those of ruamel.yaml."""

import re

from ruamel.yaml.error import YAMLError
from ruamel.yaml.reader import ReaderError

# Messages of ruamel.yaml and their replacements. "^": the position is the start of the construct, not of the error.
_CURES = {
    r"mapping values are not allowed here": "a ':' cannot stand here; check the indentation, or quote the text",
    r"found character '\\t'": "a tab cannot stand here; use spaces",
    r"found character '(.)' that cannot start": r"text cannot begin with '\1'; quote it",
    r"expected (',' or '[]}]'), but got (.*)": r"got \2, expected \1 after what began in line {line}",
    r"expected <block end>, but found": "this does not go with what began in line {line}; check the indentation",
    r"expected '<document start>', but found": "this does not go with what stands above; check the brackets",
    r"sequence entries are not allowed here": "a '-' cannot stand here; check the indentation",
    r"could not find expected ':'": "^got a line without ':', expected 'key: value'",
    r"found unexpected end of stream": "^the quotation mark that opens here is never closed",
    r"found unknown escape character '(.)'": r"'\\\1' means nothing between double quotes; use single quotes",
    r"expected the node content, but found (.*)": r"got \1, expected a value",
    r"found undefined alias '(.*)'": r"no '&\1' stands above this '*\1'; quote it to mean text",
    r"but found another document": "a second document (---) begins here; keep one a file",
}


def in_words(error: YAMLError, text: str) -> tuple[int, int, str]:
    """Return line and column, both counted from 0, and the message."""
    if isinstance(error, ReaderError):  # the only error without marks
        before = text[: error.position].split("\n")
        return len(before) - 1, len(before[-1]), f"got the control character {chr(error.character)!r}; remove it"
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    problem = problem if problem.isprintable() else ascii(problem)
    mark, began = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    for pattern, words in _CURES.items():
        found = re.match(pattern, str(getattr(error, "problem", "")))
        if found:
            mark = began if words.startswith("^") and began else mark
            problem = found.expand(words.removeprefix("^")).replace("{line}", str(began.line + 1 if began else 1))
            problem = problem.replace("'<stream end>'", "the end of the file")
            break
    mark = mark or began
    return (mark.line, mark.column, problem) if mark else (0, 0, problem)
