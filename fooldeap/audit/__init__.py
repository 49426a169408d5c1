"""Audits: the same set of attacks on any classifier, with the results on one page."""
