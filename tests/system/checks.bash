# What the system tests share: a folder of their own, programs started and ended by pid, checks
# that print one line each, and a search for what should not have been left behind.
# Sourced by bash from the top of the tree; B names the build folder.

B=${B:-build}
work=$(mktemp -d "${TMPDIR:-/tmp}/viridian-check.XXXXXX")
log=$work/log
run=$work/run # sockets, mount points and images of the programs under test
mkdir "$work/bin" "$log" "$run"
# Copies: another user must be able to run them, and a rebuild must not change them meanwhile.
cp "$B"/bin/{vmwp,vmwpctl,vsc-disk,hvbench} "$work/bin/" || exit 1
chmod 711 "$work"
chmod 777 "$run"
PATH=$work/bin:$PATH:/sbin:/usr/sbin
# Every process that we start has this in its environment, whoever its parent is by now.
mark=$$.$RANDOM$RANDOM
export VIRIDIAN_CHECK=$mark
passed=0 failed=0 skipped=0

# ---- results -----------------------------------------------------------------------------------
ok() { # name
	passed=$((passed + 1))
	echo "ok    $1"
}
bad() { # name, why; the last lines of what was said follow
	failed=$((failed + 1))
	echo "FAIL  $1: $2"
	[ ! -s "${3:-}" ] || tail -n 5 "$3" | sed 's/^/      | /'
}
skip() { # name, why
	skipped=$((skipped + 1))
	echo "SKIP  $1: $2"
}
check() { # name, command...: passes if the command succeeds
	local name=$1
	shift
	if "$@" >"$log/check" 2>&1; then
		ok "$name"
	else
		bad "$name" "$*" "$log/check"
	fi
}
finish() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
	exit
}

# ---- time and processes ------------------------------------------------------------------------
pause() { read -rt 0.02 <> <(:) || :; }
within() { # seconds, command...: true as soon as the command succeeds
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		pause
	done
}
# Start a program as a terminal would, with signals at their defaults; sets $pid.
start() { # name of its logs, command...
	local name=$1
	shift
	rm -f "$log/$name".* # not to read what the last one of this name has said
	env --default-signal=INT,TERM,QUIT "$@" >"$log/$name.out" 2>"$log/$name.err" </dev/null &
	pid=$!
}
has_ended() { ! kill -0 "$1" 2>/dev/null; }
ended() { # pid, seconds: sets $status; false if it did not end
	{
		within "$2" has_ended "$1" || return 1
		wait "$1"
		status=$?
	} 2>/dev/null # where the shell remarks that it was killed
}
killed() { # pid: kill -9, and reap without the shell's remark
	{ kill -9 "$1" && wait "$1"; } 2>/dev/null
}
ours() ( # pids of all processes of this test, but for those of this search
	unset VIRIDIAN_CHECK
	grep -lzsx "VIRIDIAN_CHECK=$mark" /proc/[0-9]*/environ | cut -d/ -f3
)
mounts() { grep -F " $work/" /proc/self/mounts; }
# What exists now: sockets and other files, mounts, processes (zombies are gone already).
state() {
	(cd "$run" && find . -xdev 2>/dev/null | sort)
	mounts | cut -d' ' -f1-3
	ours
}
nothing_new() { # the state before: true if the present one is the same
	[ "$(state)" = "$1" ]
}

# ---- one host and its guest ----------------------------------------------------------------------
host() { # name, options...: a worker that is ready, on $run/NAME.guest and $run/NAME.control
	local name=$1
	shift
	start "$name" vmwp run --guest "$run/$name.guest" --control "$run/$name.control" "$@"
	within 10 grep -q ' ready: ' "$log/$name.err" ||
		bad "$name" "the worker did not start" "$log/$name.err"
}
guest() { # name of the host, mount point, options...: a guest that is ready
	local name=$1 point=$2
	shift 2
	start "$name-guest" vsc-disk --connect "$run/$name.guest" "$@" "$point"
	within 10 grep -q '^ready: ' "$log/$name-guest.out" ||
		bad "$name" "the guest did not start" "$log/$name-guest.err"
}

is_mounted() { grep -qF " $1 " /proc/self/mounts; }

cleanup() {
	trap - EXIT INT TERM
	local left
	for left in $(ours); do
		kill -9 "$left" 2>/dev/null
	done
	mounts | cut -d' ' -f2 | while read -r left; do
		umount -l "$left" 2>/dev/null || fusermount3 -uz "$left"
	done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
