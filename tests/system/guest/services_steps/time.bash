# The clock, set wrong and put right. Sourced by main.
# clock_look knows the host's clock by reference time, which nobody sets; offsets are in milliseconds.

look=./clock_look every=100
base=""
time_base() {
	local ptp tries
	group=time
	modprobe msr
	ptp=$(grep -lx hyperv /sys/class/ptp/*/clock_name 2>/dev/null | head -n 1)
	check "time: the kernel offers the host's clock as a PTP clock (${ptp:-none})" [ -n "$ptp" ]
	ptp=${ptp%/clock_name}
	for ((tries = 0; tries < 20; tries++)); do
		base=$($look base "/dev/${ptp##*/}" 2>/run/steps/base) && break
		pause 0.5
	done
	[ -n "$base" ] || bad "time: the host's clock" "$(cat /run/steps/base)"
}
off() { $look offset "$base"; }
near() { # ms, limit
	awk "BEGIN { exit !($1 <= $2 && -($1) <= $2) }"
}
# Set it so much ahead, and tell the time. The lines of the record go to the page.
wrong() { # name, ms, limit after, seconds to record
	local before after said recorder began asked
	$look set "$base" "$2"
	read -r began _ </proc/uptime
	$look record "$base" "$4" $every >/run/steps/record &
	recorder=$!
	pause 0.7
	before=$(off)
	# Without a limit of time, which a clock that is set forward would use up.
	read -r asked _ </proc/uptime
	say "ask time sync"
	read -r said
	said=${said%$'\r'}
	equal "time: $1: \"vmwpctl time sync\" is taken" "$said" done
	# As the host tells it every few seconds, if it is not told otherwise.
	while [ "$4" -gt 10 ] && kill -0 $recorder 2>/dev/null; do
		pause 4
		ask time sync
	done
	wait $recorder
	after=$(off)
	check "time: $1: $before ms ahead, then $after ms" near "$after" "$3"
	near "$before" "$3" && bad "time: $1: it was wrong before" "$before ms"
	say "plot $1"
	say "mark $(awk "BEGIN { print $asked - $began }") vmwpctl time sync"
	sed 's/^/@at /' /run/steps/record
}
time_steps() {
	local offset limit=4 slew=4
	group=time
	if is_ours; then by_uio timesync time; else by time hv_utils; fi
	offset=$(off)
	check "time: right from the start ($offset ms)" near "$offset" 1000
	wrong "+1 h" 3600000 $limit 4
	wrong "-1 h" -3600000 $limit 4
	wrong "+1 s" 1000 $limit 4
	wrong "-1 s" -1000 $limit 4
	# hv_utils sets the clock; vmic-timesync slews it, by 500 us in a second at most.
	if is_ours && [ "$(transport timesync)" = uio ]; then slew=20 every=250; fi
	wrong "+5 ms" 5 3 $slew
	wrong "-5 ms" -5 3 $slew
	ask time sample && ok "time: \"vmwpctl time sample\" is taken"
	if is_ours && [ "$(transport timesync)" = uio ]; then
		say "note $(tr -d '\n' </run/viridian/timesync.json)"
		journalctl -q --no-pager -o cat -u viridian-timesync | tail -n 8 | while IFS= read -r line; do
			say "note $line"
		done
	fi
}
