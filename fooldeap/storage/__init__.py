"""Files: atomic writes, bounded reads, locks, checksums, and the journal that makes runs resumable."""
