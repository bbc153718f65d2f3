# Making initramfs images; sourced after common.bash. Needs a static busybox.

busybox_find() { # sets $busybox
	busybox=$(command -v busybox) || fail "busybox is missing; run tests/tools/deps guest"
	if ldd "$busybox" >/dev/null 2>&1; then
		fail "$busybox is not static; install the package busybox-static"
	fi
}

# Copy modules and what they need, unpacked, with new tables. Names that the kernel does not have,
# or has built in, are left out.
modules_copy() { # kernel folder, root folder, module...
	local kernel=$1 root=$2 version from to
	shift 2
	version=${kernel##*/}
	from=$kernel/lib/modules/$version
	to=$root/lib/modules/$version
	mkdir -p "$to"
	{ modprobe -a -d "$kernel" -S "$version" --show-depends "$@" 2>/dev/null || :; } |
		sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | while read -r module; do
		local target=$to/${module#"$from"/}
		mkdir -p "${target%/*}"
		cp "$module" "$target"
		case $target in
		*.xz) xz -df "$target" ;;
		esac
	done || return 1
	cp "$from"/modules.{order,builtin,builtin.modinfo} "$to/"
	depmod -b "$root" "$version"
}

# The image of a folder. cpio writes owners and times: root and none, so that the same input
# gives the same image.
initramfs_pack() { # root folder, image
	(cd "$1" && find . -exec touch -hd @0 {} + && find . | LC_ALL=C sort |
		cpio -o -H newc --quiet -R 0:0 --reproducible | gzip -n1) >"$2"
}
