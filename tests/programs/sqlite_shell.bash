#!/bin/bash
# SQLite's shell: rollback and write-ahead journals, several processes on one database, locks, recovery after a kill, integrity.
db=test.db
sqlite3 $db 'create table t (a integer primary key, b text); create index i on t (b);'
sqlite3 $db "with recursive n (x) as (select 1 union all select x + 1 from n where x < 5000) insert into t select x, 'row ' || (x * 7919 % 5003) from n;"
sqlite3 $db 'select count(*), sum(a), min(b), max(b) from t; pragma integrity_check;'
sqlite3 $db 'begin; delete from t where a % 2; select count(*) from t; rollback; select count(*) from t;'
for mode in delete truncate persist memory wal; do
    sqlite3 $db "pragma journal_mode = $mode; begin immediate; update t set b = b || '$mode' where a < 100; commit; select count(*) from t where b like '%$mode';"
done
ls $db*
for i in 1 2 3 4; do (for j in 1 2 3 4 5; do sqlite3 -cmd '.timeout 20000' $db "insert into t (b) values ('writer $i $j');"; done) & done; wait
sqlite3 $db "select count(*) from t where b like 'writer%'; pragma integrity_check;"
sqlite3 $db 'pragma journal_mode = delete;'
mkfifo hold; sqlite3 $db <hold & holder=$!
exec 8>hold; echo "begin exclusive; insert into t (b) values ('never');" >&8
until ls $db-journal >/dev/null 2>&1; do sleep 0.02; done
sqlite3 -cmd '.timeout 100' $db 'select count(*) from t;' 2>&1 | sed 's/.*\(database is locked\).*/\1/'
kill -KILL $holder; wait $holder 2>/dev/null; exec 8>&-
sqlite3 $db "select count(*) from t where b = 'never'; pragma integrity_check;"
(for k in $(seq 1 200); do echo "begin; update t set b = 'k$k' where a % 3 = 0; commit;"; done) | sqlite3 $db & killed=$!
sleep 0.5; kill -KILL $killed; wait $killed 2>/dev/null
sqlite3 $db "pragma integrity_check; select count(distinct b) <= 1 or count(distinct b) from t where a % 3 = 0;"
sqlite3 $db .dump | sqlite3 copy.db; sqlite3 copy.db 'select count(*) > 5000 from t;'
sqlite3 $db ".backup backup.db" "vacuum into 'vacuumed.db'"; sqlite3 backup.db 'pragma integrity_check'; sqlite3 vacuumed.db 'pragma integrity_check'
sqlite3 $db "pragma mmap_size = 100000000; select sum(length(b)) > 0 from t; insert into t (b) values ('mapped'); select b from t order by a desc limit 1;"
sqlite3 :memory: "create virtual table f using fts5(x); insert into f values ('the quick brown fox'), ('lazy dog'); select x from f where f match 'quick';"
sqlite3 :memory: "select json_extract('{\"a\":[1,2]}', '\$.a[1]'), hex(zeroblob(2)), date(86400, 'unixepoch'), printf('%.3f', 2.0 / 3), sqlite_version();"
echo 'a,b
1,x
2,y' >in.csv; sqlite3 :memory: '.mode csv' '.import in.csv c' 'select sum(a), group_concat(b) from c;'
sqlite3 /no/such/place.db 'select 1 from sqlite_schema;' 2>&1 | sed 's/.*unable/unable/'
chmod 400 $db; su nobody -s /bin/sh -c true 2>/dev/null; sqlite3 "file:$db?mode=ro" 'insert into t (b) values (1);' 2>&1 | sed 's/.*attempt/attempt/'
