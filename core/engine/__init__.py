"""Where torch starts: load a model, turn samples into tokens and labels, generate. Shared by the workers."""
