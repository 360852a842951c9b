"""GPU readings through pynvml; a value that cannot be had is None, never an exception."""
