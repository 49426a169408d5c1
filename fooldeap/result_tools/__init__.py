"""Commands for the folders that fooldeap has written: list, verify and export them, and write their page again."""
