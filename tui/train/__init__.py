"""The Train screen: a run's charts, gauges, log and requests."""
