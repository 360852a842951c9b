"""One file a headless command."""
