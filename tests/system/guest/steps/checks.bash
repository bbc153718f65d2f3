# The checks of a guest, one function each, in the order in which "main" calls them.
# Sourced by bash after talk.bash.

# ---- the kernel and its hypervisor -------------------------------------------------------------------
check_boot() {
	local line
	for line in 'Hypervisor detected: ' 'Hyper-V: privilege flags' 'Vmbus version:' \
		'scsi host[0-9]+: storvsc' 'Heartbeat IC version'; do
		words "$line" | head -n 1 | while read -r line; do say "note $line"; done
	done
	check "boot: the kernel says Hypervisor detected: Microsoft Hyper-V" \
		eval 'words "Hypervisor detected: Microsoft Hyper-V" | grep -q .'
	check "boot: VMBus is connected" eval 'words "Vmbus version:[0-9]" | grep -q .'
	equal "boot: processors" "$(nproc)" "$vps"
	check "boot: the heartbeat component is there" \
		eval 'words "Heartbeat IC version" | grep -q .'
	if ask heartbeat; then
		check "boot: heartbeats are answered ($answer)" [ "$answer" -gt 0 ]
	fi
	check "boot: the system is up" eval 'systemctl is-active -q multi-user.target ||
		[ "$(systemctl is-system-running)" = starting ]'
	equal "boot: units that failed" "$(systemctl --failed --no-legend --plain | awk '{print $1}')" ""
}
check_root() {
	local source host
	source=$(findmnt -no SOURCE /)
	say "note root $(findmnt -no SOURCE,FSTYPE,OPTIONS /)"
	equal "root: it is our first disk" "$source" "$(disk 0)"
	host=$(readlink -f "/sys/block/${source#/dev/}/device" | grep -o 'host[0-9]*' | head -n 1)
	equal "root: its driver" "$(cat "/sys/class/scsi_host/$host/proc_name")" storvsc_host
	check "root: it can be written to" eval 'date >/var/tmp/written && sync /var/tmp/written'
}
check_clocksource() {
	local source
	source=$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)
	say "note clock source $source"
	case $source in
	hyperv_clocksource_tsc_page | tsc) ok "clock: its source is $source" ;;
	*) bad "clock: its source" "$source" ;;
	esac
}

# ---- what disks say of themselves --------------------------------------------------------------------
# Logical units: 0 root, 1 scratch, 2 read-only, 3 with blocks of 4096 bytes. Sizes are in the config.
vpd() { sg_vpd "$@" 2>&1; }
check_disks() {
	local lun name
	for lun in 0 1 2 3; do
		name="disks: LUN $lun"
		[ -n "$(disk $lun)" ] || {
			bad "$name" "there is none"
			continue
		}
		local dev block=512 ro=0 last
		dev=$(disk $lun)
		[ $lun != 3 ] || block=4096
		[ $lun != 2 ] || ro=1
		local bytes_name=bytes$lun
		equal "$name: size" "$(blockdev --getsize64 "$dev")" "${!bytes_name}"
		equal "$name: block size" "$(blockdev --getss "$dev")" $block
		equal "$name: read-only" "$(blockdev --getro "$dev")" $ro
		last=$(sg_readcap "$dev" | sed -n 's/.*Last LBA=\([0-9]*\).*/\1/p')
		equal "$name: sg_readcap" "$last" $((${!bytes_name} / block - 1))
		last=$(sg_readcap --long --readonly "$dev" | sed -n 's/.*Last LBA=\([0-9]*\).*/\1/p')
		equal "$name: sg_readcap --long" "$last" $((${!bytes_name} / block - 1))
		equal "$name: sysfs size agrees" \
			$(($(cat "/sys/block/${dev#/dev/}/size") * 512)) "${!bytes_name}"
	done
	check "disks: the read-only one cannot be written" \
		eval '! dd if=/dev/zero of="$(disk 2)" bs=4096 count=1 oflag=direct status=none'
	check "disks: its contents" eval \
		'[ "$(sha256sum <"$(disk 2)" | cut -d" " -f1)" = "$sum2" ]'
}
check_identity() {
	local dev serial page
	dev=$(disk 1)
	equal "identity: vendor" "$(xargs <"/sys/block/${dev#/dev/}/device/vendor")" Msft
	equal "identity: model" "$(xargs <"/sys/block/${dev#/dev/}/device/model")" "Virtual Disk"
	check "identity: sg_inq agrees" eval 'sg_inq "$dev" |
		grep -q "Vendor identification: Msft" && sg_inq "$dev" |
		grep -q "Product identification: Virtual Disk"'
	serial=$(vpd --page=sn "$dev" | sed -n 's/.*serial number: *//p' | xargs)
	check "identity: a serial number" [ -n "$serial" ]
	equal "identity: sg_inq gives the same serial number" \
		"$(sg_inq --page=sn "$dev" | sed -n 's/.*serial number: *//p' | xargs)" "$serial"
	equal "identity: each disk its own serial number" "$(for dev in $(disk 0) $(disk 1) $(disk 2) \
		$(disk 3); do vpd --page=sn "$dev" | sed -n 's/.*serial number: *//p'; done |
		sort | uniq -d)" ""
	equal "identity: each disk its own name (VPD 83h)" "$(for dev in $(disk 0) $(disk 1) $(disk 2) \
		$(disk 3); do sg_vpd --page=di -q "$dev"; done | grep -i '^ *0x6' | sort | uniq -d)" ""
	for page in sv sn di bl bdc lbpv; do
		check "identity: VPD page $page" vpd --page=$page "$dev"
	done
	check "identity: VPD 83h has an NAA designator" eval 'vpd --page=di "$dev" | grep -q NAA'
	check "identity: thin provisioning with UNMAP" \
		eval 'vpd --page=lbpv "$dev" | grep -Eq "LBPU\): *1|LBPU=1"'
	check "identity: a page that is not there is refused" eval '! sg_vpd --page=0xb5 "$dev"'
	check "identity: sg_turs" sg_turs "$dev"
	check "identity: sg_luns" sg_luns "$dev"
	check "identity: sg_modes" sg_modes -a "$dev"
}
check_reset() {
	local dev
	dev=$(disk 1)
	check_dmesg
	check "reset: sg_reset --host" sg_reset --host "$dev"
	check "reset: the disk works afterwards" dd if="$dev" of=/dev/null bs=64k count=16 \
		iflag=direct status=none
	# Each disk now says once that it was reset, and its driver passes that on.
	for dev in $(disk 0) $(disk 1) $(disk 2) $(disk 3); do
		sg_turs "$dev" || :
	done >/dev/null 2>&1
	forgive
}

# ---- I/O ---------------------------------------------------------------------------------------------
run_fio() { # name, more options...
	local name=$1
	shift
	fio --name="$name" --filename="$(disk 1)" --rw=randwrite --bsrange=4k-64k --size=64M \
		--offset_increment=64M --io_size="$fio_size" --numjobs="$vps" \
		--cpus_allowed="0-$((vps - 1))" --cpus_allowed_policy=split --group_reporting --iodepth=32 --ioengine=libaio --direct=1 --verify=crc32c \
		--verify_fatal=1 --do_verify=1 --verify_state_save=0 --randrepeat=0 --eta=never "$@"
}
interrupts_of_channels() {
	local channel
	for channel in "$(controller)"/channels/*; do
		cat "$channel/interrupts"
	done
}
check_fio() {
	local channels busy cpu
	channels=$(ls "$(controller)/channels" | wc -l)
	equal "fio: channels of the controller" "$channels" $((vps < 4 ? vps : 4))
	check "fio: --verify=crc32c, depth 32" run_fio verify
	# Which processor hands in what fio asks for is the guest's business; a read that is alone is its own.
	for ((cpu = 0; cpu < vps; cpu++)); do
		check "fio: processor $cpu reads" taskset -c $cpu \
			dd if="$(disk 1)" of=/dev/null bs=4k count=8 iflag=direct
	done
	busy=$(interrupts_of_channels | awk '$1 > 0' | wc -l)
	equal "fio: channels that had interrupts" "$busy" "$channels"
	check "fio: flush" sync "$(disk 1)"
}
check_unmap() {
	local dev before
	dev=$(disk 1)
	dd if=/dev/urandom of="$dev" bs=1M count=8 seek=192 oflag=direct status=none
	ask used 1 && before=$answer
	check "unmap: sg_unmap" sg_unmap --lba=$((192 * 2048)) --num=$((8 * 2048)) --force "$dev"
	blockdev --flushbufs "$dev"
	check "unmap: it reads as zeroes" \
		cmp -n $((8 * 1048576)) -i $((192 * 1048576)):0 "$dev" /dev/zero
	if ask used 1; then
		check "unmap: the image has a hole ($before KiB, then $answer KiB)" \
			[ $((before - answer)) -ge 7168 ]
	fi
}
check_trim() {
	local dev before
	dev=$(disk 1)
	check "trim: mkfs.ext4" mkfs.ext4 -qF -E lazy_itable_init=0 "$dev"
	mkdir -p /mnt/trim
	check "trim: mount" mount "$dev" /mnt/trim
	dd if=/dev/urandom of=/mnt/trim/file bs=1M count=32 conv=fsync status=none
	ask used 1 && before=$answer
	rm /mnt/trim/file
	sync -f /mnt/trim
	check "trim: fstrim" fstrim /mnt/trim
	if ask used 1; then
		check "trim: the image has holes ($before KiB, then $answer KiB)" \
			[ $((before - answer)) -ge 30000 ]
	fi
	umount /mnt/trim
	check "trim: the file system is clean" fsck.ext4 -fn "$dev"
}

# ---- hot plug ----------------------------------------------------------------------------------------
check_hotplug() {
	check_dmesg
	hotplug
	# A disk taken away while it is in use cannot have its cache flushed; its driver says so.
	forgive
}
hotplug() {
	local dev sum
	ask attach disk 5 || return
	if within 20 has_disk 5; then
		ok "hotplug: a new disk is seen"
		dev=$(disk 5)
		equal "hotplug: its size" "$(blockdev --getsize64 "$dev")" 16777216
		dd if=/dev/urandom of="$dev" bs=1M count=4 oflag=direct status=none
		sync "$dev"
		sum=$(head -c 4M "$dev" | sha256sum | cut -d' ' -f1)
		ask sum 5 4194304 && equal "hotplug: what is written arrives in the image" "$answer" "$sum"
		ask detach 5 && check "hotplug: it vanishes" within 20 no_disk 5
	else
		bad "hotplug: a new disk is seen" "not within 20 s"
	fi
	ask attach dvd 6 || return
	if within 20 has_disk 6; then
		ok "hotplug: a DVD is seen"
		dev=$(disk 6)
		equal "hotplug: its name" "${dev%[0-9]}" /dev/sr
		within 5 test "$(blockdev --getsize64 "$dev")" = 4194304
		equal "hotplug: its size" "$(blockdev --getsize64 "$dev")" 4194304
		sum=$(sha256sum <"$dev" | cut -d' ' -f1)
		ask sum 6 4194304 && equal "hotplug: its contents" "$sum" "$answer"
		ask detach 6 && check "hotplug: it vanishes too" within 20 no_disk 6
	else
		bad "hotplug: a DVD is seen" "not within 20 s"
	fi
}

# ---- a host that stops for a while -------------------------------------------------------------------
check_stop() {
	local began ended fio
	run_fio stopped >/tmp/fio 2>&1 &
	fio=$!
	read -r began _ </proc/uptime
	ask stop 5 || return
	read -r ended _ </proc/uptime
	if wait $fio; then
		ok "stop: fio goes on after 5 s without a host"
	else
		bad "stop: fio goes on after 5 s without a host" "$(tail -n 3 /tmp/fio | tr '\n' ' ')"
	fi
	check "stop: the guest's clock went on ($began, then $ended)" \
		awk "BEGIN { exit !($ended - $began >= 4.5) }"
}

# ---- our own tools, where they are -------------------------------------------------------------------
check_tools() {
	[ -x /run/viridian/vmbusctl ] || return
	check "tools: vmbusctl list shows the controller and the heartbeat" eval '
		/run/viridian/vmbusctl list >/tmp/list 2>&1 && grep -qi scsi /tmp/list &&
		grep -qi heartbeat /tmp/list || { cat /tmp/list && false; }'
	check "tools: vmbusctl list --json shows the drivers" eval '
		/run/viridian/vmbusctl list --json >/tmp/list 2>&1 && grep -q hv_storvsc /tmp/list &&
		grep -q hv_utils /tmp/list || { cat /tmp/list && false; }'
}

# ---- what the kernel complains about -----------------------------------------------------------------
# Not what a processor says that others use too (stalls, soft lockups), and not that a LUN came or went.
serious='hv_|hyper-?v|vmbus|storvsc|clocksource|kernel BUG|Oops|general protection|unchecked MSR'
serious="$serious|sd [0-9]+:|I/O error|blocked for more"
complaints_from=1 # line of the kernel's log; what comes before was provoked
complaints() {
	dmesg --level=emerg,alert,crit,err,warn | tail -n +$complaints_from |
		grep -Ei "$serious" | grep -Ev 'Attached SCSI|LUN assignments on this'
}
forgive() { complaints_from=$(($(dmesg --level=emerg,alert,crit,err,warn | wc -l) + 1)); }
check_dmesg() {
	equal "dmesg: warnings of hv_ drivers" "$(complaints | head -n 3 | tr '\n' ';')" ""
}
