# How steps in a guest speak with the test on the host: lines on the serial console.
# Sourced by bash from /run/viridian.
#	@ok NAME   @FAIL NAME: WHY   @skip NAME: WHY	results
#	@note TEXT					words of the guest's to show
#	@clock SECONDS					its uptime, the moment the line is written
#	@ask WORDS					the host does something and answers with a line
# A name is GROUP: WHAT; a group is a column of the table of check-system.
. /run/viridian/config

say() { printf '@%s\n' "$*"; }
ok() { say "ok $1"; }
bad() { say "FAIL $1: $2"; }
check() { # name, command...
	local name=$1 said
	shift
	if said=$("$@" 2>&1); then
		ok "$name"
	else
		bad "$name" "$(tail -n 3 <<<"$said" | tr '\n\r' '  ')"
	fi
}
equal() { # name, is, should be
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		bad "$1" "it is \"$2\", not \"$3\""
	fi
}
within() { # seconds, command...
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		read -rt 0.1 <> <(:) || :
	done
}
# Sets $answer; the host answers at once (within $ask_seconds, 60 if not set) or says "failed: …", which is a
# failure of the group.
ask() {
	say "ask $*"
	read -rt "${ask_seconds:-60}" answer || answer="failed: no answer"
	answer=${answer%$'\r'}
	case $answer in
	failed*)
		bad "${group:-host}: $*" "$answer"
		return 1
		;;
	esac
}
clock_samples() {
	local i up
	for ((i = 0; i < 10; i++)); do
		read -r up _ </proc/uptime
		say "clock $1 $up"
		read -rt 0.1 <> <(:) || :
	done
}

# The block device of a logical unit of the first controller; nothing if there is none.
disk() { # LUN
	local found
	for found in /sys/class/scsi_device/*:0:0:"$1"/device/block/*; do
		[ ! -e "$found" ] || echo "/dev/${found##*/}"
	done
}
has_disk() { [ -n "$(disk "$1")" ] && [ -b "$(disk "$1")" ]; }
no_disk() { ! has_disk "$1"; }
controller() { # its folder on the bus
	local found
	for found in /sys/bus/vmbus/drivers/hv_storvsc/*/channels; do
		[ ! -e "$found" ] || echo "${found%/channels}"
	done | head -n 1
}
words() { # pattern: what the kernel has said, without its time
	dmesg | sed 's/^\[[^]]*\] *//' | grep -E "$1"
}
