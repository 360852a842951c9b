"""One file per task: its plain TRL script, and `CASES`."""
