"""Chart mathematics in plain classes that need no app."""
