"""From a YAML file to a typed, validated experiment; every mistake is a line that says its cure."""
