"""The one declaration of what to train, and what follows from it without torch."""
