"""Widgets that know nothing of fine-tuning."""
