"""A run as it is followed: its series, devices and events, and how its metrics are named and written."""
