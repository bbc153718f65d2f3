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
	guest/ic_daemons/fcopy_ic.c \
	guest/ic_daemons/heartbeat_ic.c \
	guest/ic_daemons/ic_channel.c \
	guest/ic_daemons/ic_guest.c \
	guest/ic_daemons/ic_link.c \
	guest/ic_daemons/kvp_ic.c \
	guest/ic_daemons/net_address.c \
	guest/ic_daemons/net_config_check.c \
	guest/ic_daemons/shutdown_ic.c \
	guest/ic_daemons/time_policy.c \
	guest/ic_daemons/time_reference.c \
	guest/ic_daemons/timesync_ic.c \
	guest/ic_daemons/vss_ic.c \

# The guest's network: reading it, and changing it with privileges.
LIBS += icnet
icnet_SRCS := \
	guest/ic_daemons/net_apply_linux.c \
	guest/ic_daemons/net_bus_linux.c \
	guest/ic_daemons/net_config_call_linux.c \
	guest/ic_daemons/net_config_text_linux.c \
	guest/ic_daemons/net_file_linux.c \
	guest/ic_daemons/net_ifupdown_linux.c \
	guest/ic_daemons/net_info_files_linux.c \
	guest/ic_daemons/net_info_linux.c \
	guest/ic_daemons/net_kernel_linux.c \
	guest/ic_daemons/net_networkd_linux.c \
	guest/ic_daemons/net_nm_linux.c \
	guest/ic_daemons/net_run_linux.c \
	guest/ic_daemons/net_script_linux.c \
	guest/ic_daemons/net_stanza_linux.c \

PROGRAMS += viridian-net-config
viridian-net-config_SRCS := guest/ic_daemons/net_helper_linux.c

# The frame of the guest's daemons.
LIBS += daemon
daemon_SRCS := \
	guest/ic_daemons/daemon.c \
	guest/ic_daemons/daemon_device.c \
	guest/ic_daemons/daemon_execute.c \
	guest/ic_daemons/daemon_helper.c \
	guest/ic_daemons/daemon_log.c \
	guest/ic_daemons/daemon_loop.c \
	guest/ic_daemons/daemon_loopback.c \
	guest/ic_daemons/daemon_notify.c \
	guest/ic_daemons/daemon_options.c \
	guest/ic_daemons/daemon_sandbox.c \
	guest/ic_daemons/daemon_status.c \
	guest/ic_daemons/daemon_transport.c \
	guest/ic_daemons/daemon_uio.c \
	guest/ic_daemons/daemon_work.c \
	guest/vmbus/uio_channel_find_linux.c \
	guest/vmbus/uio_channel_linux.c \

# File copy: what it does in Linux.
LIBS += icfcopy
icfcopy_SRCS := \
	guest/ic_daemons/fcopy_config_linux.c \
	guest/ic_daemons/fcopy_device_linux.c \
	guest/ic_daemons/fcopy_file_linux.c \
	guest/ic_daemons/fcopy_job_linux.c \
	guest/ic_daemons/fcopy_path_linux.c \
	guest/ic_daemons/fcopy_service_linux.c \

PROGRAMS += vmic-fcopy
vmic-fcopy_SRCS := guest/ic_daemons/vmic_fcopy.c

# Backup coordination: what it does in Linux.
LIBS += icvss
icvss_SRCS := \
	guest/ic_daemons/vss_agent_linux.c \
	guest/ic_daemons/vss_config_linux.c \
	guest/ic_daemons/vss_device_linux.c \
	guest/ic_daemons/vss_freeze_linux.c \
	guest/ic_daemons/vss_hooks_linux.c \
	guest/ic_daemons/vss_keeper_linux.c \
	guest/ic_daemons/vss_keeper_start_linux.c \
	guest/ic_daemons/vss_mounts_linux.c \
	guest/ic_daemons/vss_policy_linux.c \
	guest/ic_daemons/vss_show_linux.c \
	guest/ic_daemons/vss_stack_linux.c \

PROGRAMS += vmic-vss
vmic-vss_SRCS := guest/ic_daemons/vmic_vss.c

# Key-value pairs: what is done in Linux.
LIBS += ickvp
ickvp_SRCS := \
	guest/ic_daemons/kvp_auto_linux.c \
	guest/ic_daemons/kvp_device_linux.c \
	guest/ic_daemons/kvp_net_linux.c \
	guest/ic_daemons/kvp_pool_file_linux.c \
	guest/ic_daemons/kvp_pool_linux.c \
	guest/ic_daemons/kvp_service_linux.c \

# What the daemons do; each program is its component and the frame.
LIBS += icdaemons
icdaemons_SRCS := \
	guest/ic_daemons/heartbeat_daemon_linux.c \
	guest/ic_daemons/shutdown_act_linux.c \
	guest/ic_daemons/shutdown_daemon_linux.c \
	guest/ic_daemons/time_clock_linux.c \
	guest/ic_daemons/time_others_linux.c \
	guest/ic_daemons/time_shm_linux.c \
	guest/ic_daemons/timesync_daemon_linux.c \

PROGRAMS += vmic-kvp
vmic-kvp_SRCS := guest/ic_daemons/vmic_kvp.c

PROGRAMS += vmic-heartbeat vmic-shutdown vmic-timesync
vmic-heartbeat_SRCS := guest/ic_daemons/vmic_heartbeat.c
vmic-shutdown_SRCS := guest/ic_daemons/vmic_shutdown.c
vmic-timesync_SRCS := guest/ic_daemons/vmic_timesync.c

LIBS += guesttools
guesttools_SRCS := \
	guest/tools/kvpfs_name.c \
	guest/tools/vmbus_bind.c \
	guest/tools/vmbus_sysfs.c \
	guest/tools/vmbus_use.c \
	guest/tools/vmbusctl_monitor.c \
	guest/tools/vmbusctl_options.c \
	guest/tools/vmbusctl_print.c \
	guest/tools/vmbusctl_status.c \

PROGRAMS += kvpfs
kvpfs_SRCS := \
	guest/tools/kvpfs.c \
	guest/tools/kvpfs_dir.c \
	guest/tools/kvpfs_node.c \
	guest/tools/kvpfs_ops.c \

PROGRAMS += vmbusctl
vmbusctl_SRCS := guest/tools/vmbusctl.c

# build/bare/libwinhv-bare.a: what a program on bare metal links with, besides boot_x86.S.
BARE_LIBRARY_SRCS := \
	guest/winhv/bare/interrupt_x86.c \
	guest/winhv/bare/machine_x86.c \
	guest/winhv/bare/platform_x86.c \
	guest/winhv/bare/print_x86.c \
	guest/winhv/bare/start_x86.c \
	guest/winhv/bare/vp_x86.c \
	guest/winhv/calls.c \
	guest/winhv/hypercall.c \
	guest/winhv/platform_bare_x86.c \
	guest/winhv/synic.c \
	guest/winhv/winhv.c \
	$(guestbus_SRCS) \
	$(vsc_SRCS) \
	$(ic_SRCS) \
	$(protocol_SRCS) \

# Programs that others may begin with.
BARE_KERNELS += partition_table
BARE_partition_table_SRCS := guest/examples/ata_pio.c guest/examples/partition_table.c

FREESTANDING += $(filter-out %_linux.c,$(winhv_SRCS)) $(guestbus_SRCS) $(vsc_SRCS) $(ic_SRCS)
