"""From files to curated samples: index, formats, flags, decisions, views. No torch."""
