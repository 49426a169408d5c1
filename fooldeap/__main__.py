"""Runs the command ``fooldeap``, also as ``python -m fooldeap``."""

import sys


def main() -> None:
    """Run the command line. Exit if it fails, else return: launchers such as SCOOP's take any exit for a failure."""
    try:
        from fooldeap import cli
    except KeyboardInterrupt:  # while the modules are imported
        print("fooldeap: interrupted", file=sys.stderr)
        sys.exit(130)
    try:
        cli.main()
    except SystemExit as end:
        if end.code:
            raise


if __name__ == "__main__":
    main()
