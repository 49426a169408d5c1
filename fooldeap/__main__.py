"""Runs the command ``fooldeap``, also as ``python -m fooldeap``."""

import sys


def main() -> None:
    """Run the command line and exit."""
    try:
        from fooldeap import cli
    except KeyboardInterrupt:  # while the modules are imported
        print("fooldeap: interrupted", file=sys.stderr)
        sys.exit(130)
    cli.main()


if __name__ == "__main__":
    main()
