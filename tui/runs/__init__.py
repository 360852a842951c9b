"""The Runs screen: every run of the workspace, the queue, and comparisons."""
