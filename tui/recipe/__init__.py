"""The Recipe screen: the form, memory and preflight."""
