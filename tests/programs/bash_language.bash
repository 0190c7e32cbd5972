#!/bin/bash
# The language: expansions large and small, arrays, here documents, pipelines, substitutions, traps.
echo "version ${BASH_VERSINFO[0]}"
a=(one "two words" three); a+=(four); a[9]=ten
echo "${#a[@]} ${!a[@]} ${a[1]} ${a[@]:1:2} ${a[-1]}"
declare -A map=([x]=1 [y]=2); map[z]=3
for k in $(printf '%s\n' "${!map[@]}" | sort); do echo "$k=${map[$k]}"; done
s="the quick brown fox"
echo "${s^^} ${s/quick/slow} ${s#* } ${s%% *} ${#s} ${s:4:5}"
echo {a..e}{1..3} | wc -w
big=$(seq 1 50000); echo "${#big}"; set -- $big; echo "$#"
printf -v long '%*s' 1000000 x; echo "${#long}"; echo "$long" | wc -c
cat <<END
here $((6 * 7)) $(echo nested "$(echo deep)")
END
cat <<-'END' | tr a-z A-Z
	quoted $HOME stays
	END
big_document=$(for i in {1..20000}; do echo "line $i of a document that is larger than a pipe"; done)
cat <<<"$big_document" | md5sum
wc -l < <(echo "$big_document")
diff <(seq 1 5) <(seq 1 6); echo "diff $?"
exec 5<>/tmp/bash-$$; echo through-five >&5; exec 5>&-; cat /tmp/bash-$$; rm /tmp/bash-$$
coproc cat; echo to-coproc >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; echo "$line"; eval "exec ${COPROC[1]}>&-"; wait "$COPROC_PID" 2>/dev/null
false | true | (exit 3) | true; echo "${PIPESTATUS[@]}"
set -o pipefail; false | true; echo "pipefail $?"; set +o pipefail
seq 1 300000 | head -n 1; echo "${PIPESTATUS[0]}"
(trap 'echo exit-trap' EXIT; trap 'echo usr1' USR1; kill -USR1 $BASHPID; echo after)
(trap '' TERM; kill -TERM $BASHPID; echo still-here)
{ (kill -KILL $BASHPID); } 2>/dev/null; echo "status $?"
f() { local v=$1; ((v <= 1)) && echo 1 || echo $((v * $(f $((v - 1))))); }; f 10
read -r -t 0.1 x < <(sleep 5); echo "timed out $(($? > 128))"
[[ abc123 =~ ^([a-z]+)([0-9]+)$ ]] && echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
ulimit -n 64; ulimit -n; ulimit -f 1; { (head -c 100000 /dev/zero >/tmp/limited); } 2>/dev/null; echo "limited $?"; stat -c %s /tmp/limited; rm -f /tmp/limited
printf '%q\n' "a b" $'new\nline' "it's"
mapfile -t lines < <(printf 'a\nb\nc\n'); echo "${#lines[@]} ${lines[2]}"
select_me=2; case $select_me in 1) echo no ;;& [0-9]) echo digit ;& *) echo fell ;; esac
umask 027; umask; touch /tmp/masked; stat -c %a /tmp/masked; rm /tmp/masked
cd /usr/bin && cd - >/dev/null && pushd /tmp >/dev/null && dirs -v | wc -l && popd >/dev/null
[ /dev/null -ef /dev/null ] && [ -p /dev/stdin ] || [ -c /dev/null ] && echo files
time -p true 2>/dev/null; times >/dev/null && echo times
