"""What all screens share: the base of the steps, and the help."""
