"""Images as people look at them: drawn, and held against real ones."""
