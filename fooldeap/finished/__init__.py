"""What is done with a finished folder: verify it, export its images, make its page anew."""
