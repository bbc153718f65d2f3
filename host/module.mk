# The reference host: hypervisor, VMBus server, VSPs, and the worker around them.
LIBS += hypervisor
hypervisor_SRCS := \
	host/hypervisor/backend_kvm.c \
	host/hypervisor/backend_kvm_cpuid.c \
	host/hypervisor/backend_kvm_exits.c \
	host/hypervisor/backend_kvm_interrupts.c \
	host/hypervisor/backend_kvm_probe.c \
	host/hypervisor/backend_kvm_registers.c \
	host/hypervisor/backend_kvm_state.c \
	host/hypervisor/backend_kvm_vm.c \
	host/hypervisor/backend_kvm_vp.c \
	host/hypervisor/backend_loopback.c \
	host/hypervisor/cpuid_x86.c \
	host/hypervisor/deferral.c \
	host/hypervisor/enlightenment.c \
	host/hypervisor/hypercall.c \
	host/hypervisor/hypercall_debug.c \
	host/hypervisor/hypercall_ipi.c \
	host/hypervisor/hypercall_message.c \
	host/hypervisor/hypercall_table.c \
	host/hypervisor/hypercall_vp.c \
	host/hypervisor/io_space.c \
	host/hypervisor/loopback_link.c \
	host/hypervisor/memory.c \
	host/hypervisor/msr_x86.c \
	host/hypervisor/overlay.c \
	host/hypervisor/partition.c \
	host/hypervisor/socket_probe_linux.c \
	host/hypervisor/port_table.c \
	host/hypervisor/reference_time.c \
	host/hypervisor/stimer.c \
	host/hypervisor/synic.c \
	host/hypervisor/timers.c \
	host/hypervisor/vp_state_x86.c \

LIBS += machine
machine_SRCS := \
	host/machine/acpi.c \
	$(B)/gen/host/machine/acpi_dsdt.c \
	host/machine/ata_command.c \
	host/machine/ata_disk.c \
	host/machine/ata_dma.c \
	host/machine/ata_flush.c \
	host/machine/ata_pci.c \
	host/machine/boot.c \
	host/machine/boot_bzimage.c \
	host/machine/boot_elf.c \
	host/machine/boot_file.c \
	host/machine/boot_multiboot.c \
	host/machine/boot_pvh.c \
	host/machine/cmos.c \
	host/machine/console.c \
	host/machine/debug_exit.c \
	host/machine/fw_cfg.c \
	host/machine/machine.c \
	host/machine/power.c \
	host/machine/synic_test_device.c \
	host/machine/terminal.c \
	host/machine/uart_16550.c \

LIBS += hostbus
hostbus_SRCS := \
	host/vmbus/bus.c \
	host/vmbus/bus_channel.c \
	host/vmbus/bus_signal.c \
	host/vmbus/server.c \
	host/vmbus/server_channel.c \
	host/vmbus/server_connection.c \
	host/vmbus/server_gpadl.c \
	host/vmbus/server_offer.c \
	host/vmbus/server_output.c \
	host/vmbus/server_status.c \

LIBS += vsp
vsp_SRCS := \
	host/vsp/fcopy_provider.c \
	host/vsp/fcopy_vsp.c \
	host/vsp/heartbeat_provider.c \
	host/vsp/heartbeat_vsp.c \
	host/vsp/ic_host.c \
	host/vsp/ic_provider.c \
	host/vsp/ic_session.c \
	host/vsp/kvp_provider.c \
	host/vsp/kvp_vsp.c \
	host/vsp/scsi_block.c \
	host/vsp/scsi_command.c \
	host/vsp/scsi_common.c \
	host/vsp/scsi_device.c \
	host/vsp/scsi_disk.c \
	host/vsp/scsi_dvd.c \
	host/vsp/scsi_mmc.c \
	host/vsp/scsi_reserve.c \
	host/vsp/scsi_unmap.c \
	host/vsp/shutdown_provider.c \
	host/vsp/shutdown_vsp.c \
	host/vsp/storage_provider.c \
	host/vsp/storage_vsp.c \
	host/vsp/storage_vsp_luns.c \
	host/vsp/store_file_linux.c \
	host/vsp/store_image_linux.c \
	host/vsp/store_map_linux.c \
	host/vsp/store_ram.c \
	host/vsp/test_provider.c \
	host/vsp/timesync_provider.c \
	host/vsp/timesync_vsp.c \
	host/vsp/vss_provider.c \
	host/vsp/vss_vsp.c \

LIBS += worker
worker_SRCS := \
	host/vmwp/control.c \
	host/vmwp/control_kvp.c \
	host/vmwp/control_listen.c \
	host/vmwp/control_print.c \
	host/vmwp/control_socket.c \
	host/vmwp/control_table.c \
	host/vmwp/log.c \
	host/vmwp/loop.c \
	host/vmwp/options.c \
	host/vmwp/options_check.c \
	host/vmwp/options_disk.c \
	host/vmwp/options_machine.c \
	host/vmwp/options_services.c \
	host/vmwp/worker.c \
	host/vmwp/worker_backup.c \
	host/vmwp/worker_commands.c \
	host/vmwp/worker_copy.c \
	host/vmwp/worker_copy_source.c \
	host/vmwp/worker_crash.c \
	host/vmwp/worker_disk.c \
	host/vmwp/worker_kvm.c \
	host/vmwp/worker_kvp.c \
	host/vmwp/worker_loopback.c \
	host/vmwp/worker_power.c \
	host/vmwp/worker_report.c \
	host/vmwp/worker_services.c \

PROGRAMS += vmwpctl
vmwpctl_SRCS := \
	host/vmwp/vmwpctl.c \
	host/vmwp/vmwpctl_backup.c \
	host/vmwp/vmwpctl_images.c \
	host/vmwp/vmwpctl_kvp.c \
	host/vmwp/vmwpctl_talk.c \
	host/vmwp/vmwpctl_fcopy.c \
	host/vmwp/vmwpctl_heartbeat.c \


PROGRAMS += vmwp
vmwp_SRCS := \
	host/vmwp/main.c \

