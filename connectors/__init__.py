"""Pull: what every connector shares, and one folder per system."""
