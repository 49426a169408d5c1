"""``python -m fooldeap`` is the command ``fooldeap``."""

from fooldeap.cli import main

if __name__ == "__main__":
    main()
