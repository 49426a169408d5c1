"""An audit: a fixed battery of attacks on somebody's classifier, and what came of it, on one page."""
