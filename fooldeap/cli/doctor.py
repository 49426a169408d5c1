"""``fooldeap doctor``."""

from fooldeap.cli.options import say
from fooldeap.errors import RunError


def doctor() -> None:
    """See whether all that fooldeap needs is there and works."""
    from fooldeap.guidance import doctor as doctors

    broken = 0
    for finding in doctors.examine():
        broken += finding.state == "bad"
        say(str(finding))
    if broken:
        raise RunError(f"{broken} of these must be mended: the lines that begin with bad")
