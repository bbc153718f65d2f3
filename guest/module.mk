# The guest toolkit. winhv (but its Linux platform) and the SynIC bus are freestanding.
LIBS += winhv
winhv_SRCS := \
	guest/winhv/calls.c \
	guest/winhv/hypercall.c \
	guest/winhv/loopback_join_linux.c \
	guest/winhv/loopback_memory_linux.c \
	guest/winhv/platform_bare_x86.c \
	guest/winhv/platform_loopback_linux.c \
	guest/winhv/platform_scripted.c \
	guest/winhv/synic.c \
	guest/winhv/winhv.c \

LIBS += guestbus
guestbus_SRCS := \
	guest/vmbus/client.c \
	guest/vmbus/client_channel.c \
	guest/vmbus/client_gpadl.c \
	guest/vmbus/client_offer.c \
	guest/vmbus/client_post.c \
	guest/vmbus/synic_bus.c \
	guest/vmbus/synic_channel.c \

LIBS += vsc
vsc_SRCS := \
	guest/vsc/storage_controller.c \
	guest/vsc/storage_vsc.c \
	guest/vsc/storage_vsc_io.c \
	guest/vsc/storage_vsc_lun.c \
	guest/vsc/storage_vsc_scan.c \
	guest/vsc/storage_vsc_scsi.c \
	guest/vsc/storage_vsc_submit.c \

LIBS += vscdisk
vscdisk_SRCS := \
	guest/vsc/vsc_disk_arena.c \
	guest/vsc/vsc_disk_fuse.c \
	guest/vsc/vsc_disk_guest.c \
	guest/vsc/vsc_disk_io.c \
	guest/vsc/vsc_disk_log.c \
	guest/vsc/vsc_disk_notify.c \
	guest/vsc/vsc_disk_ops.c \
	guest/vsc/vsc_disk_options.c \
	guest/vsc/vsc_disk_range.c \
	guest/vsc/vsc_disk_services.c \
	guest/vsc/vsc_disk_status.c \
	guest/vsc/vsc_disk_tree.c \

PROGRAMS += vsc-disk
vsc-disk_SRCS := guest/vsc/vsc_disk.c

LIBS += ic
ic_SRCS := \
	guest/ic_daemons/heartbeat_ic.c \
	guest/ic_daemons/ic_channel.c \
	guest/ic_daemons/ic_guest.c \
	guest/ic_daemons/shutdown_ic.c \
	guest/ic_daemons/time_policy.c \
	guest/ic_daemons/timesync_ic.c \

LIBS += guesttools
guesttools_SRCS := \
	guest/tools/vmbus_sysfs.c \
	guest/tools/vmbusctl_monitor.c \
	guest/tools/vmbusctl_options.c \
	guest/tools/vmbusctl_print.c \

PROGRAMS += vmbusctl
vmbusctl_SRCS := guest/tools/vmbusctl.c

# What a bare-metal image is made of, besides its program and boot_x86.S (see the Makefile).
BARE_SRCS := \
	guest/winhv/bare/interrupt_x86.c \
	guest/winhv/bare/machine_x86.c \
	guest/winhv/bare/print_x86.c \
	guest/winhv/bare/start_x86.c \
	guest/winhv/bare/vp_x86.c \
	guest/winhv/calls.c \
	guest/winhv/hypercall.c \
	guest/winhv/platform_bare_x86.c \
	guest/winhv/synic.c \
	guest/winhv/winhv.c \
	protocol/hypervisor.c \

FREESTANDING += $(filter-out %_linux.c,$(winhv_SRCS)) $(guestbus_SRCS) $(vsc_SRCS) $(ic_SRCS)
