#!/bin/zsh
# zsh: traps of every sort, jobs and their table, stopping and continuing, coprocesses, time limits on reads, signals to pipelines.
emulate -R zsh
zmodload zsh/parameter
# waits until the word (a state of process $1) is so
until_state() { repeat 400 { [[ $(awk '/^State/ { print $2 }' /proc/$1/status 2>/dev/null) == $2 ]] && { print "$3: $2"; return }; sleep 0.02 }; print "$3: not $2" }
TRAPUSR1() { print "function $1 in ${funcstack[1]}" }; kill -USR1 $$
trap 'print list usr2' USR2; kill -USR2 $$; trap - USR2
trap | wc -l
zsh -fc 'TRAPEXIT() { print "exit trap $?" }; f() { trap "print function ends" EXIT; print in f }; f; exit 3'; print $?
zsh -fc 'TRAPZERR() { print "zerr $1 $?" }; false; true; (exit 4); if false; then :; fi'
zsh -fc 'TRAPDEBUG() { print -n . }; : ; :; :'; print
zsh -fc 'set -e; trap "print left" EXIT; false; print never'; print $?
zsh -fc 'kill -KILL $$'; print $?
zsh -fc 'trap "" TERM; kill -TERM $$; print ignored; trap - TERM; kill -TERM $$; print never'; print $?
zsh -fc 'TRAPINT() { print "int"; return 130 }; kill -INT $$; print after'; print $?
{ sleep 0.1; exit 4 } & wait $!; print $?
{ exit 5 } & first=$!; { exit 6 } & second=$!; wait $second; print $?; wait $first; print $?
sleep 100 & job=$!
kill -STOP $job; until_state $job T stopped
print ${(o)jobstates%%:*}
kill -CONT $job; until_state $job S continued
kill -KILL $job; sleep 100 & job=$!; kill -KILL $job; wait $job; print $?
coproc { while read -r line; do print "<$line>"; done }; first=$!
print -p one; print -p two; read -p answer; print $answer; read -p answer; print $answer
coproc cat; second=$!; print -p through; read -p answer; print $answer
kill $first $second; wait $first; print $?; wait $second; print $?
mkfifo pipe; (sleep 0.2; print -l late lines) >pipe & while read -r line; do print got $line; done <pipe
read -t 0.2 nothing <>pipe; print $?
yes | head -n 1; print $pipestatus
seq 1 100000 | while read -r n; do (( n == 3 )) && break; done; print $n
children=(); for i in {1..60}; do (exit $((i % 3))) & children+=$!; done; sum=0; for p in $children; do wait $p; (( sum += $? )); done; print sixty $sum
(trap 'print sub usr1; exit 9' USR1; while :; do sleep 0.02; done) & p=$!; sleep 0.3; kill -USR1 $p; wait $p; print $?
(cd /; print ${PWD} $ZSH_SUBSHELL; (print $ZSH_SUBSHELL)); print $ZSH_SUBSHELL
zmodload zsh/sched; sched +1 'print scheduled'; sched | wc -l; sched -1; print $#zsh_scheduled_events
disown 2>/dev/null; exec zsh -fc 'print exec $0 $@; exit 0' name a b
