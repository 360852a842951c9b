"""Everything that relies on private parts of Textual: driver, wire, compositor and what they need."""
