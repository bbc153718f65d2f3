# SPDX-License-Identifier: Apache-2.0
# bash completion of Viridian's programs, installed by the name of each. Options and verbs are what the
# program's own --help lists; only what values they take is written down here.

# The lines of a program's help: "vmwp", "vmwp run".
_viridian_help() { # word... of the command
	command "$@" --help 2>/dev/null </dev/null
}

# The options at the beginnings of lines, up to the words about them.
_viridian_options() { # word... of the command
	_viridian_help "$@" | sed -n 's/^ \{1,8\}\(-.*\)$/\1/p' | sed 's/  .*//' |
		grep -oE -e '--[a-z][a-z0-9-]*'
}

# The verbs: what begins a line after two spaces, and in a usage line stands after the program.
_viridian_verbs() { # program
	_viridian_help "$1" | sed -nE -e 's/^  ([a-z][a-z-]+)( .*|$)/\1/p' \
		-e "s/^(usage:|      ) ${1##*/} ([a-z][a-z-]+) .*/\\2/p" | sort -u | grep -vx "${1##*/}"
}

_viridian_words() { # word list, words after which an equals sign or the like is to follow: no
	local IFS=$' \t\n'
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_viridian_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

_viridian_folders() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -d -- "$cur")
}

_viridian_rules() { # those that have a test
	_viridian_words "$(command hvconform list 2>/dev/null | awk '{ print $2 }' | sort -u)"
}

# The value of an option. False: it takes none, or nothing is known of it.
_viridian_value() { # program, option
	[ "$1:${COMP_WORDS[1]-}" != hvconform:list ] || return 1 # its --host has none
	case $1:$2 in
	vmwp:--backend) _viridian_words "kvm loopback" ;;
	vmwp:--log) _viridian_words "error warning info debug" ;;
	vmwp:--on-crash) _viridian_words "exit report" ;;
	vmwp:--on-reboot) _viridian_words "reset exit" ;;
	vmwp:--serial) _viridian_words "stdio none socket: file:" ;;
	vmwp:--enlightenments) _viridian_words "all fast help" ;;
	vmwp:--services) _viridian_words "all none" ;;
	vmwpctl:--pool) _viridian_words "external guest auto auto-external" ;;
	vmwpctl:--type) _viridian_words "string expand u32 u64" ;;
	vmwpctl:--dhcp) _viridian_words "on off" ;;
	vmic-*:--transport) _viridian_words "auto device uio loopback" ;;
	vmic-*:--user) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
	vmic-heartbeat:--state) _viridian_words "unknown healthy critical stopped" ;;
	vmic-shutdown:--allow) _viridian_words "poweroff restart hibernate" ;;
	vmic-shutdown:--run) _viridian_files ;;
	hvconform:--host) _viridian_words "loopback kvm qemu" ;;
	hvconform:--guest) _viridian_words "library linux" ;;
	hvconform:--only) _viridian_rules ;;
	hvconform:--vmwp | hvconform:--json | hvconform:--junit | hvconform:--qemu | hvconform:--image | hvconform:--console | \
		hvconform:--resume | hvconform:--iso) _viridian_files ;;
	*:--sysfs | *:--proc | *:--run | *:--status-dir | *:--pools | *:--root | *:--below | \
		*:--image-copy) _viridian_folders ;;
	*:--disk | *:--dvd | *:--kernel | *:--initrd | *:--emulated-disk | *:--guest | *:--control | \
		*:--connect | *:--loopback | *:--device | *:--json-status | *:--html | *:--keep | *:--config | \
		*:--record | *:--net-config | *:--state-file)
		_viridian_files
		;;
	*:--memory | *:--ram-disk | *:--vps | *:--channels | *:--max-version | *:--heartbeat | \
		*:--time-sync | *:--spin | *:--append | *:--controller | *:--target | *:--lun | *:--reason | \
		*:--timeout | *:--interval | *:--count | *:--queue-depth | *:--wait | *:--ready-fd | \
		*:--rounds | *:--only | *:--soak | *:--mode | *:--run-timeout | *:--shm | *:--step-threshold | \
		*:--watchdog | *:--period | *:--address | *:--gateway | *:--dns | *:--limit)
		# vmic-* wait without a value
		[[ $1:$2 != vmic-*:--wait ]]
		;;
	*) return 1 ;;
	esac
}

# Drivers of the VMBus, and the classes and relids of its devices.
_viridian_vmbus() { # number of operands before
	local drivers
	case $1 in
	0) _viridian_words "$(command vmbusctl list --json 2>/dev/null |
		sed -nE 's/^ *"(class|relid)": "?([a-z0-9_]+)"?,?$/\2/p' | grep -v null)" ;;
	1)
		drivers=$(cd /sys/bus/vmbus/drivers 2>/dev/null && echo *)
		_viridian_words "$drivers"
		;;
	esac
}

# What is no option: verb and operands.
_viridian_operand() { # program, operands that stand before
	local program=$1 count
	shift
	count=$#
	case $program in
	vmwp | hvbench | hvconform | vmbusctl)
		if [ "$count" = 0 ]; then
			_viridian_words "$(_viridian_verbs "$program")"
		elif [[ $program:$1 = vmbusctl:*bind ]]; then
			_viridian_vmbus $((count - 1))
		elif [[ $program:$1 = hvconform:list || $program:$1:$count = hvconform:show:1 ]]; then
			_viridian_rules
		elif [[ $program:$1 = hvconform:@(compare|table|show) ]]; then
			_viridian_files
		fi
		;;
	vmwpctl)
		case $count in
		0) _viridian_files ;;
		1) _viridian_words "$(_viridian_verbs vmwpctl)" ;;
		*) _viridian_vmwpctl "$2" $((count - 2)) ;;
		esac
		;;
	vsc-disk | kvpfs) _viridian_folders ;;
	esac
}

_viridian_vmwpctl() { # verb, operands before
	case $1:$2 in
	attach:0) _viridian_words "disk dvd" ;;
	backup:0) _viridian_words "freeze thaw status run" ;;
	ip:0) _viridian_words "get set" ;;
	kvp:0) _viridian_words "get set delete list watch" ;;
	time:0) _viridian_words "sync sample" ;;
	attach:1 | copy:0 | backup:*) _viridian_files ;;
	copy:1) _viridian_words "guest:/" ;;
	esac
}

_viridian() {
	local program=${1##*/} cur=${COMP_WORDS[COMP_CWORD]} previous="" word i
	local operands=() command
	COMPREPLY=()
	[ "$COMP_CWORD" -lt 2 ] || previous=${COMP_WORDS[COMP_CWORD - 1]}
	if [[ $previous == --* ]] && _viridian_value "$program" "$previous"; then
		return
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $word == --* ]] && (_viridian_value "$program" "$word" >/dev/null 2>&1); then
			i=$((i + 1))
		elif [[ $word != -* ]]; then
			operands+=("$word")
		fi
	done
	command=("$1")
	case $program:${operands[0]-} in
	vmwp:run | hvconform:image) command+=("${operands[0]}") ;;
	esac
	if [[ $cur == -* ]]; then
		_viridian_words "$(_viridian_options "${command[@]}")"
	else
		_viridian_operand "$program" "${operands[@]}"
	fi
}

complete -F _viridian hvbench hvconform kvpfs lsvmbus vmbusctl vmic-fcopy vmic-heartbeat vmic-kvp vmic-shutdown \
	vmic-timesync vmic-vss vmwp vmwpctl vsc-disk
