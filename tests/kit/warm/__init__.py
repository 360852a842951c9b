"""A warm process that has torch, transformers, trl and peft imported, and forks real keepers and workers from it."""
