"""The Evaluate screen: base against tuned model."""
