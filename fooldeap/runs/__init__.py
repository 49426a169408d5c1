"""An experiment at work: its folder, its processes, its reporters."""
