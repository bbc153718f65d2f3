// SPDX-License-Identifier: Apache-2.0
/*
 * The hypervisor interface: hypercalls and their status codes, the synthetic interrupt
 * controller (SynIC), timers, clocks, and the pages that guest and hypervisor share.
 *
 *	guest (winhv, or any operating system)
 *	   |  hypercalls, registers          ^  message page, event flags page
 *	hypervisor (host/hypervisor, or Hyper-V, KVM, …)
 *
 * What is peculiar to x86-64 (CPUID, MSRs, register names) is in
 * protocol/hypervisor_x86.h, included here. The rules are in protocol/hypervisor.md.
 *
 * Conventions: little-endian; a page is 4096 bytes; times are in units of 100 ns;
 * names are the TLFS's with HV_ in front. Senders zero reserved fields. Layouts here
 * are those of calls that an ordinary guest may make; calls that a parent partition
 * makes for its children are named, not laid out.
 *
 * Pages and message slots are changed by the other side at any time: never cast a
 * pointer into them to a structure and read it twice; copy once, use the copy.
 *
 * Threads: constants, layouts and pure functions; call from anywhere.
 * Sources: TLFS; Microsoft's UEFI firmware (mu_msvm) where the TLFS contradicts itself.
 */
#ifndef PROTOCOL_HYPERVISOR_H
#define PROTOCOL_HYPERVISOR_H

#include "protocol/assert.h"
#include "protocol/hypervisor_x86.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HV_PAGE_BYTES 4096u
#define HV_PAGE_SHIFT 12u

/* ---- ids ----------------------------------------------------------------------------------- */

#define HV_PARTITION_ID_SELF	0xffffffffffffffffull
#define HV_PARTITION_ID_INVALID 0ull
#define HV_VP_INDEX_SELF	0xfffffffeu
#define HV_VP_INDEX_ANY		0xffffffffu
#define HV_CONNECTION_ID_MAX	0x00ffffffu /* 24 bits, also port ids */
#define HV_VTL_TARGET_MASK	0x0fu	    /* HV_INPUT_VTL */
#define HV_VTL_USE_TARGET	0x10u

/* ---- hypercall input and result values ----------------------------------------------------- */

/*
 * Input value (RCX on x64):
 *	 63..60  59......48  47..44  43....32  31  30..27  26........17  16    15...0
 *	   0     rep start     0     rep count  N     0    variable hdr  fast  call code
 */
#define HV_HYPERCALL_CODE_MASK	     0xffffull
#define HV_HYPERCALL_FAST	     (1ull << 16)
#define HV_HYPERCALL_VARHEAD_SHIFT   17u /* size of the variable header, in 8-byte units */
#define HV_HYPERCALL_VARHEAD_MASK    (0x3ffull << 17)
#define HV_HYPERCALL_NESTED	     (1ull << 31) /* for the hypervisor under this one */
#define HV_HYPERCALL_REP_COUNT_SHIFT 32u
#define HV_HYPERCALL_REP_COUNT_MASK  (0xfffull << 32)
#define HV_HYPERCALL_REP_START_SHIFT 48u
#define HV_HYPERCALL_REP_START_MASK  (0xfffull << 48)
#define HV_HYPERCALL_RESERVED_MASK   0xf000f00078000000ull /* must be 0 */
#define HV_HYPERCALL_REP_MAX	     0xfffu

/* Result value (RAX on x64): status in 15..0, repetitions completed in 43..32. */
#define HV_HYPERCALL_RESULT_STATUS_MASK 0xffffull
#define HV_HYPERCALL_RESULT_REPS_SHIFT	32u
#define HV_HYPERCALL_RESULT_REPS_MASK	(0xfffull << 32)

#define HV_HYPERCALL_FAST_INPUT_BYTES	  16u  /* two registers */
#define HV_HYPERCALL_XMM_FAST_INPUT_BYTES 112u /* two registers and XMM0..XMM5 */
#define HV_HYPERCALL_PARAMETER_ALIGN	  8u   /* of input and output addresses */

/* Input value of a simple call (rep_count 0) or of a rep call from its first element. */
static inline uint64_t hv_hypercall_input(uint16_t code, uint16_t varhead_u64, uint16_t rep_count)
{
	return (uint64_t)code |
	       (((uint64_t)varhead_u64 << HV_HYPERCALL_VARHEAD_SHIFT) & HV_HYPERCALL_VARHEAD_MASK) |
	       (((uint64_t)rep_count << HV_HYPERCALL_REP_COUNT_SHIFT) &
		       HV_HYPERCALL_REP_COUNT_MASK);
}

static inline uint16_t hv_hypercall_result_status(uint64_t result)
{
	return (uint16_t)(result & HV_HYPERCALL_RESULT_STATUS_MASK);
}

/* Elements done, counted from element 0 of the list, not from the start index. */
static inline uint16_t hv_hypercall_result_reps(uint64_t result)
{
	return (uint16_t)((result & HV_HYPERCALL_RESULT_REPS_MASK) >>
			  HV_HYPERCALL_RESULT_REPS_SHIFT);
}

static inline uint64_t hv_hypercall_result(uint16_t status, uint16_t reps_completed)
{
	return (uint64_t)status | (((uint64_t)reps_completed << HV_HYPERCALL_RESULT_REPS_SHIFT) &
					  HV_HYPERCALL_RESULT_REPS_MASK);
}

/* ---- status codes -------------------------------------------------------------------------- */

/* X(value, NAME), sorted. Values that are missing are reserved. */
/* clang-format off */
#define HV_STATUSES(X)                                                                             \
	X(0x0000, SUCCESS)                                                                         \
	X(0x0002, INVALID_HYPERCALL_CODE)                                                          \
	X(0x0003, INVALID_HYPERCALL_INPUT)                                                         \
	X(0x0004, INVALID_ALIGNMENT)                                                               \
	X(0x0005, INVALID_PARAMETER)                                                               \
	X(0x0006, ACCESS_DENIED)                                                                   \
	X(0x0007, INVALID_PARTITION_STATE)                                                         \
	X(0x0008, OPERATION_DENIED)                                                                \
	X(0x0009, UNKNOWN_PROPERTY)                                                                \
	X(0x000a, PROPERTY_VALUE_OUT_OF_RANGE)                                                     \
	X(0x000b, INSUFFICIENT_MEMORY)                                                             \
	X(0x000c, PARTITION_TOO_DEEP)                                                              \
	X(0x000d, INVALID_PARTITION_ID)                                                            \
	X(0x000e, INVALID_VP_INDEX)                                                                \
	X(0x0010, NOT_FOUND)                                                                       \
	X(0x0011, INVALID_PORT_ID)                                                                 \
	X(0x0012, INVALID_CONNECTION_ID)                                                           \
	X(0x0013, INSUFFICIENT_BUFFERS)                                                            \
	X(0x0014, NOT_ACKNOWLEDGED)                                                                \
	X(0x0015, INVALID_VP_STATE)                                                                \
	X(0x0016, ACKNOWLEDGED)                                                                    \
	X(0x0017, INVALID_SAVE_RESTORE_STATE)                                                      \
	X(0x0018, INVALID_SYNIC_STATE)                                                             \
	X(0x0019, OBJECT_IN_USE)                                                                   \
	X(0x001a, INVALID_PROXIMITY_DOMAIN_INFO)                                                   \
	X(0x001b, NO_DATA)                                                                         \
	X(0x001c, INACTIVE)                                                                        \
	X(0x001d, NO_RESOURCES)                                                                    \
	X(0x001e, FEATURE_UNAVAILABLE)                                                             \
	X(0x001f, PARTIAL_PACKET)                                                                  \
	X(0x0020, PROCESSOR_FEATURE_NOT_SUPPORTED)                                                 \
	X(0x0030, PROCESSOR_CACHE_LINE_FLUSH_SIZE_INCOMPATIBLE)                                    \
	X(0x0033, INSUFFICIENT_BUFFER)                                                             \
	X(0x0037, INCOMPATIBLE_PROCESSOR)                                                          \
	X(0x0038, INSUFFICIENT_DEVICE_DOMAINS)                                                     \
	X(0x003c, CPUID_FEATURE_VALIDATION_ERROR)                                                  \
	X(0x003d, CPUID_XSAVE_FEATURE_VALIDATION_ERROR)                                            \
	X(0x003e, PROCESSOR_STARTUP_TIMEOUT)                                                       \
	X(0x003f, SMX_ENABLED)                                                                     \
	X(0x0041, INVALID_LP_INDEX)                                                                \
	X(0x0050, INVALID_REGISTER_VALUE)                                                          \
	X(0x0051, INVALID_VTL_STATE)                                                               \
	X(0x0055, NX_NOT_DETECTED)                                                                 \
	X(0x0057, INVALID_DEVICE_ID)                                                               \
	X(0x0058, INVALID_DEVICE_STATE)                                                            \
	X(0x0059, PENDING_PAGE_REQUESTS)                                                           \
	X(0x0060, PAGE_REQUEST_INVALID)                                                            \
	X(0x0065, KEY_ALREADY_EXISTS)                                                              \
	X(0x0066, DEVICE_ALREADY_IN_DOMAIN)                                                        \
	X(0x006f, INVALID_CPU_GROUP_ID)                                                            \
	X(0x0070, INVALID_CPU_GROUP_STATE)                                                         \
	X(0x0071, OPERATION_FAILED)                                                                \
	X(0x0072, NOT_ALLOWED_WITH_NESTED_VIRT_ACTIVE)                                             \
	X(0x0073, INSUFFICIENT_ROOT_MEMORY)                                                        \
	X(0x0074, EVENT_BUFFER_ALREADY_FREED)                                                      \
	X(0x0078, TIMEOUT)                                                                         \
	X(0x0086, VTL_ALREADY_ENABLED)                                                             \
	X(0x0087, UNKNOWN_REGISTER_NAME)
/* clang-format on */

enum hv_status {
#define HV_STATUS_ENUM(value, NAME) HV_STATUS_##NAME = value,
	HV_STATUSES(HV_STATUS_ENUM)
#undef HV_STATUS_ENUM
};

/* "INVALID_CONNECTION_ID", or "unknown". Never NULL. */
const char *hv_status_name(uint16_t status);

/* ---- call codes ---------------------------------------------------------------------------- */

/* X(code, NAME, name after "HvCall"), sorted. */
/* clang-format off */
#define HV_CALLS(X)                                                                                \
	X(0x0001, SWITCH_VIRTUAL_ADDRESS_SPACE, SwitchVirtualAddressSpace)                         \
	X(0x0002, FLUSH_VIRTUAL_ADDRESS_SPACE, FlushVirtualAddressSpace)                           \
	X(0x0003, FLUSH_VIRTUAL_ADDRESS_LIST, FlushVirtualAddressList)                             \
	X(0x0004, GET_LOGICAL_PROCESSOR_RUN_TIME, GetLogicalProcessorRunTime)                      \
	X(0x0008, NOTIFY_LONG_SPIN_WAIT, NotifyLongSpinWait)                                       \
	X(0x0009, PARK_LOGICAL_PROCESSORS, ParkLogicalProcessors)                                  \
	X(0x000b, SEND_SYNTHETIC_CLUSTER_IPI, SendSyntheticClusterIpi)                             \
	X(0x000c, MODIFY_VTL_PROTECTION_MASK, ModifyVtlProtectionMask)                             \
	X(0x000d, ENABLE_PARTITION_VTL, EnablePartitionVtl)                                        \
	X(0x000e, DISABLE_PARTITION_VTL, DisablePartitionVtl)                                      \
	X(0x000f, ENABLE_VP_VTL, EnableVpVtl)                                                      \
	X(0x0010, DISABLE_VP_VTL, DisableVpVtl)                                                    \
	X(0x0011, VTL_CALL, VtlCall)                                                               \
	X(0x0012, VTL_RETURN, VtlReturn)                                                           \
	X(0x0013, FLUSH_VIRTUAL_ADDRESS_SPACE_EX, FlushVirtualAddressSpaceEx)                      \
	X(0x0014, FLUSH_VIRTUAL_ADDRESS_LIST_EX, FlushVirtualAddressListEx)                        \
	X(0x0015, SEND_SYNTHETIC_CLUSTER_IPI_EX, SendSyntheticClusterIpiEx)                        \
	X(0x0040, CREATE_PARTITION, CreatePartition)                                               \
	X(0x0041, INITIALIZE_PARTITION, InitializePartition)                                       \
	X(0x0042, FINALIZE_PARTITION, FinalizePartition)                                           \
	X(0x0043, DELETE_PARTITION, DeletePartition)                                               \
	X(0x0044, GET_PARTITION_PROPERTY, GetPartitionProperty)                                    \
	X(0x0045, SET_PARTITION_PROPERTY, SetPartitionProperty)                                    \
	X(0x0046, GET_PARTITION_ID, GetPartitionId)                                                \
	X(0x0047, GET_NEXT_CHILD_PARTITION, GetNextChildPartition)                                 \
	X(0x0048, DEPOSIT_MEMORY, DepositMemory)                                                   \
	X(0x0049, WITHDRAW_MEMORY, WithdrawMemory)                                                 \
	X(0x004a, GET_MEMORY_BALANCE, GetMemoryBalance)                                            \
	X(0x004b, MAP_GPA_PAGES, MapGpaPages)                                                      \
	X(0x004c, UNMAP_GPA_PAGES, UnmapGpaPages)                                                  \
	X(0x004d, INSTALL_INTERCEPT, InstallIntercept)                                             \
	X(0x004e, CREATE_VP, CreateVp)                                                             \
	X(0x004f, DELETE_VP, DeleteVp)                                                             \
	X(0x0050, GET_VP_REGISTERS, GetVpRegisters)                                                \
	X(0x0051, SET_VP_REGISTERS, SetVpRegisters)                                                \
	X(0x0052, TRANSLATE_VIRTUAL_ADDRESS, TranslateVirtualAddress)                              \
	X(0x0053, READ_GPA, ReadGpa)                                                               \
	X(0x0054, WRITE_GPA, WriteGpa)                                                             \
	X(0x0056, CLEAR_VIRTUAL_INTERRUPT, ClearVirtualInterrupt)                                  \
	X(0x0058, DELETE_PORT, DeletePort)                                                         \
	X(0x005a, GET_PORT_PROPERTY, GetPortProperty)                                              \
	X(0x005b, DISCONNECT_PORT, DisconnectPort)                                                 \
	X(0x005c, POST_MESSAGE, PostMessage)                                                       \
	X(0x005d, SIGNAL_EVENT, SignalEvent)                                                       \
	X(0x005e, SAVE_PARTITION_STATE, SavePartitionState)                                        \
	X(0x005f, RESTORE_PARTITION_STATE, RestorePartitionState)                                  \
	X(0x0060, INITIALIZE_EVENT_LOG_BUFFER_GROUP, InitializeEventLogBufferGroup)                \
	X(0x0061, FINALIZE_EVENT_LOG_BUFFER_GROUP, FinalizeEventLogBufferGroup)                    \
	X(0x0062, CREATE_EVENT_LOG_BUFFER, CreateEventLogBuffer)                                   \
	X(0x0063, DELETE_EVENT_LOG_BUFFER, DeleteEventLogBuffer)                                   \
	X(0x0064, MAP_EVENT_LOG_BUFFER, MapEventLogBuffer)                                         \
	X(0x0065, UNMAP_EVENT_LOG_BUFFER, UnmapEventLogBuffer)                                     \
	X(0x0066, SET_EVENT_LOG_GROUP_SOURCES, SetEventLogGroupSources)                            \
	X(0x0067, RELEASE_EVENT_LOG_BUFFER, ReleaseEventLogBuffer)                                 \
	X(0x0068, FLUSH_EVENT_LOG_BUFFER, FlushEventLogBuffer)                                     \
	X(0x0069, POST_DEBUG_DATA, PostDebugData)                                                  \
	X(0x006a, RETRIEVE_DEBUG_DATA, RetrieveDebugData)                                          \
	X(0x006b, RESET_DEBUG_SESSION, ResetDebugSession)                                          \
	X(0x006c, MAP_STATS_PAGE, MapStatsPage)                                                    \
	X(0x006d, UNMAP_STATS_PAGE, UnmapStatsPage)                                                \
	X(0x006e, MAP_SPARSE_GPA_PAGES, MapSparseGpaPages)                                         \
	X(0x006f, SET_SYSTEM_PROPERTY, SetSystemProperty)                                          \
	X(0x0070, SET_PORT_PROPERTY, SetPortProperty)                                              \
	X(0x0078, QUERY_NUMA_DISTANCE, QueryNumaDistance)                                          \
	X(0x007b, GET_SYSTEM_PROPERTY, GetSystemProperty)                                          \
	X(0x007c, MAP_DEVICE_INTERRUPT, MapDeviceInterrupt)                                        \
	X(0x007d, UNMAP_DEVICE_INTERRUPT, UnmapDeviceInterrupt)                                    \
	X(0x007e, RETARGET_DEVICE_INTERRUPT, RetargetDeviceInterrupt)                              \
	X(0x008d, SCRUB_PARTITION, ScrubPartition)                                                 \
	X(0x0090, MODIFY_SPARSE_GPA_PAGES, ModifySparseGpaPages)                                   \
	X(0x0091, REGISTER_INTERCEPT_RESULT, RegisterInterceptResult)                              \
	X(0x0092, UNREGISTER_INTERCEPT_RESULT, UnregisterInterceptResult)                          \
	X(0x0094, ASSERT_VIRTUAL_INTERRUPT, AssertVirtualInterrupt)                                \
	X(0x0095, CREATE_PORT, CreatePort)                                                         \
	X(0x0096, CONNECT_PORT, ConnectPort)                                                       \
	X(0x0099, START_VIRTUAL_PROCESSOR, StartVirtualProcessor)                                  \
	X(0x009a, GET_VP_INDEX_FROM_APIC_ID, GetVpIndexFromApicId)                                 \
	X(0x00ac, TRANSLATE_VIRTUAL_ADDRESS_EX, TranslateVirtualAddressEx)                         \
	X(0x00ad, CHECK_FOR_IO_INTERCEPT, CheckForIoIntercept)                                     \
	X(0x00af, FLUSH_GUEST_PHYSICAL_ADDRESS_SPACE, FlushGuestPhysicalAddressSpace)              \
	X(0x00b0, FLUSH_GUEST_PHYSICAL_ADDRESS_LIST, FlushGuestPhysicalAddressList)                \
	X(0x00c0, SIGNAL_EVENT_DIRECT, SignalEventDirect)                                          \
	X(0x00c1, POST_MESSAGE_DIRECT, PostMessageDirect)                                          \
	X(0x00db, MODIFY_HOST_VISIBILITY, ModifySparseGpaPageHostVisibility)                       \
	X(0x00e1, MAP_VP_STATE_PAGE, MapVpStatePage)                                               \
	X(0x00e2, UNMAP_VP_STATE_PAGE, UnmapVpStatePage)                                           \
	X(0x00e5, GET_VP_SET_FROM_MDA, GetVpSetFromMda)                                            \
	X(0x00f4, GET_VP_CPUID_VALUES, GetVpCpuidValues)                                           \
	X(0x0103, RESTORE_PARTITION_TIME, RestorePartitionTime)                                    \
	X(0x0106, MEMORY_MAPPED_IO_READ, MemoryMappedIoRead)                                       \
	X(0x0107, MEMORY_MAPPED_IO_WRITE, MemoryMappedIoWrite)                                     \
	X(0x010a, SET_PARTITION_PROPERTY_EX, SetPartitionPropertyEx)                               \
	X(0x0112, PIN_GPA_PAGE_RANGES, PinGpaPageRanges)                                           \
	X(0x0113, UNPIN_GPA_PAGE_RANGES, UnpinGpaPageRanges)                                       \
	X(0x0131, MAP_STATS_PAGE2, MapStatsPage2)                                                  \
	X(0x0135, QUERY_INFORMATION_GPA_RANGE, QueryInformationGpaRange)                           \
	X(0x8001, EXT_QUERY_CAPABILITIES, ExtQueryCapabilities)                                    \
	X(0x8002, EXT_GET_BOOT_ZEROED_MEMORY, ExtGetBootZeroedMemory)                              \
	X(0x8003, EXT_MEMORY_HEAT_HINT, ExtMemoryHeatHint)                                         \
	X(0x8004, EXT_EPF_SETUP, ExtEpfSetup)                                                      \
	X(0x8005, EXT_SCHEDULER_ASSIST_SETUP, ExtSchedulerAssistSetup)                             \
	X(0x8006, EXT_MEMORY_HEAT_HINT_ASYNC, ExtMemoryHeatHintAsync)
/* clang-format on */

enum hv_call {
#define HV_CALL_ENUM(code, NAME, text) HV_CALL_##NAME = code,
	HV_CALLS(HV_CALL_ENUM)
#undef HV_CALL_ENUM
};
#define HV_CALL_EXT_FIRST 0x8001u /* PRIVILEGE_ENABLE_EXTENDED_HYPERCALLS from here on */

/* "HvCallPostMessage", or "unknown". Never NULL. */
const char *hv_call_name(uint16_t code);

/* ---- SynIC --------------------------------------------------------------------------------- */

#define HV_SINT_COUNT	       16u
#define HV_EVENT_FLAG_COUNT    2048u /* of each SINT */
#define HV_MESSAGE_BYTES       256u
#define HV_MESSAGE_PAYLOAD_MAX 240u
#define HV_PORT_MESSAGE_COUNT  16u /* messages that a port can hold undelivered */

/* Message types. Bit 31: only the hypervisor sends it. */
#define HV_MESSAGE_TYPE_NONE		      0x00000000u
#define HV_MESSAGE_TYPE_HYPERVISOR	      0x80000000u /* the bit */
#define HV_MESSAGE_TYPE_UNMAPPED_GPA	      0x80000000u
#define HV_MESSAGE_TYPE_GPA_INTERCEPT	      0x80000001u
#define HV_MESSAGE_TYPE_UNACCEPTED_GPA	      0x80000003u
#define HV_MESSAGE_TYPE_GPA_ATTRIBUTE	      0x80000004u
#define HV_MESSAGE_TYPE_TIMER_EXPIRED	      0x80000010u
#define HV_MESSAGE_TYPE_INVALID_VP_REGISTER   0x80000020u
#define HV_MESSAGE_TYPE_UNRECOVERABLE	      0x80000021u
#define HV_MESSAGE_TYPE_UNSUPPORTED_FEATURE   0x80000022u
#define HV_MESSAGE_TYPE_EVENT_LOG_COMPLETE    0x80000040u
#define HV_MESSAGE_TYPE_HYPERCALL_INTERCEPT   0x80000050u
#define HV_MESSAGE_TYPE_SYNIC_EVENT	      0x80000060u
#define HV_MESSAGE_TYPE_SYNIC_SINT	      0x80000061u
#define HV_MESSAGE_TYPE_SINT_DELIVERABLE      0x80000062u
#define HV_MESSAGE_TYPE_ASYNC_CALL_COMPLETION 0x80000070u
#define HV_MESSAGE_TYPE_IO_PORT_INTERCEPT     0x80010000u
#define HV_MESSAGE_TYPE_MSR_INTERCEPT	      0x80010001u
#define HV_MESSAGE_TYPE_CPUID_INTERCEPT	      0x80010002u
#define HV_MESSAGE_TYPE_EXCEPTION_INTERCEPT   0x80010003u
#define HV_MESSAGE_TYPE_APIC_EOI	      0x80010004u
#define HV_MESSAGE_TYPE_REGISTER_INTERCEPT    0x80010006u
#define HV_MESSAGE_TYPE_HALT		      0x80010007u
#define HV_MESSAGE_TYPE_DELIVERABLE	      0x80010008u
#define HV_MESSAGE_TYPE_SIPI		      0x80010009u
#define HV_MESSAGE_TYPE_RDTSC		      0x8001000au

#define HV_MESSAGE_FLAG_PENDING 0x01u /* more wait: write EOM after emptying the slot */

/*
 * A slot of the message page. The writer stores `type` last, with release; the reader
 * empties the slot by storing HV_MESSAGE_TYPE_NONE in `type`.
 */
struct hv_message_wire {
	uint32_t type;	      /* HV_MESSAGE_TYPE_*, or what a guest posted; 0: empty */
	uint8_t payload_size; /* 0..240 */
	uint8_t flags;	      /* HV_MESSAGE_FLAG_* */
	uint16_t reserved;
	uint64_t origin; /* port id (24 bits), partition id, or 0 for timers */
	uint8_t payload[HV_MESSAGE_PAYLOAD_MAX];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_message_wire, HV_MESSAGE_BYTES);
PROTOCOL_ASSERT_OFFSET(struct hv_message_wire, payload_size, 4);
PROTOCOL_ASSERT_OFFSET(struct hv_message_wire, flags, 5);
PROTOCOL_ASSERT_OFFSET(struct hv_message_wire, reserved, 6);
PROTOCOL_ASSERT_OFFSET(struct hv_message_wire, origin, 8);
PROTOCOL_ASSERT_OFFSET(struct hv_message_wire, payload, 16);

/* The page at SIMP: slot n belongs to SINT n. */
struct hv_message_page_wire {
	struct hv_message_wire slot[HV_SINT_COUNT];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_message_page_wire, HV_PAGE_BYTES);

/* The page at SIEFP: flag f of SINT n is bit f % 64 of flags[n][f / 64]; set atomically. */
struct hv_event_flags_page_wire {
	uint64_t flags[HV_SINT_COUNT][HV_EVENT_FLAG_COUNT / 64];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_event_flags_page_wire, HV_PAGE_BYTES);

/* 0x005c, slow, simple, no output. The hypervisor always reads the 256 bytes. */
struct hv_post_message_wire {
	uint32_t connection_id;
	uint32_t reserved;
	uint32_t message_type; /* bit 31 clear, not 0 */
	uint32_t payload_size; /* 0..240 */
	uint8_t payload[HV_MESSAGE_PAYLOAD_MAX];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_post_message_wire, 256);
PROTOCOL_ASSERT_OFFSET(struct hv_post_message_wire, reserved, 4);
PROTOCOL_ASSERT_OFFSET(struct hv_post_message_wire, message_type, 8);
PROTOCOL_ASSERT_OFFSET(struct hv_post_message_wire, payload_size, 12);
PROTOCOL_ASSERT_OFFSET(struct hv_post_message_wire, payload, 16);

/* 0x005d, may be fast, simple, no output. */
struct hv_signal_event_wire {
	uint32_t connection_id;
	uint16_t flag_number; /* relative to the port's base flag */
	uint16_t reserved;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_signal_event_wire, 8);
PROTOCOL_ASSERT_OFFSET(struct hv_signal_event_wire, flag_number, 4);
PROTOCOL_ASSERT_OFFSET(struct hv_signal_event_wire, reserved, 6);

/* The first fast parameter of HvCallSignalEvent. */
static inline uint64_t hv_signal_event_fast(uint32_t connection_id, uint16_t flag_number)
{
	return (uint64_t)connection_id | ((uint64_t)flag_number << 32);
}

/* ---- ports, for partitions that may create them -------------------------------------------- */

#define HV_PORT_TYPE_MESSAGE  1u
#define HV_PORT_TYPE_EVENT    2u
#define HV_PORT_TYPE_MONITOR  3u
#define HV_PORT_TYPE_DOORBELL 4u

struct hv_port_info_wire {
	uint32_t type; /* HV_PORT_TYPE_* */
	uint32_t reserved0;
	uint32_t target_sint;
	uint32_t target_vp;	   /* or HV_VP_INDEX_ANY */
	uint16_t base_flag_number; /* events only */
	uint16_t flag_count;	   /* events only */
	uint32_t reserved1;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_port_info_wire, 24);
PROTOCOL_ASSERT_OFFSET(struct hv_port_info_wire, target_sint, 8);
PROTOCOL_ASSERT_OFFSET(struct hv_port_info_wire, target_vp, 12);
PROTOCOL_ASSERT_OFFSET(struct hv_port_info_wire, base_flag_number, 16);
PROTOCOL_ASSERT_OFFSET(struct hv_port_info_wire, flag_count, 18);

/* 0x0095, PRIVILEGE_CREATE_PORT */
struct hv_create_port_wire {
	uint64_t port_partition;
	uint32_t port_id;
	uint8_t port_vtl;
	uint8_t min_connection_vtl;
	uint16_t reserved;
	uint64_t connection_partition;
	struct hv_port_info_wire info;
	uint64_t proximity_domain;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_create_port_wire, 56);
PROTOCOL_ASSERT_OFFSET(struct hv_create_port_wire, port_id, 8);
PROTOCOL_ASSERT_OFFSET(struct hv_create_port_wire, connection_partition, 16);
PROTOCOL_ASSERT_OFFSET(struct hv_create_port_wire, info, 24);
PROTOCOL_ASSERT_OFFSET(struct hv_create_port_wire, proximity_domain, 48);

/* 0x0096, PRIVILEGE_CONNECT_PORT */
struct hv_connect_port_wire {
	uint64_t connection_partition;
	uint32_t connection_id;
	uint8_t vtl;
	uint8_t reserved0[3];
	uint64_t port_partition;
	uint32_t port_id;
	uint32_t reserved1;
	uint32_t connection_type; /* HV_PORT_TYPE_* */
	uint32_t reserved2;
	uint64_t connection_info[3]; /* monitor, doorbell: GPA first; else 0 */
	uint64_t proximity_domain;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_connect_port_wire, 72);
PROTOCOL_ASSERT_OFFSET(struct hv_connect_port_wire, connection_id, 8);
PROTOCOL_ASSERT_OFFSET(struct hv_connect_port_wire, port_partition, 16);
PROTOCOL_ASSERT_OFFSET(struct hv_connect_port_wire, port_id, 24);
PROTOCOL_ASSERT_OFFSET(struct hv_connect_port_wire, connection_type, 32);
PROTOCOL_ASSERT_OFFSET(struct hv_connect_port_wire, connection_info, 40);
PROTOCOL_ASSERT_OFFSET(struct hv_connect_port_wire, proximity_domain, 64);

/* 0x0058 DeletePort (port id) and 0x005b DisconnectPort (connection id) */
struct hv_delete_port_wire {
	uint64_t partition;
	uint32_t id;
	uint32_t reserved;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_delete_port_wire, 16);
PROTOCOL_ASSERT_OFFSET(struct hv_delete_port_wire, id, 8);

/* ---- timers and clocks --------------------------------------------------------------------- */

#define HV_STIMER_COUNT	   4u	       /* of each VP */
#define HV_TIME_PER_SECOND 10000000ull /* 100 ns units */

/* Payload of HV_MESSAGE_TYPE_TIMER_EXPIRED. */
struct hv_timer_message_wire {
	uint32_t timer_index;
	uint32_t reserved;
	uint64_t expiration_time; /* when it was due */
	uint64_t delivery_time;	  /* when the message went into the slot */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_timer_message_wire, 24);
PROTOCOL_ASSERT_OFFSET(struct hv_timer_message_wire, expiration_time, 8);
PROTOCOL_ASSERT_OFFSET(struct hv_timer_message_wire, delivery_time, 16);

/*
 * The page at REFERENCE_TSC. time = high 64 bits of (TSC * scale) + offset, valid if
 * `sequence` is the same, and not 0, before and after reading the rest.
 */
#define HV_REFERENCE_TSC_SEQUENCE_INVALID 0u
struct hv_reference_tsc_page_wire {
	uint32_t sequence;
	uint32_t reserved0;
	uint64_t scale;
	int64_t offset;
	uint8_t reserved1[4072];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_reference_tsc_page_wire, HV_PAGE_BYTES);
PROTOCOL_ASSERT_OFFSET(struct hv_reference_tsc_page_wire, scale, 8);
PROTOCOL_ASSERT_OFFSET(struct hv_reference_tsc_page_wire, offset, 16);
PROTOCOL_ASSERT_OFFSET(struct hv_reference_tsc_page_wire, reserved1, 24);

/* The page at VP_ASSIST_PAGE. */
#define HV_APIC_ASSIST_NO_EOI_REQUIRED 0x1u
struct hv_vp_assist_page_wire {
	uint32_t apic_assist; /* HV_APIC_ASSIST_*; cleared atomically by the guest */
	uint32_t reserved0;
	uint32_t vtl_entry_reason;
	uint8_t vtl_vina_status;
	uint8_t reserved1[3];
	uint64_t vtl_return_rax;
	uint64_t vtl_return_rcx;
	uint64_t nested_control;
	uint8_t enlighten_vm_entry;
	uint8_t reserved2[7];
	uint64_t current_nested_vmcs;
	uint8_t time_unhalted_timer_expired; /* cleared by the guest */
	uint8_t reserved3[7];
	uint8_t virtualization_fault[64];
	uint8_t reserved4[3968];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_vp_assist_page_wire, HV_PAGE_BYTES);
PROTOCOL_ASSERT_OFFSET(struct hv_vp_assist_page_wire, vtl_entry_reason, 8);
PROTOCOL_ASSERT_OFFSET(struct hv_vp_assist_page_wire, vtl_vina_status, 12);
PROTOCOL_ASSERT_OFFSET(struct hv_vp_assist_page_wire, vtl_return_rax, 16);
PROTOCOL_ASSERT_OFFSET(struct hv_vp_assist_page_wire, vtl_return_rcx, 24);
PROTOCOL_ASSERT_OFFSET(struct hv_vp_assist_page_wire, nested_control, 32);
PROTOCOL_ASSERT_OFFSET(struct hv_vp_assist_page_wire, enlighten_vm_entry, 40);
PROTOCOL_ASSERT_OFFSET(struct hv_vp_assist_page_wire, current_nested_vmcs, 48);
PROTOCOL_ASSERT_OFFSET(struct hv_vp_assist_page_wire, time_unhalted_timer_expired, 56);
PROTOCOL_ASSERT_OFFSET(struct hv_vp_assist_page_wire, virtualization_fault, 64);

/* ---- sets of virtual processors ------------------------------------------------------------ */

#define HV_VP_SET_FORMAT_SPARSE 0u
#define HV_VP_SET_FORMAT_ALL	1u
#define HV_VP_SET_BANK_COUNT	64u /* bank b holds VPs 64b..64b+63 */

/*
 * Fixed part of HV_VP_SET; behind it one u64 for each set bit of bank_mask, ascending.
 * These words are the variable header of the ...Ex calls, this part is not.
 */
struct hv_vp_set_wire {
	uint64_t format; /* HV_VP_SET_FORMAT_* */
	uint64_t bank_mask;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_vp_set_wire, 16);
PROTOCOL_ASSERT_OFFSET(struct hv_vp_set_wire, bank_mask, 8);

/* ---- TLB flushes and interrupts ------------------------------------------------------------ */

#define HV_FLUSH_ALL_PROCESSORS	       0x1ull
#define HV_FLUSH_ALL_ADDRESS_SPACES    0x2ull
#define HV_FLUSH_NON_GLOBAL_ONLY       0x4ull /* not on the list calls */
#define HV_FLUSH_EXTENDED_RANGE_FORMAT 0x8ull /* FEATURE_EXTENDED_GVA_RANGES */

/* Element of a flush list: GVA page in 63..12, further pages in 11..0. */
#define HV_FLUSH_RANGE_EXTRA_PAGES_MASK 0xfffull

/* 0x0002, and the header of 0x0003 */
struct hv_flush_wire {
	uint64_t address_space; /* CR3 */
	uint64_t flags;		/* HV_FLUSH_* */
	uint64_t processor_mask;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_flush_wire, 24);
PROTOCOL_ASSERT_OFFSET(struct hv_flush_wire, flags, 8);
PROTOCOL_ASSERT_OFFSET(struct hv_flush_wire, processor_mask, 16);

/* 0x0013, and the header of 0x0014; then the banks */
struct hv_flush_ex_wire {
	uint64_t address_space;
	uint64_t flags;
	struct hv_vp_set_wire processors;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_flush_ex_wire, 32);
PROTOCOL_ASSERT_OFFSET(struct hv_flush_ex_wire, processors, 16);

#define HV_IPI_VECTOR_MIN 0x10u
#define HV_IPI_VECTOR_MAX 0xffu

/* 0x000b */
struct hv_send_ipi_wire {
	uint32_t vector;
	uint8_t vtl;
	uint8_t reserved[3];
	uint64_t processor_mask;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_send_ipi_wire, 16);
PROTOCOL_ASSERT_OFFSET(struct hv_send_ipi_wire, vtl, 4);
PROTOCOL_ASSERT_OFFSET(struct hv_send_ipi_wire, processor_mask, 8);

/* 0x0015; then the banks */
struct hv_send_ipi_ex_wire {
	uint32_t vector;
	uint8_t vtl;
	uint8_t reserved[3];
	struct hv_vp_set_wire processors;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_send_ipi_ex_wire, 24);
PROTOCOL_ASSERT_OFFSET(struct hv_send_ipi_ex_wire, vtl, 4);
PROTOCOL_ASSERT_OFFSET(struct hv_send_ipi_ex_wire, processors, 8);

/* 0x007e; with RETARGET_PROCESSOR_SET a struct hv_vp_set_wire and banks instead of the mask */
#define HV_RETARGET_MULTICAST	  0x1u
#define HV_RETARGET_PROCESSOR_SET 0x2u
struct hv_retarget_device_interrupt_wire {
	uint64_t partition_id;
	uint64_t device_id;
	uint32_t entry_source; /* 1: MSI */
	uint32_t entry_reserved;
	uint32_t entry_address;
	uint32_t entry_data;
	uint64_t reserved;
	uint32_t vector;
	uint32_t flags; /* HV_RETARGET_* */
	uint64_t processor_mask;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_retarget_device_interrupt_wire, 56);
PROTOCOL_ASSERT_OFFSET(struct hv_retarget_device_interrupt_wire, device_id, 8);
PROTOCOL_ASSERT_OFFSET(struct hv_retarget_device_interrupt_wire, entry_source, 16);
PROTOCOL_ASSERT_OFFSET(struct hv_retarget_device_interrupt_wire, reserved, 32);
PROTOCOL_ASSERT_OFFSET(struct hv_retarget_device_interrupt_wire, vector, 40);
PROTOCOL_ASSERT_OFFSET(struct hv_retarget_device_interrupt_wire, flags, 44);
PROTOCOL_ASSERT_OFFSET(struct hv_retarget_device_interrupt_wire, processor_mask, 48);

/* 0x0008, may be fast; always succeeds */
struct hv_notify_long_spin_wait_wire {
	uint32_t spin_count;
	uint32_t reserved;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_notify_long_spin_wait_wire, 8);

/* ---- debugging, PRIVILEGE_DEBUGGING ------------------------------------------------------- */

/* 0x0069; then `count` bytes, in the same page */
struct hv_post_debug_data_wire {
	uint32_t count;
	uint32_t options; /* 0 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_post_debug_data_wire, 8);
PROTOCOL_ASSERT_OFFSET(struct hv_post_debug_data_wire, options, 4);

struct hv_post_debug_data_output_wire {
	uint32_t pending_count; /* bytes that were not taken */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_post_debug_data_output_wire, 4);

/* 0x006a */
struct hv_retrieve_debug_data_wire {
	uint32_t count;
	uint32_t options; /* 0 */
	uint64_t timeout;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_retrieve_debug_data_wire, 16);
PROTOCOL_ASSERT_OFFSET(struct hv_retrieve_debug_data_wire, timeout, 8);

/* then the data */
struct hv_retrieve_debug_data_output_wire {
	uint32_t retrieved_count;
	uint32_t remaining_count;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_retrieve_debug_data_output_wire, 8);
PROTOCOL_ASSERT_OFFSET(struct hv_retrieve_debug_data_output_wire, remaining_count, 4);

/* 0x006b, may be fast */
struct hv_reset_debug_session_wire {
	uint32_t options; /* 0 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_reset_debug_session_wire, 4);

/* ---- virtual processors -------------------------------------------------------------------- */

/* Register names that every architecture shares; x64 ones: HV_X64_REGISTER_*. */
#define HV_REGISTER_INTERNAL_ACTIVITY_STATE 0x00000004u
#define HV_REGISTER_HYPERVISOR_VERSION	    0x00000100u
#define HV_REGISTER_CRASH_P0		    0x00000210u /* .. P4 0x214 */
#define HV_REGISTER_CRASH_CTL		    0x00000215u
#define HV_REGISTER_TSC_FREQUENCY	    0x00000240u
#define HV_REGISTER_APIC_FREQUENCY	    0x00000241u
#define HV_REGISTER_GUEST_IDLE		    0x00000250u
#define HV_REGISTER_VP_RUNTIME		    0x00090000u
#define HV_REGISTER_GUEST_OS_ID		    0x00090002u
#define HV_REGISTER_VP_INDEX		    0x00090003u
#define HV_REGISTER_TIME_REF_COUNT	    0x00090004u
#define HV_REGISTER_VP_ASSIST_PAGE	    0x00090013u
#define HV_REGISTER_REFERENCE_TSC	    0x00090017u
#define HV_REGISTER_REFERENCE_TSC_SEQUENCE  0x0009001au
#define HV_REGISTER_SINT0		    0x000a0000u /* .. SINT15 0x000a000f */
#define HV_REGISTER_SCONTROL		    0x000a0010u
#define HV_REGISTER_SVERSION		    0x000a0011u
#define HV_REGISTER_SIEFP		    0x000a0012u
#define HV_REGISTER_SIMP		    0x000a0013u
#define HV_REGISTER_EOM			    0x000a0014u
#define HV_REGISTER_SIRBP		    0x000a0015u
#define HV_REGISTER_STIMER0_CONFIG	    0x000b0000u /* + 2n */
#define HV_REGISTER_STIMER0_COUNT	    0x000b0001u /* + 2n */
#define HV_REGISTER_UNHALTED_TIMER_CONFIG   0x000b0100u
#define HV_REGISTER_UNHALTED_TIMER_COUNT    0x000b0101u

/* Header of 0x0050 and 0x0051, and of other calls that name a VP. */
struct hv_vp_registers_header_wire {
	uint64_t partition_id;
	uint32_t vp_index;
	uint8_t vtl;
	uint8_t reserved[3];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_vp_registers_header_wire, 16);
PROTOCOL_ASSERT_OFFSET(struct hv_vp_registers_header_wire, vp_index, 8);
PROTOCOL_ASSERT_OFFSET(struct hv_vp_registers_header_wire, vtl, 12);

struct hv_register_value_wire {
	uint64_t low;
	uint64_t high;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_register_value_wire, 16);

/* Get: input element is the u32 name, output element a value. Set: this element. */
struct hv_set_register_wire {
	uint32_t name;
	uint8_t reserved[12];
	struct hv_register_value_wire value;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_set_register_wire, 32);
PROTOCOL_ASSERT_OFFSET(struct hv_set_register_wire, value, 16);

struct hv_x64_segment_wire {
	uint64_t base;
	uint32_t limit;
	uint16_t selector;
	uint16_t attributes;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_x64_segment_wire, 16);
PROTOCOL_ASSERT_OFFSET(struct hv_x64_segment_wire, selector, 12);

struct hv_x64_table_wire {
	uint16_t reserved[3];
	uint16_t limit;
	uint64_t base;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_x64_table_wire, 16);
PROTOCOL_ASSERT_OFFSET(struct hv_x64_table_wire, limit, 6);
PROTOCOL_ASSERT_OFFSET(struct hv_x64_table_wire, base, 8);

/* State in which a VP starts. */
struct hv_x64_vp_context_wire {
	uint64_t rip;
	uint64_t rsp;
	uint64_t rflags;
	struct hv_x64_segment_wire cs, ds, es, fs, gs, ss, tr, ldtr;
	struct hv_x64_table_wire idtr, gdtr;
	uint64_t efer;
	uint64_t cr0;
	uint64_t cr3;
	uint64_t cr4;
	uint64_t pat;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_x64_vp_context_wire, 224);
PROTOCOL_ASSERT_OFFSET(struct hv_x64_vp_context_wire, cs, 24);
PROTOCOL_ASSERT_OFFSET(struct hv_x64_vp_context_wire, idtr, 152);
PROTOCOL_ASSERT_OFFSET(struct hv_x64_vp_context_wire, efer, 184);
PROTOCOL_ASSERT_OFFSET(struct hv_x64_vp_context_wire, pat, 216);

/* 0x0099 */
struct hv_start_virtual_processor_wire {
	struct hv_vp_registers_header_wire header;
	struct hv_x64_vp_context_wire context;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_start_virtual_processor_wire, 240);
PROTOCOL_ASSERT_OFFSET(struct hv_start_virtual_processor_wire, context, 16);

/* Header of 0x009a; then u32 APIC ids; output u32 VP indices */
struct hv_get_vp_index_header_wire {
	uint64_t partition_id;
	uint8_t vtl;
	uint8_t reserved[7];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_get_vp_index_header_wire, 16);
PROTOCOL_ASSERT_OFFSET(struct hv_get_vp_index_header_wire, vtl, 8);

/* 0x0052 */
struct hv_translate_wire {
	uint64_t partition_id;
	uint32_t vp_index;
	uint32_t reserved;
	uint64_t control_flags;
	uint64_t gva_page;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_translate_wire, 32);
PROTOCOL_ASSERT_OFFSET(struct hv_translate_wire, control_flags, 16);
PROTOCOL_ASSERT_OFFSET(struct hv_translate_wire, gva_page, 24);

struct hv_translate_output_wire {
	uint32_t result_code;
	uint8_t cache_type;
	uint8_t overlay_page;
	uint16_t reserved;
	uint64_t gpa_page;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_translate_output_wire, 16);
PROTOCOL_ASSERT_OFFSET(struct hv_translate_output_wire, cache_type, 4);
PROTOCOL_ASSERT_OFFSET(struct hv_translate_output_wire, gpa_page, 8);

/* ---- extended calls ------------------------------------------------------------------------ */

/* Output of 0x8001: bit n says that call 0x8002 + n exists. */
#define HV_EXT_CAPABILITY_BOOT_ZEROED_MEMORY	 (1ull << 0)
#define HV_EXT_CAPABILITY_MEMORY_HEAT_HINT	 (1ull << 1)
#define HV_EXT_CAPABILITY_EPF_SETUP		 (1ull << 2)
#define HV_EXT_CAPABILITY_SCHEDULER_ASSIST	 (1ull << 3)
#define HV_EXT_CAPABILITY_MEMORY_HEAT_HINT_ASYNC (1ull << 4)

/* Output of 0x8002: a u64 count (≤ 255), then that many of these */
#define HV_EXT_BOOT_ZEROED_RANGES_MAX 255u
struct hv_ext_zeroed_range_wire {
	uint64_t start_page;
	uint64_t page_count;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct hv_ext_zeroed_range_wire, 16);

#ifdef __cplusplus
}
#endif

#endif
