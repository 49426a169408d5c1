"""Choose the output that has the scores of the classes, if a model has several outputs."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any

from fooldeap.errors import nearest
from fooldeap.plugin import Ge, InputError

Output = str | Annotated[int, Ge(0)]  # the name of an output or its index
Shape = Sequence[Any] | None  # of an output for n images, or None if it is unknown


# Names of outputs that have the scores of the classes, and parts of such names.
_NAMES = ("logits", "scores", "probabilities", "probs", "predictions", "label", "labels", "classes", "class", "cls")
_PARTS = ("logit", "score", "prob", "predict", "label", "class", "cls")


def name_of_output(
    output: Output | None,
    shapes: Mapping[str, Shape],
    shown: Mapping[str, str],
    where: str,
    softmaxes: Collection[str] = (),
) -> str:
    """Return the name of the output that the user chose, or of the only one.

    Parameters
    ----------
    output : the name or the index of an output
    shapes : by name, the shape of each output, in the order of the outputs
    shown : by name, the same shapes as text
    where : the beginning of error messages
    softmaxes : the names of the outputs that end in a softmax, as far as known

    Raises
    ------
    InputError
        The model has several outputs and none was chosen, it does not have the chosen one, or an index is also the name
        of another output.
    """
    names = list(shapes)
    if output is None and len(names) == 1:
        return names[0]
    if output is None:
        described = ", ".join(f"{name} {shown[name]}" for name in names)
        raise InputError(
            f"{where} has {len(names)} outputs: {described}; say which has the scores of the classes: "
            f"'output: {likely_output(shapes, softmaxes)}'"
        )
    found = [name for name in names if name == str(output)]
    if isinstance(output, int):
        found += [name for name in names[output : output + 1] if name not in found]
    if len(found) > 1:
        raise InputError(
            f"{where}: got 'output: {output}', the name of an output and the index of {found[1]!r}; "
            f"use quotes for the name, \"{output}\", or name the other: 'output: {found[1]}'"
        )
    if not found:
        index = f", or an index from 0 to {len(names) - 1}" if isinstance(output, int) else ""
        cure = f"say 'output: {nearest(str(output), names) or likely_output(shapes, softmaxes)}'"
        raise InputError(
            f"{where} has no output {str(output)[:60]!r}, expected one of: {', '.join(names)}{index}; {cure}"
        )
    return found[0]


def likely_output(shapes: Mapping[str, Shape], softmaxes: Collection[str] = ()) -> str:
    """Return the name of the output that has the scores of the classes, or "NAME" if several may have them.

    It is the only table (n, classes), or the only table that ends in a softmax, or the only one with a usual name.
    """
    tables = [name for name, shape in shapes.items() if shape and len([s for s in shape[1:] if s != 1]) == 1]
    likely = tables or [name for name, shape in shapes.items() if shape is None]
    narrower = (
        [name for name in likely if name in softmaxes],
        [name for name in likely if name.lower() in _NAMES],
        [name for name in likely if any(part in name.lower() for part in _PARTS)],
    )
    return next((found[0] for found in (likely, *narrower) if len(found) == 1), "NAME")
