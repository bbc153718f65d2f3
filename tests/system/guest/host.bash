# The host's side of a test with a guest: the worker, its disks, its console, and what the steps in the
# guest (steps/talk.bash) ask for. Sourced by bash from the top of the tree, where KVM is usable.
#	guest		folder of guest/image
#	vps		virtual processors
#	RIG_DISK	the root disk; it will be written to
# Logs go to $RIG_OUT. The callbacks on_ok, on_fail, on_note, on_up, on_step and on_done take the rest of a
# line, as does on_ask before the host answers; a test defines those that it wants.

B=${B:-build}
PATH=$PWD/$B/bin:$PATH:/sbin:/usr/sbin
out=${RIG_OUT:-$PWD/$B/vm-logs}
mkdir -p "$out"
work=$(mktemp -d "${TMPDIR:-/tmp}/viridian-vm.XXXXXX")
console=$out/console
log=$out/vmwp.log
control=$work/control.sock
worker="" left=""
: >"$console"
: >"$log"

cleanup() {
	trap - EXIT INT TERM
	[ -z "$worker" ] || kill -9 "$worker" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- disks and steps -----------------------------------------------------------------------------------
# Numbered as logical units of target 0, for Linux looks at no target but 0 and 1: 0 root, 1 scratch, 2 read-only, 3 with large blocks; 5 and 6 come later.
. tests/system/guest/pack.bash
made=$work # what pack made, here or elsewhere
size_of() { if [ -b "$1" ]; then blockdev --getsize64 "$1"; else stat -c %s "$1"; fi; }
blank_disks() {
	truncate -s 256M "$work/1.img"
	truncate -s 64M "$work/3.img"
	truncate -s 16M "$work/5.img"
}
prepare() { # folder with steps, more words of the config...
	blank_disks
	head -c 4M /dev/urandom >"$work/6.img"
	pack "$work" "$(size_of "$RIG_DISK")" "$@"
}

# ---- the worker ----------------------------------------------------------------------------------------
# Its console: what we answer goes in by file descriptor 5, what the guest says comes out by 6.
start_worker() { # more options...
	mkfifo "$work/in" "$work/out"
	exec 5<>"$work/in"
	# shellcheck disable=SC2086 # options
	vmwp run --backend kvm --control "$control" --vps "$vps" --memory 512M \
		--kernel "$guest/vmlinux" --initrd "$made/initrd" \
		--append "console=ttyS0 quiet log_buf_len=4M root=LABEL=root panic=-1 ${VIRIDIAN_APPEND:-}" \
		--disk "$RIG_DISK,target=0,lun=0" --disk "$work/1.img,target=0,lun=1" \
		--disk "$made/2.img,ro,target=0,lun=2" \
		--disk "$work/3.img,block=4096,target=0,lun=3" --heartbeat 500 --serial stdio "$@" ${VIRIDIAN_VMWP:-} \
		<"$work/in" >"$work/out" 2>>"$log" &
	worker=$!
	exec 6<"$work/out"
}
answer() { printf '%s\n' "$*" >&5; }
ctl() { vmwpctl "$control" "$@"; }
used_kib() { du -k "$work/$1.img" | cut -f1; }
# A heartbeat comes every half second; the first may still be on its way.
heartbeats() {
	local tries n=0
	for ((tries = 0; tries < 50; tries++)); do
		n=$(vmwpctl --json "$control" heartbeat | sed -n 's/.*"answers": *\([0-9]*\).*/\1/p' | head -n 1)
		[ "${n:-0}" = 0 ] || break
		read -rt 0.1 <> <(:) || :
	done
	echo "${n:-0}"
}
done_or_failed() { # command...
	local said
	if said=$("$@" 2>&1); then answer done; else answer "failed: $(tail -n 1 <<<"$said")"; fi
}
reloads=0
host_does() { # what the guest has asked for
	case $1 in
	reloads)
		answer "$reloads"
		reloads=0 # at the first start only
		;;
	heartbeat) answer "$(heartbeats)" ;;
	used) answer "$(used_kib "$2")" ;;
	sum) answer "$(head -c "$3" "$work/$2.img" | sha256sum | cut -d' ' -f1)" ;;
	attach) done_or_failed ctl attach "$2" "$work/$3.img" --target 0 --lun "$3" ;;
	detach) done_or_failed ctl detach --target 0 --lun "$2" ;;
	leave)
		left=$2
		answer done
		;;
	stop)
		kill -STOP "$worker"
		read -rt "$2" <> <(:) || :
		kill -CONT "$worker"
		answer done
		;;
	status) # what the host knows, for those who look at it
		ctl status >"$out/status${2:-}" 2>&1
		ctl statistics >"$out/statistics${2:-}" 2>&1
		answer done
		;;
	*) answer "failed: the host does not know \"$*\"" ;;
	esac
}

# ---- clocks --------------------------------------------------------------------------------------------
# Differences between the host's clock and the guest's, each an upper bound, by the way that a line takes
# through the console; the least of them is the best.
declare -A least=() at=()
clock_line() { # begin|end, guest's uptime in seconds
	local difference
	difference=$(awk "BEGIN { printf \"%d\", ($EPOCHREALTIME - $2) * 1000 }")
	if [ -z "${least[$1]:-}" ] || [ "$difference" -lt "${least[$1]}" ]; then
		least[$1]=$difference
		at[$1]=$2
	fi
}

# ---- what the guest says -------------------------------------------------------------------------------
tell() { # verb, rest of the line
	[ "$(type -t "on_$1")" != function ] || "on_$1" "$2"
}
# Until the worker ends. Returns 1 after too long a silence of the guest.
follow() {
	local line status verb rest limit
	while :; do
		limit=${VIRIDIAN_GUEST_SECONDS:-240}
		[ "$left" != crash ] || limit=60
		IFS= read -rt "$limit" -u 6 line
		status=$?
		[ $status -le 128 ] || return 1
		[ $status -eq 0 ] || [ -n "$line" ] || return 0
		line=${line%$'\r'}
		printf '%s %s\n' "${EPOCHREALTIME%????}" "$line" >>"$console"
		case $line in
		*@*) ;;
		*) continue ;;
		esac
		# The kernel may have said something before it.
		read -r verb rest <<<"${line#*@}"
		case $verb in
		clock | ask)
			tell "$verb" "$rest"
			# shellcheck disable=SC2086 # words
			if [ "$verb" = clock ]; then clock_line $rest; else host_does $rest; fi
			;;
		ok | FAIL | skip | note | step | done | up | by | plot | mark | at) tell "${verb,,}" "$rest" ;;
		esac
		[ $status -eq 0 ] || return 0
	done
}
# The worker's end; sets $status. Kills it if the guest was silent.
end_worker() { # result of follow
	if [ "$1" -ne 0 ]; then
		ctl status >"$out/status" 2>&1
		ctl statistics >"$out/statistics" 2>&1
		kill -9 "$worker"
	fi
	wait "$worker" 2>/dev/null
	status=$?
	worker=""
}
