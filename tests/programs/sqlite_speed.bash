#!/bin/bash
# SQLite's own speed test, with its own check of the results: in a file, with a write-ahead log, mapped, in memory.
run() { speedtest1 --size 1 --verify "$@" 2>&1 | sed -n 's/^Verification Hash: *//p; /rror/p; /ailed/p'; }
run a.db; sqlite3 a.db 'pragma integrity_check'
rm -f a.db*; run --journal wal a.db
rm -f a.db*; run --mmap 30000000 a.db
run --memdb
for set in orm rtree cte; do run --testset $set --memdb; done
