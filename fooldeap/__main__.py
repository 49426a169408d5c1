"""Runs the command ``fooldeap`` as ``python -m fooldeap``."""

from fooldeap.cli import main

if __name__ == "__main__":
    main()
