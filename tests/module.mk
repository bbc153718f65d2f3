# Tests. Each is a program of its own, named for the behaviour that it proves.
HARNESS_SRCS := tests/harness.c tests/sysfs_tree.c

# The whole stack: a worker in a child process, a guest in the test.
STACK_SRCS := \
	tests/loopback/stack_guest.c \
	tests/loopback/stack_host.c \


# The model of the VMBus connection has copies of both ends: objects, not an archive.
MODEL_CHANNEL_SRCS := \
	tests/model/model_channel_guest.c \
	tests/model/model_channel_host.c \
	tests/model/model_channel_monitor.c \
	tests/model/model_channel_moves.c \
	tests/model/model_channel_walk.c \

# The devices of the guest's kernel without a guest, for tests/system/test_daemon_devices.
DEVICES_SRCS := \
	tests/devices/device_fs.c \
	tests/devices/hv_utils.c \
	tests/devices/hv_utils_kvp.c \
	tests/devices/vmbus_devices_kvp.c \

TEST_PROGRAMS += devices/vmbus_devices

# The model checker: real code, every interleaving.
LIBS += explorer
explorer_SRCS := tests/model/explorer.c

# Run by tests/system/test_kvm, where a virtual machine can run.
KVM_TESTS += \
	kvm/test_backend_kvm \
	kvm/test_backend_kvm_interrupts \

TESTS += \
	loopback/test_bus_pair \
	loopback/test_loopback_bell \
	loopback/test_loopback_hostile \
	loopback/test_loopback_transport \
	loopback/test_storage_pair \
	loopback/test_storage_rescind \
	loopback/test_stack_backup \
	loopback/test_stack_cycles \
	loopback/test_stack_kill \
	loopback/test_stack_kvp \
	loopback/test_stack_services \
	model/model_channel \
	model/test_ring_model \
	unit/test_acpi \
	unit/test_ata_disk \
	unit/test_backend_kvm_flush \
	unit/test_boot \
	unit/test_boot_bzimage \
	unit/test_boot_elf \
	unit/test_boot_multiboot \
	unit/test_console \
	unit/test_control \
	unit/test_control_copy \
	unit/test_control_kvp \
	unit/test_control_socket \
	unit/test_cursor \
	unit/test_daemon \
	unit/test_daemon_bounds \
	unit/test_daemon_helper \
	unit/test_deferral \
	unit/test_enlightenment \
	unit/test_fcopy \
	unit/test_fcopy_failures \
	unit/test_fcopy_file \
	unit/test_fcopy_guest \
	unit/test_fcopy_service \
	unit/test_fcopy_service_faults \
	unit/test_guid \
	unit/test_heartbeat \
	unit/test_heartbeat_provider \
	unit/test_hostile_guest \
	unit/test_hostile_host_bus \
	unit/test_hostile_host_controller \
	unit/test_hostile_host_disk \
	unit/test_hostile_host_storage \
	unit/test_hostile_machine \
	unit/test_hostile_partition \
	unit/test_hypercall \
	unit/test_hypercall_ipi \
	unit/test_hypercall_vp \
	unit/test_ic \
	unit/test_ic_channel \
	unit/test_ic_guest \
	unit/test_ic_host \
	unit/test_ic_provider \
	unit/test_io_space \
	unit/test_kvp \
	unit/test_kvp_hostile \
	unit/test_kvp_ip \
	unit/test_kvp_pair \
	unit/test_kvp_vsp \
	unit/test_log \
	unit/test_loop \
	unit/test_machine_ports \
	unit/test_kvp_device \
	unit/test_kvp_ic \
	unit/test_kvp_pool \
	unit/test_kvp_service \
	unit/test_kvpfs_name \
	unit/test_memory \
	unit/test_net_address \
	unit/test_net_apply \
	unit/test_net_config \
	unit/test_net_file \
	unit/test_net_script \
	unit/test_options \
	unit/test_packet \
	unit/test_partition \
	unit/test_platform_bare \
	unit/test_reference_time \
	unit/test_replay \
	unit/test_ring \
	unit/test_ring_flow \
	unit/test_ring_hostile \
	unit/test_ring_signal \
	unit/test_ring_threads \
	unit/test_storage_judge \
	unit/test_storage_vsc \
	unit/test_storage_vsc_hostile \
	unit/test_storage_vsc_scan \
	unit/test_storage_vsc_stale \
	unit/test_storage_vsc_time \
	unit/test_scsi_block \
	unit/test_scsi_disk \
	unit/test_scsi_dvd \
	unit/test_scsi_reserve \
	unit/test_storage_provider \
	unit/test_storage_replay \
	unit/test_storage_replies \
	unit/test_storage_vsp \
	unit/test_shutdown \
	unit/test_shutdown_daemon \
	unit/test_stimer \
	unit/test_store_file \
	unit/test_store_map \
	unit/test_store_ram \
	unit/test_synic \
	unit/test_test_provider \
	unit/test_time_policy \
	unit/test_timers \
	unit/test_timesync \
	unit/test_timesync_daemon \
	unit/test_synic_test_device \
	unit/test_uart_16550 \
	unit/test_uio_channel \
	unit/test_utf16 \
	unit/test_vmbus_bind \
	unit/test_vmbus_bus \
	unit/test_vmbus_bus_life \
	unit/test_vmbus_bus_monitor \
	unit/test_vmbus_client_bus \
	unit/test_vmbus_client_bus_edge \
	unit/test_vmbus_client_bus_fail \
	unit/test_vmbus_client_channel \
	unit/test_vmbus_client_connect \
	unit/test_vmbus_client_gpadl \
	unit/test_vmbus_client_late \
	unit/test_vmbus_client_offer \
	unit/test_vmbus_guest_golden \
	unit/test_vmbus_layout \
	unit/test_vmbus_server_channel \
	unit/test_vmbus_server_connection \
	unit/test_vmbus_server_gpadl \
	unit/test_vmbus_server_offer \
	unit/test_vmbus_server_rescind \
	unit/test_vmbus_server_table \
	unit/test_vmbus_server_unload \
	unit/test_vmbusctl \
	unit/test_vmbusctl_status \
	unit/test_vmwpctl \
	unit/test_vmwpctl_kvp \
	unit/test_vp_state_x86 \
	unit/test_vsc_disk \
	unit/test_vsc_disk_tree \
	unit/test_vss \
	unit/test_vss_agent \
	unit/test_vss_freeze \
	unit/test_vss_keeper \
	unit/test_vss_policy \
	unit/test_winhv \
	unit/test_winhv_edge \
	unit/test_worker_copy_source \
	unit/test_winhv_call_forms \
	unit/test_winhv_calls \
	unit/test_worker_crash \
	unit/test_worker_kvp \

FUZZERS += \
	fuzz_boot \
	fuzz_control \
	fuzz_fcopy \
	fuzz_hypercall \
	fuzz_ic \
	fuzz_ic_services \
	fuzz_kvp \
	fuzz_kvp_linux \
	fuzz_net_config \
	fuzz_packet \
	fuzz_ring \
	fuzz_storage_vsc \
	fuzz_storage_vsp \
	fuzz_vmbus_client \
	fuzz_vmbus_server \
	fuzz_vss \


PROGRAMS += hvbench
hvbench_SRCS := \
	tests/performance/bench.c \
	tests/performance/bench_doorbell.c \
	tests/performance/bench_ring.c \
	tests/performance/bench_scale.c \
	tests/performance/bench_storage.c \
	tests/performance/bench_storage_connect.c \
	tests/performance/bench_storage_fuse.c \
	tests/performance/bench_storage_idle.c \
	tests/performance/bench_vm.c \
	tests/performance/bench_vm_calls.c \
	tests/performance/bench_vm_count.c \
	tests/performance/bench_vm_kept.c \
	tests/performance/bench_vm_machine.c \
	tests/performance/bench_vm_round.c \
	tests/performance/fio.c \
	tests/performance/guest.c \
	tests/performance/hvbench.c \
	tests/performance/measure.c \
	tests/performance/passthrough.c \
	tests/performance/process.c \
	tests/performance/raw_file.c \
	tests/performance/report.c \
	tests/performance/sandbox.c \
	tests/performance/why.c \

# Conformance: tests of the host's side, freestanding, and the program that runs them.
CONFORM_SRCS := \
	tests/conformance/conform.c \
	tests/conformance/conform_areas.c \
	tests/conformance/conform_bus.c \
	tests/conformance/conform_channel.c \
	tests/conformance/conform_device.c \
	tests/conformance/conform_list.c \
	tests/conformance/conform_storage.c \
	tests/conformance/conform_timer.c \
	tests/conformance/host_calls.c \
	tests/conformance/host_channel.c \
	tests/conformance/host_clock.c \
	tests/conformance/host_connection.c \
	tests/conformance/host_cpuid.c \
	tests/conformance/host_crash.c \
	tests/conformance/host_echo.c \
	tests/conformance/host_expiry.c \
	tests/conformance/host_flow.c \
	tests/conformance/host_flush.c \
	tests/conformance/host_gpadl.c \
	tests/conformance/host_hostile.c \
	tests/conformance/host_hypercall.c \
	tests/conformance/host_ic.c \
	tests/conformance/host_ipi.c \
	tests/conformance/host_lies.c \
	tests/conformance/host_monitor.c \
	tests/conformance/host_msr.c \
	tests/conformance/host_offer.c \
	tests/conformance/host_port.c \
	tests/conformance/host_processor.c \
	tests/conformance/host_promise.c \
	tests/conformance/host_register.c \
	tests/conformance/host_reserved.c \
	tests/conformance/host_ring.c \
	tests/conformance/host_scsi.c \
	tests/conformance/host_signal.c \
	tests/conformance/host_storage.c \
	tests/conformance/host_subchannel.c \
	tests/conformance/host_synic.c \
	tests/conformance/host_timer.c \
	tests/conformance/host_unload.c \
	tests/conformance/image/image_checks.c \

# The same as a bare-metal image.
BARE_KERNELS += conform
BARE_SMALL += conform
BARE_conform_SRCS := $(CONFORM_SRCS) \
	tests/conformance/image/image_machine.c \
	tests/conformance/image/image_main.c \
	tests/conformance/image/image_platform.c \
	tests/conformance/image/image_report.c \

FREESTANDING += $(CONFORM_SRCS)
PROGRAMS += hvconform
hvconform_SRCS := $(CONFORM_SRCS) \
	tests/conformance/guest_areas.c \
	tests/conformance/guest_channel.c \
	tests/conformance/guest_connection.c \
	tests/conformance/guest_fcopy.c \
	tests/conformance/guest_flow.c \
	tests/conformance/guest_gpadl.c \
	tests/conformance/guest_heartbeat.c \
	tests/conformance/guest_ic.c \
	tests/conformance/guest_ic_tools.c \
	tests/conformance/guest_kvp.c \
	tests/conformance/guest_lun.c \
	tests/conformance/guest_offer.c \
	tests/conformance/guest_outage.c \
	tests/conformance/guest_ring.c \
	tests/conformance/guest_ring_tools.c \
	tests/conformance/guest_services.c \
	tests/conformance/guest_srb.c \
	tests/conformance/guest_storage.c \
	tests/conformance/guest_storage_tools.c \
	tests/conformance/guest_synic.c \
	tests/conformance/hvconform.c \
	tests/conformance/hvconform_run.c \
	tests/conformance/linux/areas.c \
	tests/conformance/linux/bus.c \
	tests/conformance/linux/channel.c \
	tests/conformance/linux/connection.c \
	tests/conformance/linux/disk.c \
	tests/conformance/linux/guest.c \
	tests/conformance/linux/hostile.c \
	tests/conformance/linux/ic.c \
	tests/conformance/linux/last.c \
	tests/conformance/linux/offer.c \
	tests/conformance/linux/ring.c \
	tests/conformance/linux/rings.c \
	tests/conformance/linux/run.c \
	tests/conformance/linux/services.c \
	tests/conformance/linux/storage.c \
	tests/conformance/image_iso_linux.c \
	tests/conformance/report_json_linux.c \
	tests/conformance/report_linux.c \
	tests/conformance/run_library_linux.c \
	tests/conformance/run_linux.c \
	tests/conformance/run_loopback_linux.c \
	tests/conformance/run_process_linux.c \
	tests/conformance/run_vm_linux.c \
	tests/conformance/runner_checks.c \
	tests/conformance/scripted_guest.c \
	tests/conformance/scripted_host.c \
	tests/conformance/scripted_memory_linux.c \
	tests/conformance/table_linux.c \
	tests/conformance/target_library_linux.c \
	tests/conformance/target_loopback_linux.c \
	tests/conformance/target_vm_linux.c \
	$(B)/gen/tests/conformance/rules.c \

# What hvbench vm has its guests do.
GUEST_PROGRAMS += read
read_SRCS := tests/performance/vm_guest/read.c

# What tests/system/test_services has in its guests and on their host: a clock's look, many commands at
# once, the page of results.
GUEST_PROGRAMS += clock_look control_lines services_report
clock_look_SRCS := tests/services/clock_look.c
control_lines_SRCS := tests/services/control_lines.c
services_report_SRCS := tests/services/services_report.c

# Kernels that run on bare metal and test the hypervisor's interface from inside.
BARE_KERNELS += \
	clock \
	connections \
	costs \
	features \
	hostile \
	hypercall \
	ipi \
	privileges \
	registers \
	reset \
	smoke \
	stimer \
	synic \
