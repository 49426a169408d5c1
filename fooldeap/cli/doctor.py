"""The command ``fooldeap doctor``."""

from fooldeap.cli.options import print_line
from fooldeap.errors import RunError


def doctor() -> None:
    """Check that everything fooldeap needs is installed and works."""
    from fooldeap.help.doctor import examine

    failed = 0
    for finding in examine():
        failed += finding.state == "bad"
        print_line(str(finding))
    if failed:
        checks = "1 check" if failed == 1 else f"{failed} checks"
        raise RunError(f"{checks} failed; see the lines that start with 'bad'")
