"""Helpers that tests share: waiting, real jobs, terminals, apps, and programs that tests start."""
