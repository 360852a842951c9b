"""Files and how they are read: streams, indexes, tables, shards, and the hub."""
