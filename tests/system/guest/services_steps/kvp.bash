# Key-value pairs and addresses, through the kernel's device and a daemon. Sourced by main.

pools=/var/lib/hyperv
KEYS=${keys:-2000}
# Pairs of a pool's file: "key=value" lines. A record is a key of 512 bytes and a value of 2048; what is
# behind their NULs is whatever the daemon had in its memory.
text() { # pool, block, blocks
	dd if="$pools/.kvp_pool_$1" bs=512 skip="$2" count="$3" 2>/dev/null | tr '\0' '\n' | head -n 1
}
pairs() { # pool
	local i count
	count=$(($(stat -c %s "$pools/.kvp_pool_$1") / 2560))
	for ((i = 0; i < count; i++)); do
		printf '%s=%s\n' "$(text "$1" $((5 * i)) 1)" "$(text "$1" $((5 * i + 1)) 4)"
	done
}
value_is() { # name, pool, key, should be
	ask kvp-value "$2" "$3" && equal "$1" "$answer" "$4"
}
kvp_steps() {
	local i long_key long_value
	group=kvp
	is_ours || by kvp "hv_kvp_daemon"
	say "note $(words 'KVP IC version' | tail -n 1)"
	ask kvp-list auto && equal "kvp: pool auto has ten pairs" "$answer" 10
	value_is "kvp: OSBuildNumber is the kernel's" auto OSBuildNumber "$(uname -r)"
	value_is "kvp: ProcessorArchitecture is the kernel's" auto ProcessorArchitecture "$(uname -m)"
	ask asked kvp set --pool external greeting hello &&
		check "kvp: a pair that the host sets is in the daemon's file" eval 'pairs 0 | grep -x greeting=hello'
	value_is "kvp: and the host reads it" external greeting hello
	ask asked kvp set --pool external greeting abcdefghijklmnop
	value_is "kvp: a pair is changed" external greeting abcdefghijklmnop
	ask asked kvp set --pool external number 4294967295 --type u32
	ask kvp-value external number && say "note u32 4294967295 comes back as \"$answer\""
	ask asked kvp set --pool external number 18446744073709551615 --type u64
	ask kvp-value external number && say "note u64 18446744073709551615 comes back as \"$answer\""
	ask asked kvp delete --pool external number
	ask asked kvp delete --pool external greeting &&
		check "kvp: a pair is deleted" eval '! pairs 0 | grep greeting'
	ask expect-refusal "kvp delete --pool external greeting" &&
		check "kvp: and cannot be deleted again ($answer)" grep -q 'no pair' <<<"$answer"

	# both ways, many, and long
	ask_seconds=400
	ask kvp-fill "$KEYS" && equal "kvp: $KEYS pairs are set by the host" "$answer" "$KEYS"
	equal "kvp: the daemon's file has them" $(($(stat -c %s $pools/.kvp_pool_0) / 2560)) "$KEYS"
	ask kvp-list external && equal "kvp: the host lists them" "$answer" "$KEYS"
	ask kvp-same external key value "$KEYS" && equal "kvp: and they are what they were" "$answer" same
	for ((i = 0; i < KEYS; i++)); do
		printf '%-512s%-2048s' "guest$i" "of-guest$i"
	done | tr ' ' '\0' >/run/steps/pool
	cat /run/steps/pool >>$pools/.kvp_pool_1
	ask kvp-list guest && equal "kvp: $KEYS pairs that the guest writes are listed by the host" "$answer" "$KEYS"
	ask kvp-same guest guest of-guest "$KEYS" && equal "kvp: and they are what they were" "$answer" same
	ask_seconds=60
	# 512 and 2048 bytes with their ends. On the way to the host hv_utils leaves room for one more.
	ask kvp-longest 254 1022 && equal "kvp: the longest key and value that hv_utils lets through come back as they were" "$answer" same
	long_key=$(printf 'k%.0s' {1..255}) long_value=$(printf 'v%.0s' {1..1023})
	ask kvp-longest 255 1023 && say "note 255 and 1023 come back: $answer"
	check "kvp: the longest key and value of a message are in the daemon's file" eval '
		[ "$(text 0 $((5 * KEYS + 5)) 1)" = "$long_key" ] && [ "$(text 0 $((5 * KEYS + 6)) 4)" = "$long_value" ]'
	say "note host's pool: $(pairs 3 | tr '\n' ' ')"
	killed_in kvp set kvp set --pool external never set
	killed_in kvp list kvp list --pool external
	value_is "kvp: the pairs have outlived the daemon" external "key$((KEYS - 1))" "value$((KEYS - 1))"
}

# An adapter that stands for a synthetic one: its MAC is enough to get addresses. To set them the daemons look
# for an instance of the VMBus behind it.
mac=00:15:5d:01:02:03 guid=f8615163-0001-1000-2000-00155d010203
synthetic_net() { # what /sys/class/net would say
	local interface
	mkdir -p /run/steps/net
	for interface in /sys/class/net/*; do
		ln -s "$(readlink -f "$interface")" "/run/steps/net/${interface##*/}"
	done
	rm /run/steps/net/nic0
	mkdir -p /run/steps/net/nic0/device
	cp /sys/class/net/nic0/{address,ifindex,mtu,flags,type} /run/steps/net/nic0/
	echo "{f8615163-df3e-46c5-913f-f2d2f965ed0e}" >/run/steps/net/nic0/device/class_id
	echo "{$guid}" >/run/steps/net/nic0/device/device_id
	mount --bind /run/steps/net /sys/class/net
}
ip_addr() { ip -o addr show dev nic0 | awk '{print $4}' | grep -v '^fe80' | LC_ALL=C sort | xargs; }
ip_steps() {
	group=ip
	is_ours || by ip "hv_kvp_daemon"
	check "ip: an adapter of its own" ip link add nic0 address $mac type veth peer name nic1
	udevadm settle # which may give it another address
	ip link set nic0 address $mac
	ip link set nic0 up
	ip link set nic1 up 2>/dev/null
	ip addr add 192.0.2.7/24 dev nic0
	ip addr add 2001:db8::7/64 dev nic0 nodad
	within 10 eval '! ip -o addr show dev nic0 | grep -q tentative'
	ask_seconds=60
	ask ip-get "${mac^^}" &&
		equal "ip: what the host gets is what ip addr says" "$answer" \
			"$(ip_addr)"
	ask expect-refusal "ip get 00:15:5D:00:00:01" &&
		check "ip: get of an adapter that is not there is refused ($answer)" grep -q refuses <<<"$answer"
	if is_ours; then
		synthetic_net
		ask asked ip set $guid --timeout 40 --address 192.0.2.9/24 --address 2001:db8::9/64 --gateway 192.0.2.1 &&
			check "ip: set by the host" eval 'ip -o addr show dev nic0 | grep -qwF 192.0.2.9/24 &&
				ip -o addr show dev nic0 | grep -qwF 2001:db8::9/64 && ip route | grep -q "default via 192.0.2.1"'
		ask ip-get "${mac^^}" && equal "ip: what the host gets then is what ip addr says" "$answer" \
			"$(ip_addr)"
		journalctl -q --no-pager -o cat -t viridian-net-config | tail -n 3 |
			while IFS= read -r line; do say "note $line"; done
		umount /sys/class/net
	else
		# Debian's package has no hv_set_ifconfig: the host is told that it failed.
		ask expect-refusal "ip set $guid --address 192.0.2.9/24" && say "note ip set: $answer"
	fi
	killed_in kvp "ip get" ip get "${mac^^}"
	ip link del nic0
}
