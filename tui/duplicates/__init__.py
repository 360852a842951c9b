"""The Duplicates screen: clusters of similar rows, and which of them to drop."""
