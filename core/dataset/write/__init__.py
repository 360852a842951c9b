"""The curated set in forms that other programs take."""
