# What the scripts of the rig and of guest images share: the cache, progress, locks.
# Sourced by bash. Sets $cache; nothing in it is needed to build, and it may be deleted at any time.
#	VIRIDIAN_CACHE=DIR	where kernels and images are kept (else ~/.cache/viridian)

cache=${VIRIDIAN_CACHE:-${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/viridian}
me=${0##*/}
PATH=$PATH:/sbin:/usr/sbin

fail() { # why
	echo "$me: $*" >&2
	exit 1
}

# Run a command, silent unless it takes long or fails.
patiently() { # what it does, command...
	local text=$1 began=$SECONDS log status=0 pid
	shift
	log=$(mktemp)
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		if [ $((SECONDS - began)) -ge 2 ]; then
			if [ -t 2 ]; then
				printf '\r%s: %s (%d s) ' "$me" "$text" $((SECONDS - began)) >&2
			elif [ -n "$text" ]; then
				echo "$me: $text" >&2
				text=""
			fi
		fi
		read -rt 0.1 <> <(:) || :
	done
	wait $pid || status=$?
	[ ! -t 2 ] || printf '\r\033[K' >&2
	if [ $status -ne 0 ]; then
		tail -n 15 "$log" | sed 's/^/  | /' >&2
		echo "$me: failed: ${*:1:3}" >&2
	fi
	rm -f "$log"
	return $status
}

# One builder at a time; another that waits then finds the thing made.
alone() { # name of what is made
	mkdir -p "$cache" 2>/dev/null || fail "cannot make $cache; set VIRIDIAN_CACHE to a folder to keep images in"
	exec 8>"$cache/$1.lock"
	flock -n 8 || patiently "waiting for another run that makes $1" flock 8
}

# A word that changes with anything that these files and words say.
fingerprint() { # FILE... -- WORD...
	local files=()
	while [ "$1" != -- ]; do
		files+=("$1")
		shift
	done
	{
		cat "${files[@]}"
		printf '%s\n' "$@"
	} | sha256sum | cut -c1-12
}

# What has not been used for a fortnight, and can be made again.
forget_old() { # folder whose entries are used with "touch"
	find "$1" -mindepth 1 -maxdepth 1 -mtime +14 -exec rm -rf {} + 2>/dev/null || :
}
