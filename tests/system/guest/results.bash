# What a test does with its guest's results, and with checks of its own: a line each, and counts. Sourced by bash
# after host.bash.
passed=0 failed=0 skipped=0
on_ok() {
	passed=$((passed + 1))
	echo "ok    $*"
}
on_fail() { # name and why
	failed=$((failed + 1))
	echo "FAIL  $*"
}
on_skip() {
	skipped=$((skipped + 1))
	echo "SKIP  $*"
}
on_note() { echo "      $*"; }
check() { # name, command...
	local name=$1
	shift
	if "$@" >"$work/said" 2>&1; then
		on_ok "$name"
	else
		on_fail "$name: $* $(tail -n 2 "$work/said" | tr '\n' ' ')"
	fi
}
# The last lines of console and log, if anything failed; then the counts.
results() { # name of the log's program
	if [ "$failed" -gt 0 ]; then
		echo "      last lines of the console:"
		tail -n 12 "$console" | sed 's/^/      | /'
		echo "      last lines of $1:"
		tail -n 12 "$log" | sed 's/^/      | /'
	fi
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}
