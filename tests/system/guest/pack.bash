# What a test gives its guest: an initramfs with the steps, and the read-only disk whose contents they know.
# Sourced by bash from the top of the tree. Needs no virtual machine, and is quicker outside of one.
#	B		where vmbusctl is, which goes along if it was built
#	guest		folder of guest/image
#	vps		virtual processors
# The sizes are those of host.bash's disks.

pack() { # folder to put it in, bytes of the root disk, folder with steps, more words of the config...
	local to=$1 root_bytes=$2 steps=$3
	shift 3
	head -c 1M /dev/urandom >"$to/2.img"
	truncate -s 8M "$to/2.img"
	mkdir "$to/steps"
	cp "$steps"/* "$to/steps/"
	[ ! -x "$B/bin/vmbusctl" ] || cp "$B/bin/vmbusctl" "$to/steps/"
	{
		printf '%s\n' "$@"
		echo "vps=$vps bytes0=$root_bytes bytes1=$((256 << 20)) bytes2=$((8 << 20))"
		echo "bytes3=$((64 << 20)) sum2=$(sha256sum <"$to/2.img" | cut -d' ' -f1)"
	} >"$to/steps/config"
	tests/system/guest/with-steps "$guest/initrd" "$to/steps" "$to/initrd"
}
