# Backups of a guest that writes. Sourced by main. Nothing here writes to a disk while they are frozen.

is_writable() { timeout 5 sh -c 'echo text >/var/tmp/probe && sync /var/tmp/probe'; }
backup_steps() {
	local fio
	group=backup
	is_ours || by backup hv_vss_daemon
	say "note $(words 'VSS IC version' | tail -n 1)"
	check "backup: a scratch disk" eval 'mkfs.ext4 -qF -E lazy_itable_init=0 "$(disk 1)" && mkdir -p /mnt/scratch &&
		mount "$(disk 1)" /mnt/scratch'
	fio --name=busy --directory=/mnt/scratch --rw=randwrite --bsrange=4k-64k --size=24M --fsync=16 --time_based \
		--runtime=25 --verify=crc32c --do_verify=1 --verify_fatal=1 --ioengine=libaio --iodepth=8 --eta=never \
		>/run/steps/fio 2>&1 &
	fio=$!
	within 20 eval '[ "$(stat -c %s /mnt/scratch/busy.0.0 2>/dev/null || echo 0)" -gt 0 ]'
	pause 2
	ask_seconds=120
	ask backup-run && ok "backup: freeze during fio, copies, thaw ($answer)"
	ask backup-check scratch && equal "backup: e2fsck of the scratch disk's copy at the freeze point" "$answer" clean
	ask backup-check root && equal "backup: e2fsck of the root disk at the freeze point" "$answer" clean
	ask backup-check journal && equal "backup: the copy's journal is empty" "$answer" clean
	ask backup-check files && equal "backup: the copy has fio's file" "$answer" "Size: 25165824"
	ask_seconds=60
	if wait $fio; then
		ok "backup: fio goes on, and its data are right"
	else
		bad "backup: fio" "$(tail -n 3 /run/steps/fio | tr '\n' ' ')"
	fi
	check "backup: thawed, the root can be written to" is_writable
	ask asked backup thaw && ok "backup: thaw of nothing is no failure"
	killed_in backup freeze backup freeze
	check "backup: after a kill during the freeze the root can be written to" within 20 is_writable
	if is_ours; then
		local pid
		pid=$(pid_of backup)
		ask asked backup freeze
		kill -9 "$pid"
		check "backup: killed while frozen: all is thawed" within 20 is_writable
		ask expect-refusal backup thaw && say "note thaw: $answer"
		contact 40 backup && ok "backup: killed while frozen: the host has contact again" ||
			bad "backup: killed while frozen" "no contact again"
		journalctl -q --no-pager -o cat -u viridian-vss | tail -n 6 | while IFS= read -r line; do say "note $line"; done
	fi
	ask_seconds=120
	ask backup-run && ok "backup: and the next one works ($answer)"
	ask_seconds=60
	umount /mnt/scratch
}
