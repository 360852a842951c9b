"""Where torch starts: load, encode, generate. Imported by the workers alone."""
