"""Help for users: descriptions of plugins, checks of the installation, file templates and JSON Schemas."""
