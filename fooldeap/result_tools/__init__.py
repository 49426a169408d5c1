"""WorkerTask on a finished folder: verify it, export its images, write its page again."""
