#!/bin/bash
# tini as the parent of a tree: status, signals forwarded (to the child or its group), zombies reaped, the subreaper's part.
tini -s -- sh -c 'exit 7'; echo "status $?"
tini -s -- sh -c 'kill -KILL $$'; echo "killed $?"
tini -s -e 7 -- sh -c 'exit 7'; echo "remapped $?"
tini -s -- /no/such/program 2>/dev/null; echo "missing $?"
tini -s -- sh -c 'trap "echo got term; exit 3" TERM; echo up >up; while :; do sleep 0.05; done' & t=$!
until [ -s up ]; do sleep 0.02; done; kill -TERM $t; wait $t; echo "forwarded $?"
rm -f up; tini -s -- sh -c 'trap "echo got usr1; echo had >had" USR1; trap "exit 9" HUP; echo up >up; while :; do sleep 0.05; done' & t=$!
until [ -s up ]; do sleep 0.02; done; kill -USR1 $t; until [ -s had ]; do sleep 0.02; done; kill -HUP $t; wait $t; echo "then $?"
# Whether the shell's sleep is there to be killed with the group, and is reported, is chance: the shell's errors are not shown.
rm -f up; tini -s -g -- sh -c 'exec 2>/dev/null; (trap "echo in-group >>group; exit" TERM; echo up >up; while :; do sleep 0.05; done) & trap "wait; exit 4" TERM; echo up >set; wait' & t=$!
until [ -s up ] && [ -s set ]; do sleep 0.02; done; kill -TERM $t; wait $t; echo "group $? $(cat group)"
tini -s -- sh -c '
    for i in 1 2 3 4 5; do (sh -c "sleep 0.1 & echo \$! >>orphans"); done
    for pid in $(cat orphans); do
        tries=0
        while [ -d /proc/$pid ] && [ $((tries += 1)) -lt 250 ]; do sleep 0.02; done
        [ ! -d /proc/$pid ] || echo zombie $pid
    done
    echo reaped $(wc -l <orphans)'
tini -s -p SIGKILL -- sh -c 'sleep 0.1; echo with a death signal'; echo "$?"
echo data | tini -s -- cat
tini -s -- sh -c 'ps -o ppid= -p $$ >/dev/null 2>&1; kill -0 $PPID && echo has parent'
tini --version | head -c 4; echo
