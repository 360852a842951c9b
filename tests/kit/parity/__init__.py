"""The parity harness: every task trains as a plain TRL script does, to the last bit. `case.py` says what a case is.

`tasks/` has one file per task with its plain script and its cases; `tests/e2e/test_parity.py` runs all of them.
"""
