"""The query ledger: what algorithms asked about, who answered it, and what the classifier was shown besides."""

from typing import NamedTuple


class Answers(NamedTuple):
    """How the images that algorithms asked about were answered; the last three add up to the first."""

    asked: int = 0
    memory: int = 0  # by the run itself: the image stood in this batch already, or in the one before
    journal: int = 0  # by the journal of an earlier session
    classifier: int = 0

    def __add__(self, other: object) -> "Answers":
        if not isinstance(other, Answers):
            return NotImplemented
        return Answers(*map(sum, zip(self, other, strict=True)))


class Ledger(NamedTuple):
    """One session's.

    ``gradients`` are images that it was shown once more for its gradient, ``padding`` black ones that fill up batches,
    ``probes`` those that find out about the classifier, ``repeats`` those that were shown a second time, at most,
    because who had been asked was lost. ``shown`` is the sum of all these and of what the classifier answered.
    """

    answers: Answers = Answers()
    gradients: int = 0
    padding: int = 0
    probes: int = 0
    repeats: int = 0

    @property
    def shown(self) -> int:
        """How many images the classifier was shown, at most."""
        return self.answers.classifier + self.gradients + self.padding + self.probes + self.repeats

    @staticmethod
    def head() -> str:
        """Return the names of the columns of ``ledger.csv``."""
        return ",".join([*Answers._fields, "gradients", "padding", "probes", "repeats", "shown"])

    def row(self) -> str:
        """Return the session as a row of ``ledger.csv``."""
        return ",".join(map(str, [*self.answers, *self[1:], self.shown]))
