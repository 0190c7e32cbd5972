#!/bin/zsh
# zsh: globbing with qualifiers, arrays and maps, parameters' flags, multios, substitutions of processes, functions and their ends, its modules.
emulate -R zsh
mkdir -p tree/{a,b}/{x,y}; echo 1 >tree/a/x/one.txt; echo 22 >tree/b/y/two.txt; ln -s one.txt tree/a/x/link; mkfifo tree/pipe; chmod 600 tree/b/y/two.txt
mkdir tree/.hidden; touch -d 2001-02-03 tree/b/old; ln -s nowhere tree/dangling; chmod 1777 tree/a; chmod 4755 tree/b/old
print -l tree/**/*(.N)
print -l tree/**/*(/) | wc -l
print -l tree/**/*(@) tree/**/*(p)
print -l tree/**/*.txt(.L+2) tree/**/*.txt(.f600) tree/*(-@) tree/**/*(s) tree/*(t) tree/**/*(m+1000)
print -l tree/**/*.txt(:t:r) tree/*(D/:h:t) tree/**/*.txt(OL) tree/**/*.txt(oL[1])
print ${(j:,:)${(o)${(@f)"$(ls tree)"}}} ${#$(echo a b c)} ${${:-/usr/lib/x.tar.gz}:e} ${(U)${:-up}} ${(q)${:-a b}}
setopt extendedglob nullglob; print -l tree/**/^*.txt(.) tree/none* tree/(#i)A; print -l tree/**/*~*txt(.)
typeset -A m=(k1 v1 k2 v2); print ${(kv)m[(r)v2]} ${#m} ${(ok)m} ${m[(i)k1]} ${+m[k9]}
a=({1..10}); print $a[2,4] ${a[-1]} ${(j:+:)a} $((${(j:+:)a})) ${a:#*[2468]} ${a[(i)7]} ${(On)a} ${#a}
a[3]=(x y z); a+=(end); shift 2 a; print $a; print ${a//(#b)([xyz])/<$match[1]>}
typeset -U unique=(b a b a); print $unique; typeset -i 16 hex=255; print $hex $((hex + 1)) $((2 ** 40)) $((7.0 / 2))
echo both >one >two; cat one two; cat <one <two | wc -l; echo more >>one | tr a-z A-Z; cat one
diff =(seq 1 3) <(seq 1 3) && print same; print ${(f)"$(<one)"}; wc -l < <(seq 1 500); seq 1 100000 > >(tail -n 1 >last); while [[ ! -s last ]] sleep 0.02; cat last
x() { print -- "args $# $@"; { return 3 } always { always_ran=1 } }; x p q; print $? $always_ran
nested() { local v=inner; { print $v ; (v=deep; print $v) } ; () { print anonymous $1 } arg }; v=outer; nested; print $v
integer depth; recurse() { (( depth++ < 200 )) && recurse; }; recurse; print depth $depth
case abc123 in (([a-z]##)[0-9]##) print class ;& (never) print through ;; esac
[[ abc-def = (#b)([a-z]##)-(*) ]] && print $match[2] $mbegin[2] $mend[2]
zmodload zsh/stat && zstat -H st tree/a/x/one.txt && print $st[size] $st[nlink] && zstat -L +link tree/a/x/link && zstat -s +mode tree/a tree/b/old
zmodload zsh/datetime && (( EPOCHREALTIME > 1 && ${#epochtime} == 2 )) && strftime %Y-%m-%d 86400
zmodload zsh/files && zf_mkdir made && zf_ln -s made made2 && zf_rm made2 && zf_rmdir made && print files *(N/)
zmodload zsh/parameter && print ${functions[x]} $+commands[ls] $+builtins[print] ${#pipestatus}
big=(${(s: :)${(l:200000::a :)}}); print $#big; (ls nothing-there) 2>&1 | sed 's/^/said: /'; print $pipestatus
repeat 3 print -n r; print; for ((i = 0; i < 3; i++)) print -n $i; print; for k v (1 a 2 b) print $k$v; select_ok=1
umask 027; : >masked; zstat +mode -o masked; limit descriptors 77; limit descriptors; ulimit -n; limit -h coredumpsize
read -A words <<<'one two three'; print $words[2]; read -u 0 -k 3 part <<<abcdef; print $part; read -d : field <<<a:b; print $field; print -r -- ${(V)${:-$'\e\t'}}
exec {fd}<>both.fd; print -u $fd written; exec {fd}>&-; cat both.fd; print -u $fd lost 2>/dev/null; print $?
print -P '%(?.fine.bad) %%'; cd tree/a; cd -q ../b; print ${PWD:t} ${OLDPWD:t}; dirs -c; pushd -q x; print $#dirstack; popd -q
TIMEFMT=timed; time (:) ; print -f '%05d|%-5s|%x\n' 42 ab 255; printf '%q\n' "it's"; print -n $'nul\0here' | od -An -c
