"""Files to start from: a plugin with its test, a folder with an experiment."""
