# Tests. Each is a program of its own, named for the behaviour that it proves.
HARNESS_SRCS := tests/harness.c

TESTS += \
	unit/test_control \
	unit/test_control_socket \
	unit/test_guid \
	unit/test_heartbeat \
	unit/test_heartbeat_provider \
	unit/test_ic \
	unit/test_ic_channel \
	unit/test_ic_guest \
	unit/test_ic_host \
	unit/test_loop \
	unit/test_options \
	unit/test_vmbus_client_bus \
	unit/test_vmbus_client_bus_fail \
	unit/test_vmbus_client_channel \
	unit/test_vmbus_client_connect \
	unit/test_vmbus_client_gpadl \
	unit/test_vmbus_client_offer \
	unit/test_vmbus_guest_golden \
	unit/test_vmbus_layout \
	unit/test_vmwpctl \

FUZZERS += \
	fuzz_vmbus_client \
	fuzz_control \
	fuzz_ic \


PROGRAMS += hvbench
hvbench_SRCS := \
	tests/performance/bench.c \
	tests/performance/bench_doorbell.c \
	tests/performance/bench_ring.c \
	tests/performance/hvbench.c \
	tests/performance/measure.c \
	tests/performance/report.c \

