# Numbered steps with their results and times, for the demonstrations. Sourced by bash.
#	VIRIDIAN_TERMINAL=1|""	whether the screen at the far end is a terminal, if standard output is
#				not the way to know
#	step			number of the last step, if others came before
#	logs_of			log files whose last lines say why a step failed

is_terminal=""
[ ! -t 1 ] || is_terminal=1
is_terminal=${VIRIDIAN_TERMINAL-$is_terminal}
step=${step:-0}
logs_of=()
# One demonstration at a time for each build: they write to one folder of logs.
demonstration_alone() {
	exec 7>"$B/run.lock"
	flock -n 7 && return
	echo "another make run is under way with $PWD/$B: wait for its end, or use another clone" >&2
	exit 1
}
step_begin() { # what it does
	step=$((step + 1))
	step_text=$1
	step_time=$(date +%s%N)
	[ -z "$is_terminal" ] || printf '%2d  %-52s ' "$step" "$step_text"
}
step_end() { # result
	local ms=$((($(date +%s%N) - step_time) / 1000000))
	[ -z "$is_terminal" ] || printf '\r\033[K'
	printf '%2d  %-52s ok  %5d ms  %s\n' "$step" "$step_text" "$ms" "$1"
}
fail() { # why
	local file
	[ -z "$is_terminal" ] || printf '\r\033[K'
	printf '%2d  %-52s FAILED: %s\n' "$step" "$step_text" "$1"
	for file in "${logs_of[@]}"; do
		[ -s "$file" ] && echo "    last lines of $file:" && tail -n 5 "$file" | sed 's/^/      | /'
	done
	exit 1
}
