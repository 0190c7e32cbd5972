#!/bin/bash
# A tree made, searched, packed, compressed, unpacked and compared with the toolbox.
mkdir -p tree/{src,doc,empty}/deep/er
for i in $(seq 1 120); do echo "file $i $((i * i % 97)) $(printf '%0*d' $((i % 40 + 1)) $i)" >"tree/src/f$i.txt"; done
for d in doc/deep src/deep/er; do seq 1 5000 >"tree/$d/numbers"; done
ln -s ../src/f1.txt tree/doc/link; ln tree/src/f2.txt tree/doc/hard; chmod 600 tree/src/f3.txt; mkfifo tree/empty/fifo; touch -d '2001-02-03 04:05:06' tree/src/f4.txt
head -c 3000000 /dev/zero >tree/doc/zeros
find tree -type f | wc -l; find tree -type d | sort | md5sum; find tree -name 'f1?.txt' | sort | xargs cat | md5sum
find tree -type f -size -1k -o -type l -o -type p | sort | md5sum; find tree -newermt '2001-01-01' ! -newermt '2002-01-01' -type f 2>/dev/null || find tree -mtime +3000 -type f
find tree -type f -name '*.txt' -print0 | xargs -0 -n 7 -P 4 wc -c | awk '$2 != "total" { s += $1; n++ } END { print n, s }'
find tree -name '*.txt' -exec grep -l 'file 1[01]' {} + | sort | tr '\n' ' ' | sed 's| $||'; echo
awk '{ sum[$3 % 10] += $2 } END { for (k = 0; k < 10; k++) printf "%s%d:%d", k ? " " : "", k, sum[k]; print "" }' tree/src/*.txt
sed -n 's/^file \([0-9]*\) \([0-9]*\) .*/\2 \1/p' tree/src/*.txt | sort -n -k1,1 -k2,2 | sed -n '1p;60p;$p'
sed -i 's/^file/FILE/' tree/src/f5.txt; cat tree/src/f5.txt
tar cf one.tar tree; tar tf one.tar | sort | md5sum; mkdir out; tar xf one.tar -C out; diff -r tree/src out/tree/src && echo "same source"
stat -c '%a %F %h %N' out/tree/src/f3.txt out/tree/doc/link out/tree/empty/fifo out/tree/doc/hard | sed "s/'//g"; stat -c %Y out/tree/src/f4.txt
[ out/tree/doc/hard -ef out/tree/src/f2.txt ] && echo "hard link kept"
for tool in gzip bzip2; do $tool -c one.tar >one.$tool 2>/dev/null && $tool -dc one.$tool | cmp - one.tar && echo "$tool round trip"; done
tar czf - tree | (mkdir piped && cd piped && tar xzf -); diff -r tree/doc piped/tree/doc && echo "piped"
(cd tree && find . -depth | cpio -o -H newc 2>/dev/null) | (mkdir cp && cd cp && cpio -idm 2>/dev/null); diff -r tree/src cp/src && echo "cpio"
dd if=tree/doc/zeros of=sparse bs=4096 seek=1000 count=1 2>/dev/null; stat -c '%s' sparse; [ "$(stat -c %b sparse)" -lt 100 ] && echo holes
seq 1 100000 | shuf | sort -n | uniq | wc -l
sha256sum tree/doc/zeros tree/src/deep/er/numbers; cksum tree/doc/zeros 2>/dev/null || md5sum tree/doc/zeros
du -s tree/src >/dev/null && df / >/dev/null && echo "du df"
split -l 1000 tree/doc/deep/numbers part 2>/dev/null || awk '{ print > "part" int((NR - 1) / 1000) }' tree/doc/deep/numbers; cat part* | cmp - tree/doc/deep/numbers && ls part* | wc -l
seq 1 20000 | tee copy | (sleep 0.1; wc -l); wc -l <copy
yes | head -n 200000 | uniq -c | awk '{ print $1, $2 }'
mv tree moved && cp -a moved again && diff -r moved/src again/src && rm -rf moved && ls
chmod -R a-w again && chmod -R u+w again && rm -rf again out piped cp && ls | wc -l
(flock -n 9 2>/dev/null; echo locked) 9>lock; mktemp -d tmpXXXXXX | wc -c; nproc >/dev/null && id -u && hostname >/dev/null && uname -s
xargs -n 1 -P 8 -I{} sh -c 'sleep 0.0{}; echo {}' <<<"$(seq 1 9)" | sort | tr -d '\n'; echo
ash -c 'set -- a b c; shift; echo $# $*; trap "echo int" INT; kill -INT $$; echo ${x:-default} $((0x1f)); f() { return 9; }; f; echo $?'
vi -c wq new.txt </dev/null >/dev/null 2>&1; less --help >/dev/null 2>&1; top -b -n 1 | head -n 1 | cut -c1-3; ps -o pid,comm | awk 'NR == 1'
