# Packages, installed while the guest runs, without a network: what they depend on is there.
# Sourced by main.

install() { # file...
	DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Dpkg::Use-Pty=0 -o APT::Sandbox::User=root \
		install --no-install-recommends "$@" </dev/null
}
# What a package may leave behind: files, users, units. Not what any use of dpkg writes.
system_state() {
	find / -xdev \( -path /tmp -o -path /var/cache -o -path /var/log -o -path /var/lib/dpkg -o -path /var/lib/apt \
		-o -path /var/tmp -o -path /var/lib/systemd -o -name '*-' -o -path /etc/.pwd.lock -o -path /mnt \) -prune \
		-o -printf '%p %y %m %u %g\n' | sort
	find /dev/vmbus /dev/uio* -printf '%p %y %m %u %g\n' 2>/dev/null | sort
	find /run/systemd/system /run/udev/rules.d /run/viridian /run/lock -printf '%p %y %m %u %g\n' 2>/dev/null | sort
	sort /etc/passwd /etc/group
	systemctl list-units --all --plain --no-legend 'viridian-*' 'hv-*' | awk '{print $1}'
	grep . /sys/bus/vmbus/devices/*/driver_override 2>/dev/null | grep -v '(null)'
}
package_theirs() {
	group=package
	check "package: hyperv-daemons is installed by apt" install ./hyperv-daemons_*.deb
	say "note hyperv-daemons $(dpkg-query -W -f '${Version}' hyperv-daemons)"
	by package "$(dpkg-query -W -f '${Version}' hyperv-daemons)"
	daemons_ready
}
daemons_ready() {
	local component
	for component in kvp backup copy; do
		has_daemon $component || continue
		group=$component
		if contact 60 $component; then
			ok "$component: its daemon serves the host after the installation"
		else
			bad "$component: its daemon after the installation" "$(systemctl --no-pager --lines 3 status "$(unit_of $component)" 2>&1 | tail -n 3 | tr '\n' ' ')"
		fi
	done
}
# Our package, in the place of theirs.
package_install() {
	group=package
	rm -rf /run/viridian
	rm -f /etc/systemd/system/systemd-tmpfiles-setup.service
	systemctl daemon-reload
	system_state >/run/steps/before
	check "package: hyperv-daemons is there first" dpkg -i ./hyperv-daemons_*.deb
	check "package: viridian-guest is installed by apt" install ./viridian-guest_*.deb
	version=$(dpkg-query -W -f '${Version}' viridian-guest)
	by package "$version"
	check "package: hyperv-daemons is gone" [ ! -e /usr/sbin/hv_kvp_daemon ]
	check "package: none of its daemons runs" eval '! pgrep "^hv_(kvp|vss|fcopy)_daemo"'
	daemons_ready
	check "package: vmbusctl status" vmbusctl status
	vmbusctl status 2>&1 | while IFS= read -r line; do say "note $line"; done
	equal "package: units that failed" "$(systemctl list-units --failed --no-legend --plain 'viridian-*' | awk '{print $1}')" ""
	by kvp "vmic-kvp ($(transport kvp))"
	by ip "vmic-kvp ($(transport kvp))"
	by backup "vmic-vss ($(transport vss))"
	by copy "vmic-fcopy ($(transport fcopy))"
}
transport() { # stem
	sed -n 's/.*"transport": *"\([^"]*\)".*/\1/p' "/run/viridian/$1.json" 2>/dev/null | head -n 1
}
# A component of hv_utils that our daemon is to have. Says who has it in the end.
by_uio() { # stem, service
	group=$2
	if vmbusctl bind "$1" uio_hv_generic >/run/steps/bind 2>&1; then
		check "$2: bound to UIO, vmic-$1 serves it" within 20 eval '[ "$(transport '"$1"')" = uio ]'
		if contact 30 "$2"; then
			ok "$2: bound to UIO, the host has contact"
		else
			bad "$2: bound to UIO" "the host has no contact: $(journalctl -q --no-pager -n 3 -u "viridian-$1" | tr '\n' ' ')"
		fi
		by "$2" "vmic-$1 (uio)"
		return 0
	fi
	say "note $1: $(tail -n 1 /run/steps/bind)"
	case $(uname -r) in
	6.1.*) # its uio_hv_generic wants a device with a monitor page
		vmbusctl bind "$1" >/run/steps/bind 2>&1
		contact 30 "$2" && ok "$2: UIO is refused by this kernel, and hv_utils has it again" ||
			bad "$2: back to hv_utils" "$(tail -n 1 /run/steps/bind)"
		;;
	*) bad "$2: bind to UIO" "$(tail -n 1 /run/steps/bind)" ;;
	esac
	by "$2" "hv_utils"
	return 1
}
heartbeat_steps() {
	group=heartbeat
	if is_ours; then by_uio heartbeat heartbeat; else by heartbeat hv_utils; fi
	ask heartbeat-twice && check "heartbeat: answers come ($answer in 2 s)" [ "$answer" -ge 2 ]
}
package_steps() {
	local stem stems="heartbeat shutdown timesync kvp vss fcopy" score pid
	group=package
	# shellcheck disable=SC2046 # words
	systemd-analyze --no-pager security $(printf 'viridian-%s.service ' $stems) 2>/run/steps/exposure-said |
		sed -n 's/.*exposure level for viridian-\([a-z]*\)[^:]*: *\([0-9.]*\).*/\1 \2/p' >/run/steps/exposure
	for stem in $stems; do
		score=$(sed -n "s/^$stem //p" /run/steps/exposure)
		check "package: systemd-analyze security of viridian-$stem: ${score:-none}" \
			awk "BEGIN { exit !(${score:-9} <= 2.0) }"
	done
	pid=$(pid_of kvp)
	check "package: it is installed again, over itself" install --reinstall ./viridian-guest_*.deb
	check "package: the daemons are started again by that" within 30 eval '[ "$(pid_of kvp)" != '"$pid"' ] && [ "$(pid_of kvp)" != 0 ]'
	if contact 60 kvp backup copy; then
		ok "package: installed again, the host has contact with all"
	else
		bad "package: installed again" "contact with $answer of 3"
	fi
	check "package: apt purge" env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Dpkg::Use-Pty=0 purge viridian-guest hyperv-daemons
	check "package: none of our processes is left" eval '! pgrep -l "^vmic-|^vss-|viridian"'
	within 10 eval '[ -z "$(systemctl list-units --all --plain --no-legend "viridian-*" | grep -v "^viridian.service")" ]'
	system_state >/run/steps/after
	check "package: purge leaves the system as it was" diff /run/steps/before /run/steps/after
	diff /run/steps/before /run/steps/after | head -n 20 | while IFS= read -r line; do say "note $line"; done
	if contact 30 heartbeat time; then
		ok "package: purged, hv_utils has heartbeat and time again"
	else
		bad "package: purged" "hv_utils has $answer of 2"
	fi
	check "package: it is installed once more" install ./viridian-guest_*.deb
	contact 60 kvp backup copy && ok "package: and serves" || bad "package: installed once more" "contact with $answer of 3"
}
package_after_reboot() {
	group=package
	if contact 60 kvp backup copy; then
		ok "package: the daemons serve after a restart"
	else
		bad "package: after a restart" "contact with $answer of 3; $(systemctl --failed --plain --no-legend | tr '\n' ' ')"
	fi
	journalctl -q --no-pager -o cat -t vmic-kvp -t vmic-vss -t vmic-fcopy | tail -n 12 | while IFS= read -r line; do
		say "note $line"
	done
}
