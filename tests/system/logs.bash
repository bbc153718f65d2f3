# A folder for the logs of this run alone: two runs in one tree do not share it. Sourced by bash from the
# top of the tree.

# Sets $logs to FOLDER/TIME-PID, and points FOLDER/latest there. Runs that are over go, but for the last
# three; one that is under way is known by the lock that it and its programs hold.
logs_begin() { # folder below $B
	local base=$PWD/$B/$1 old
	logs=$base/$(date +%H%M%S)-$$
	mkdir -p "$logs" || exit 1
	exec {logs_lock}<"$logs"
	flock -s "$logs_lock"
	ln -sfn "${logs##*/}" "$base/latest.$$" && mv -T "$base/latest.$$" "$base/latest"
	find "$base" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort -rn | tail -n +4 |
		while read -r _ old; do
			flock -n "$old" rm -rf "$old"
		done
}
