"""The scan: every check over every row, in a job that can be stopped and resumed."""
