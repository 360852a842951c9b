"""What a run was made of, opened from Train and from Runs."""
