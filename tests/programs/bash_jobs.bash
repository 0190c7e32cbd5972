#!/bin/bash
# Jobs: background, wait in its forms, job control with process groups, stopping and continuing, signals to groups, orphans.
state() { awk '/^State/ { print $2 }' "/proc/$1/status" 2>/dev/null || echo gone; }
until_state() { for _ in {1..200}; do [[ $(state "$1") == "$2" ]] && echo "$3: $2" && return; sleep 0.02; done; echo "$3: not $2 but $(state "$1")"; }
sleep 0.1 & first=$!
(exit 7) & second=$!
wait "$second"; echo "second $?"; wait "$first"; echo "first $?"
for n in 3 1 2; do (until [ -e "end$n" ]; do sleep 0.02; done; exit $n) & done
for n in 1 2 3; do : >"end$n"; wait -n; echo "ended $?"; done
wait -n; echo "none left $?"
(sleep 0.1; exit 5) & wait -p who -n; echo "$? $((who == $!))"
trap 'echo usr1 in wait' USR1
(until_state $$ S waits >waits; kill -USR1 $$) & helper=$!
sleep 20 & wait $!; echo "wait was interrupted $(($? == 128 + $(kill -l USR1)))"; kill %% 2>/dev/null; wait 2>/dev/null
set -m
sleep 100 & job=$!
[ "$(awk '{ print $5 }' /proc/$job/stat)" = "$job" ] && echo "a job leads its group"
kill -STOP %1; until_state $job T "stopped"
jobs | sed 's/  */ /g'
kill -CONT %1; until_state $job S "continued"
kill -TERM -- -$job; wait $job 2>/dev/null; echo "terminated $?"
(sleep 100 | cat | cat) & pipeline=$!
sleep 0.2; kill -INT -- -$pipeline; wait $pipeline 2>/dev/null; echo "pipeline $?"
set +m
trap 'echo chld' CHLD; /bin/true; trap - CHLD
sh -c '(until [ -e left ]; do sleep 0.02; done; [ $(awk "{ print \$4 }" /proc/self/stat) != 0 ] && echo orphan still runs; : >done) & echo parent leaves'
: >left; until [ -e done ]; do sleep 0.02; done
exec 3< <(trap 'echo hup; exit' HUP; echo ready; while :; do sleep 0.05; done); p=$!
read -r word <&3; echo "$word"; kill -HUP $p; read -r word <&3; echo "$word"
disown -a; shopt -s lastpipe; echo last | read -r kept; echo "$kept"
{ sleep 30 & } ; last=$!; kill -KILL $last; wait $last 2>/dev/null; echo "killed $?"
timeout 0.2 sleep 10; echo "timeout $?"
bash -c 'trap "echo bye" EXIT; kill -TERM $$; sleep 5'; echo "terminated shell $?"
for i in {1..100}; do /bin/true & done; wait; echo "a hundred"
bash -c 'renice -n 5 -p $$ >/dev/null; awk "{ print \$19 }" /proc/$$/stat'
