"""The same job done by a peer, in its own venv: `python million_peer.py duckdb|polars FILE ROWS`.

Prints CPU seconds, seconds and MiB. The job: open the file, count its rows, show the first twenty, and then some
from anywhere.
"""

import random
import resource
import sys
import time

name, path, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
places = random.Random(7).sample(range(rows), 200)
wall = time.perf_counter()
if name == "duckdb":
    import duckdb

    table = duckdb.connect()
    table.execute("create table data as select * from read_json_auto(?, format='newline_delimited')", [path])
    counted = table.execute("select count(*) from data").fetchone()[0]
    shown = table.execute("select * from data limit 20").fetchall()
    shown += [table.execute("select * from data where rowid = ?", [place]).fetchone() for place in places]
else:
    import polars

    frame = polars.read_ndjson(path)
    counted = frame.height
    shown = frame.head(20).rows()
    shown += [frame.row(place) for place in places]
assert counted == rows
assert len(shown) == 220
usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_utime + usage.ru_stime, time.perf_counter() - wall, usage.ru_maxrss / 1024)
