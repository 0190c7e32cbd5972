#!/bin/bash
# SQLite's own checks that stand alone: its collected fuzz cases, processes against each other, blobs by their own interface.
fuzzcheck --limit-mem 30000000 --skip 9860 /suite/fuzzdata1.db 2>&1 | tr '\r' '\n' | grep -a '^fuzzcheck: ' | sed 's/ in [0-9.]* seconds.*//'
mptest() { rm -f mp.db*; mptester mp.db "$@" --timeout 20000 2>&1 | sed -n 's/.*Summary: \(.*\) out of.*/\1/p'; }
mptest /suite/mptest/multiwrite01.test
mptest /suite/mptest/multiwrite01.test --journalmode wal
kvtest init kv.db --count 500 --size 4000 >/dev/null 2>&1; kvtest stat kv.db 2>/dev/null | grep -i 'entries\|check' | sed 's/  */ /g'
for way in --blob-api "--mmap 10000000" --update "--random --nocheckpoint"; do kvtest run kv.db --count 200 $way 2>&1 | grep -c '^Total'; done
kvtest export kv.db out >/dev/null 2>&1; mkdir -p out; kvtest export kv.db out --tree >/dev/null 2>&1; find out -type f | wc -l; kvtest run out --count 200 2>&1 | grep -c '^Total'
