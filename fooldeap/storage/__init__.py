"""Files on disk: whole or not at all, locked, checksummed, and the journal, from which a run is resumed."""
