# Files copied into the guest. Sourced by main.

copy_steps() {
	local into=/var/lib/viridian/fcopy
	group=copy
	has_daemon copy || {
		say "skip copy: hv_utils has no file copy since Linux 6.10, and Debian 12's daemon knows no other way"
		return
	}
	is_ours || {
		into=/var/tmp
		by copy hv_fcopy_daemon
	}
	ask_seconds=600
	ask copy "$into/data" && ok "copy: $answer"
	ask copy-sum && equal "copy: it is the same" "$(sha256sum <"$into/data" | cut -d' ' -f1)" "$answer"
	rm -f "$into/data"
	ask_seconds=60
	ask copy-refused /none/there/file && say "note to a directory that is not there: $answer"
	if is_ours; then
		check "copy: a directory that is not allowed is refused ($answer)" grep -q 'does not allow' <<<"$answer"
	fi
	killed_in copy "a copy" copy-big "$into/big"
	ls -A "$into" | while IFS= read -r line; do say "note in $into after a kill: $line"; done
	if is_ours; then
		check "copy: nothing is left of it" within 10 eval '[ -z "$(ls -A '"$into"')" ]'
	fi
	rm -f "$into/big"
	ask copy-little "$into/little" && check "copy: the next one works" [ -s "$into/little" ]
	rm -f "$into/little"
	is_ours && journalctl -q --no-pager -o cat -t vmic-fcopy | tail -n 6 | while IFS= read -r line; do say "note $line"; done
}
