// SPDX-License-Identifier: Apache-2.0
/*
 * The hypervisor interface, the part that is peculiar to x86-64: CPUID leaves, model-
 * specific registers, and the names of the x64 registers.
 *
 *	guest: is this a Hyper-V compatible hypervisor, and what may I use?
 *	   |  CPUID 0x40000000..        RDMSR, WRMSR 0x40000000..
 *	host: promises exactly what it does
 *
 * The part that every architecture shares (hypercalls, SynIC, timers, pages) is in
 * protocol/hypervisor.h, which includes this file. Rules: protocol/hypervisor.md.
 *
 * Names are those of the TLFS, with HV_ in front: HV_PRIVILEGE_ bits of leaf 3 EAX and
 * EBX taken as one 64-bit mask, HV_FEATURE_ bits of leaf 3 EDX, HV_RECOMMEND_ bits of
 * leaf 4 EAX, HV_HARDWARE_ bits of leaf 6 EAX. Bits and registers that only Microsoft's
 * open sources name are marked so: the TLFS calls them reserved.
 *
 * Threads: constants only.
 * Sources: TLFS; Microsoft's UEFI firmware (mu_msvm) and OpenVMM for the marked names.
 */
#ifndef PROTOCOL_HYPERVISOR_X86_H
#define PROTOCOL_HYPERVISOR_X86_H

#include <stdint.h>

/* ---- CPUID --------------------------------------------------------------------------------- */

#define HV_CPUID_1_ECX_HYPERVISOR_PRESENT (1u << 31)

#define HV_CPUID_VENDOR_AND_MAX	   0x40000000u
#define HV_CPUID_INTERFACE	   0x40000001u
#define HV_CPUID_VERSION	   0x40000002u
#define HV_CPUID_FEATURES	   0x40000003u
#define HV_CPUID_RECOMMENDATIONS   0x40000004u
#define HV_CPUID_LIMITS		   0x40000005u
#define HV_CPUID_HARDWARE	   0x40000006u
#define HV_CPUID_CPU_MANAGEMENT	   0x40000007u /* root partition only */
#define HV_CPUID_SVM		   0x40000008u /* root partition only */
#define HV_CPUID_NESTED_PRIVILEGES 0x40000009u
#define HV_CPUID_NESTED_FEATURES   0x4000000au
#define HV_CPUID_ISOLATION	   0x4000000cu
#define HV_CPUID_MIN_MAX_LEAF	   0x40000005u /* what leaf 0 EAX reports at least */

/* Leaf 0: EBX, ECX, EDX of "Microsoft Hv". Informational; never decide by it. */
#define HV_CPUID_VENDOR_EBX 0x7263694du
#define HV_CPUID_VENDOR_ECX 0x666f736fu
#define HV_CPUID_VENDOR_EDX 0x76482074u

/* Leaf 1 EAX: the interface signature. This decides. */
#define HV_CPUID_INTERFACE_HV1 0x31237648u /* "Hv#1" */

/* Leaf 3 EAX (bits 0..31) and EBX (bits 32..63): the partition's privileges. */
#define HV_PRIVILEGE_ACCESS_VP_RUNTIME		(1ull << 0)
#define HV_PRIVILEGE_ACCESS_REFERENCE_COUNTER	(1ull << 1)
#define HV_PRIVILEGE_ACCESS_SYNIC		(1ull << 2)
#define HV_PRIVILEGE_ACCESS_SYNTHETIC_TIMERS	(1ull << 3)
#define HV_PRIVILEGE_ACCESS_INTERRUPT_CONTROL	(1ull << 4)
#define HV_PRIVILEGE_ACCESS_HYPERCALL_MSRS	(1ull << 5)
#define HV_PRIVILEGE_ACCESS_VP_INDEX		(1ull << 6)
#define HV_PRIVILEGE_ACCESS_RESET		(1ull << 7)
#define HV_PRIVILEGE_ACCESS_STATS_REG		(1ull << 8)
#define HV_PRIVILEGE_ACCESS_REFERENCE_TSC	(1ull << 9)
#define HV_PRIVILEGE_ACCESS_GUEST_IDLE		(1ull << 10)
#define HV_PRIVILEGE_ACCESS_FREQUENCIES		(1ull << 11)
#define HV_PRIVILEGE_ACCESS_DEBUG_MSRS		(1ull << 12) /* reserved in the TLFS */
#define HV_PRIVILEGE_ACCESS_REENLIGHTENMENT	(1ull << 13)
#define HV_PRIVILEGE_ACCESS_ROOT_SCHEDULER	(1ull << 14) /* reserved in the TLFS */
#define HV_PRIVILEGE_ACCESS_TSC_INVARIANT	(1ull << 15) /* reserved in the TLFS */
#define HV_PRIVILEGE_CREATE_PARTITIONS		(1ull << 32)
#define HV_PRIVILEGE_ACCESS_PARTITION_ID	(1ull << 33)
#define HV_PRIVILEGE_ACCESS_MEMORY_POOL		(1ull << 34)
#define HV_PRIVILEGE_POST_MESSAGES		(1ull << 36)
#define HV_PRIVILEGE_SIGNAL_EVENTS		(1ull << 37)
#define HV_PRIVILEGE_CREATE_PORT		(1ull << 38)
#define HV_PRIVILEGE_CONNECT_PORT		(1ull << 39)
#define HV_PRIVILEGE_ACCESS_STATS		(1ull << 40)
#define HV_PRIVILEGE_DEBUGGING			(1ull << 43)
#define HV_PRIVILEGE_CPU_MANAGEMENT		(1ull << 44)
#define HV_PRIVILEGE_CONFIGURE_PROFILER		(1ull << 45) /* reserved in the TLFS */
#define HV_PRIVILEGE_ACCESS_VP_EXIT_TRACING	(1ull << 46) /* reserved in the TLFS */
#define HV_PRIVILEGE_EXTENDED_GVA_RANGES	(1ull << 47) /* reserved in the TLFS */
#define HV_PRIVILEGE_ACCESS_VSM			(1ull << 48)
#define HV_PRIVILEGE_ACCESS_VP_REGISTERS	(1ull << 49)
#define HV_PRIVILEGE_FAST_HYPERCALL_OUTPUT	(1ull << 51) /* reserved in the TLFS */
#define HV_PRIVILEGE_ENABLE_EXTENDED_HYPERCALLS (1ull << 52)
#define HV_PRIVILEGE_START_VIRTUAL_PROCESSOR	(1ull << 53)
#define HV_PRIVILEGE_ISOLATION			(1ull << 54) /* reserved in the TLFS */

/* Leaf 3 ECX */
#define HV_POWER_DEEPEST_C_STATE_MASK	  0x0000000fu
#define HV_POWER_HPET_NEEDED_FOR_C3	  (1u << 4) /* deprecated */
#define HV_POWER_INVARIANT_MPERF	  (1u << 5)
#define HV_POWER_SUPERVISOR_SHADOW_STACK  (1u << 6)
#define HV_POWER_ARCHITECTURAL_PMU	  (1u << 7)
#define HV_POWER_EXCEPTION_TRAP_INTERCEPT (1u << 8)

/* Leaf 3 EDX */
#define HV_FEATURE_MWAIT		    (1u << 0) /* deprecated */
#define HV_FEATURE_GUEST_DEBUGGING	    (1u << 1)
#define HV_FEATURE_PERFORMANCE_MONITORS	    (1u << 2)
#define HV_FEATURE_CPU_DYNAMIC_PARTITIONING (1u << 3)
#define HV_FEATURE_XMM_HYPERCALL_INPUT	    (1u << 4)
#define HV_FEATURE_GUEST_IDLE		    (1u << 5)
#define HV_FEATURE_HYPERVISOR_SLEEP_STATE   (1u << 6)
#define HV_FEATURE_NUMA_DISTANCE_QUERY	    (1u << 7)
#define HV_FEATURE_FREQUENCIES		    (1u << 8)
#define HV_FEATURE_SYNTHETIC_MACHINE_CHECK  (1u << 9)
#define HV_FEATURE_GUEST_CRASH_MSRS	    (1u << 10)
#define HV_FEATURE_DEBUG_MSRS		    (1u << 11)
#define HV_FEATURE_NPIEP		    (1u << 12)
#define HV_FEATURE_DISABLE_HYPERVISOR	    (1u << 13)
#define HV_FEATURE_EXTENDED_GVA_RANGES	    (1u << 14)
#define HV_FEATURE_XMM_HYPERCALL_OUTPUT	    (1u << 15)
#define HV_FEATURE_SVM			    (1u << 16) /* reserved in the TLFS */
#define HV_FEATURE_SINT_POLLING		    (1u << 17)
#define HV_FEATURE_HYPERCALL_MSR_LOCK	    (1u << 18)
#define HV_FEATURE_DIRECT_SYNTHETIC_TIMERS  (1u << 19)
#define HV_FEATURE_VSM_PAT		    (1u << 20)
#define HV_FEATURE_VSM_BNDCFGS		    (1u << 21)
#define HV_FEATURE_WATCHDOG_TIMER	    (1u << 22) /* reserved in the TLFS */
#define HV_FEATURE_SYNTHETIC_TIME_UNHALTED  (1u << 23)
#define HV_FEATURE_DEVICE_DOMAINS	    (1u << 24) /* reserved in the TLFS */
#define HV_FEATURE_STAGE1_DEVICE_DOMAINS    (1u << 25) /* reserved in the TLFS */
#define HV_FEATURE_LBR			    (1u << 26)
#define HV_FEATURE_IPT			    (1u << 27) /* reserved in the TLFS */
#define HV_FEATURE_CROSS_VTL_FLUSH	    (1u << 28) /* reserved in the TLFS */
#define HV_FEATURE_IDLE_SPEC_CTRL	    (1u << 29) /* reserved in the TLFS */
#define HV_FEATURE_TRANSLATE_GVA_FLAGS	    (1u << 30) /* reserved in the TLFS */
#define HV_FEATURE_APIC_EOI_INTERCEPT	    (1u << 31) /* reserved in the TLFS */

/* Leaf 4 EAX */
#define HV_RECOMMEND_ADDRESS_SPACE_SWITCH   (1u << 0)
#define HV_RECOMMEND_LOCAL_FLUSH	    (1u << 1)
#define HV_RECOMMEND_REMOTE_FLUSH	    (1u << 2)
#define HV_RECOMMEND_APIC_MSRS		    (1u << 3)
#define HV_RECOMMEND_RESET_MSR		    (1u << 4)
#define HV_RECOMMEND_RELAXED_TIMING	    (1u << 5)
#define HV_RECOMMEND_DMA_REMAPPING	    (1u << 6)
#define HV_RECOMMEND_INTERRUPT_REMAPPING    (1u << 7)
#define HV_RECOMMEND_X2APIC_MSRS	    (1u << 8) /* reserved in the TLFS */
#define HV_RECOMMEND_NO_AUTO_EOI	    (1u << 9) /* AutoEOI is deprecated */
#define HV_RECOMMEND_CLUSTER_IPI	    (1u << 10)
#define HV_RECOMMEND_EX_PROCESSOR_MASKS	    (1u << 11)
#define HV_RECOMMEND_NESTED		    (1u << 12) /* itself under Hyper-V */
#define HV_RECOMMEND_INT_FOR_MBEC_CALLS	    (1u << 13)
#define HV_RECOMMEND_ENLIGHTENED_VMCS	    (1u << 14)
#define HV_RECOMMEND_SYNCED_TIMELINE	    (1u << 15)
#define HV_RECOMMEND_CORE_SCHEDULER	    (1u << 16) /* reserved in the TLFS */
#define HV_RECOMMEND_DIRECT_LOCAL_FLUSH	    (1u << 17)
#define HV_RECOMMEND_NO_CORE_SHARING	    (1u << 18)
#define HV_RECOMMEND_X2APIC		    (1u << 19) /* reserved in the TLFS */
#define HV_RECOMMEND_RESTORE_TIME_ON_RESUME (1u << 20) /* reserved in the TLFS */
#define HV_RECOMMEND_MMIO_HYPERCALLS	    (1u << 21) /* reserved in the TLFS */
#define HV_RECOMMEND_GPA_PINNING	    (1u << 22) /* reserved in the TLFS */
#define HV_RECOMMEND_WAKE_VPS		    (1u << 23) /* reserved in the TLFS */

/* Leaf 4 EBX: attempts on a spin lock before HvCallNotifyLongSpinWait. */
#define HV_SPIN_NEVER_NOTIFY 0xffffffffu
/* Leaf 4 ECX bits 0..6: physical address bits implemented; 0: not reported. */
#define HV_RECOMMEND_ECX_ADDRESS_BITS_MASK 0x7fu

/* Leaf 5: EAX, EBX, ECX are limits; 0 means not exposed. EAX is the number of VPs. */

/* Leaf 6 EAX */
#define HV_HARDWARE_APIC_OVERLAY_ASSIST	     (1u << 0)
#define HV_HARDWARE_MSR_BITMAPS		     (1u << 1)
#define HV_HARDWARE_PERFORMANCE_COUNTERS     (1u << 2)
#define HV_HARDWARE_SECOND_LEVEL_TRANSLATION (1u << 3)
#define HV_HARDWARE_DMA_REMAPPING	     (1u << 4)
#define HV_HARDWARE_INTERRUPT_REMAPPING	     (1u << 5)
#define HV_HARDWARE_MEMORY_PATROL_SCRUBBER   (1u << 6)
#define HV_HARDWARE_DMA_PROTECTION	     (1u << 7)
#define HV_HARDWARE_HPET_REQUESTED	     (1u << 8)
#define HV_HARDWARE_TIMERS_VOLATILE	     (1u << 9)
#define HV_HARDWARE_LEVEL_SHIFT		     10u /* 4 bits: nesting level of this guest */
#define HV_HARDWARE_LEVEL_MASK		     (0xfu << 10)
#define HV_HARDWARE_PHYSICAL_DESTINATION     (1u << 14)
#define HV_HARDWARE_VMFUNC_ALIAS_MAP	     (1u << 15)
#define HV_HARDWARE_MEMORY_ZEROING	     (1u << 16)
#define HV_HARDWARE_UNRESTRICTED_GUEST	     (1u << 17)
#define HV_HARDWARE_RDT_ALLOCATION	     (1u << 18)
#define HV_HARDWARE_RDT_MONITORING	     (1u << 19)
#define HV_HARDWARE_GUEST_PMU		     (1u << 20)
#define HV_HARDWARE_GUEST_LBR		     (1u << 21)
#define HV_HARDWARE_GUEST_IPT		     (1u << 22)
#define HV_HARDWARE_APIC_EMULATION	     (1u << 23)
#define HV_HARDWARE_ACPI_WDAT		     (1u << 24)

/* Leaf 9 EAX (privileges below this hypervisor) and EDX */
#define HV_NESTED_ACCESS_SYNIC		   (1u << 2)
#define HV_NESTED_ACCESS_INTERRUPT_CONTROL (1u << 4)
#define HV_NESTED_ACCESS_HYPERCALL_MSRS	   (1u << 5)
#define HV_NESTED_ACCESS_VP_INDEX	   (1u << 6)
#define HV_NESTED_ACCESS_REENLIGHTENMENT   (1u << 12) /* bit 13 in leaf 3 */
#define HV_NESTED_EDX_XMM_HYPERCALL_INPUT  (1u << 4)
#define HV_NESTED_EDX_XMM_HYPERCALL_OUTPUT (1u << 15)
#define HV_NESTED_EDX_SINT_POLLING	   (1u << 17)

/* Leaf 0xA EAX and EBX */
#define HV_NESTED_EVMCS_VERSION_LOW_MASK  0x000000ffu
#define HV_NESTED_EVMCS_VERSION_HIGH_MASK 0x0000ff00u
#define HV_NESTED_DIRECT_FLUSH		  (1u << 17)
#define HV_NESTED_GUEST_PHYSICAL_FLUSH	  (1u << 18)
#define HV_NESTED_MSR_BITMAP		  (1u << 19)
#define HV_NESTED_EXCEPTION_COMBINING	  (1u << 20)
#define HV_NESTED_DEBUGCTL		  (1u << 21)
#define HV_NESTED_NPT_ENLIGHTENED_TLB	  (1u << 22)
#define HV_NESTED_EBX_PERF_GLOBAL_CTRL	  (1u << 0)

/* Leaf 0xC EAX and EBX */
#define HV_ISOLATION_PARAVISOR_PRESENT	 (1u << 0)
#define HV_ISOLATION_EBX_TYPE_MASK	 0xfu
#define HV_ISOLATION_EBX_BOUNDARY_ACTIVE (1u << 5)
#define HV_ISOLATION_EBX_BOUNDARY_SHIFT	 6u
#define HV_ISOLATION_EBX_BOUNDARY_MASK	 (0x3fu << 6)
#define HV_ISOLATION_TYPE_NONE		 0u
#define HV_ISOLATION_TYPE_VBS		 1u
#define HV_ISOLATION_TYPE_SNP		 2u
#define HV_ISOLATION_TYPE_TDX		 3u

/* ---- model-specific registers -------------------------------------------------------------- */

#define HV_X64_MSR_FIRST 0x40000000u
#define HV_X64_MSR_LAST	 0x400001ffu

#define HV_X64_MSR_GUEST_OS_ID		       0x40000000u
#define HV_X64_MSR_HYPERCALL		       0x40000001u
#define HV_X64_MSR_VP_INDEX		       0x40000002u
#define HV_X64_MSR_RESET		       0x40000003u
#define HV_X64_MSR_VP_RUNTIME		       0x40000010u
#define HV_X64_MSR_TIME_REF_COUNT	       0x40000020u
#define HV_X64_MSR_REFERENCE_TSC	       0x40000021u
#define HV_X64_MSR_TSC_FREQUENCY	       0x40000022u
#define HV_X64_MSR_APIC_FREQUENCY	       0x40000023u
#define HV_X64_MSR_NPIEP_CONFIG		       0x40000040u
#define HV_X64_MSR_EOI			       0x40000070u
#define HV_X64_MSR_ICR			       0x40000071u
#define HV_X64_MSR_TPR			       0x40000072u
#define HV_X64_MSR_VP_ASSIST_PAGE	       0x40000073u
#define HV_X64_MSR_SCONTROL		       0x40000080u
#define HV_X64_MSR_SVERSION		       0x40000081u
#define HV_X64_MSR_SIEFP		       0x40000082u
#define HV_X64_MSR_SIMP			       0x40000083u
#define HV_X64_MSR_EOM			       0x40000084u
#define HV_X64_MSR_SINT0		       0x40000090u /* .. 0x4000009f: SINT0..SINT15 */
#define HV_X64_MSR_SINT15		       0x4000009fu
#define HV_X64_MSR_STIMER0_CONFIG	       0x400000b0u /* + 2n: timer n, 0..3 */
#define HV_X64_MSR_STIMER0_COUNT	       0x400000b1u /* + 2n: timer n, 0..3 */
#define HV_X64_MSR_STIMER3_COUNT	       0x400000b7u
#define HV_X64_MSR_STATS_PARTITION_RETAIL      0x400000e0u /* older TLFS; withdrawn */
#define HV_X64_MSR_STATS_PARTITION_INTERNAL    0x400000e1u /* older TLFS; withdrawn */
#define HV_X64_MSR_STATS_VP_RETAIL	       0x400000e2u /* older TLFS; withdrawn */
#define HV_X64_MSR_STATS_VP_INTERNAL	       0x400000e3u /* older TLFS; withdrawn */
#define HV_X64_MSR_GUEST_IDLE		       0x400000f0u
#define HV_X64_MSR_SYNDBG_CONTROL	       0x400000f1u /* not in the TLFS; .. 0xf5, 0xff */
#define HV_X64_MSR_SYNDBG_STATUS	       0x400000f2u
#define HV_X64_MSR_SYNDBG_SEND_BUFFER	       0x400000f3u
#define HV_X64_MSR_SYNDBG_RECEIVE_BUFFER       0x400000f4u
#define HV_X64_MSR_SYNDBG_PENDING_BUFFER       0x400000f5u
#define HV_X64_MSR_SYNDBG_OPTIONS	       0x400000ffu
#define HV_X64_MSR_CRASH_P0		       0x40000100u /* .. 0x40000104: P0..P4 */
#define HV_X64_MSR_CRASH_P4		       0x40000104u
#define HV_X64_MSR_CRASH_CTL		       0x40000105u
#define HV_X64_MSR_REENLIGHTENMENT_CONTROL     0x40000106u
#define HV_X64_MSR_TSC_EMULATION_CONTROL       0x40000107u
#define HV_X64_MSR_TSC_EMULATION_STATUS	       0x40000108u
#define HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG 0x40000114u
#define HV_X64_MSR_STIME_UNHALTED_TIMER_COUNT  0x40000115u
#define HV_X64_MSR_TSC_INVARIANT_CONTROL       0x40000118u
#define HV_X64_MSR_NESTED_VP_INDEX	       0x40001002u
#define HV_X64_MSR_NESTED_SCONTROL	       0x40001080u
#define HV_X64_MSR_NESTED_SVERSION	       0x40001081u
#define HV_X64_MSR_NESTED_SIEFP		       0x40001082u
#define HV_X64_MSR_NESTED_SIMP		       0x40001083u
#define HV_X64_MSR_NESTED_EOM		       0x40001084u
#define HV_X64_MSR_NESTED_SINT0		       0x40001090u /* .. 0x4000109f */

/* Registers that hold a page: HYPERCALL, REFERENCE_TSC, VP_ASSIST_PAGE, SIEFP, SIMP. */
#define HV_MSR_PAGE_ENABLE	 (1ull << 0)
#define HV_MSR_PAGE_ADDRESS_MASK 0xfffffffffffff000ull /* the GPA of the page */
#define HV_MSR_HYPERCALL_LOCKED	 (1ull << 1)	       /* FEATURE_HYPERCALL_MSR_LOCK */

/* GUEST_OS_ID: two layouts, told apart by bit 63. Hosts check only that it is not 0. */
#define HV_OS_ID_OPEN_SOURCE	  (1ull << 63)
#define HV_OS_ID_BUILD_SHIFT	  0u  /* 16 bits, both layouts */
#define HV_OS_ID_SERVICE_SHIFT	  16u /* 8 bits, proprietary */
#define HV_OS_ID_MINOR_SHIFT	  24u /* 8 bits, proprietary */
#define HV_OS_ID_MAJOR_SHIFT	  32u /* 8 bits, proprietary */
#define HV_OS_ID_OS_SHIFT	  40u /* 8 bits, proprietary */
#define HV_OS_ID_VENDOR_SHIFT	  48u /* 15 bits, proprietary */
#define HV_OS_ID_VERSION_SHIFT	  16u /* 32 bits, open source */
#define HV_OS_ID_SPECIFIC_SHIFT	  48u /* 8 bits, open source */
#define HV_OS_ID_TYPE_SHIFT	  56u /* 7 bits, open source */
#define HV_OS_ID_VENDOR_MICROSOFT 1u
#define HV_OS_ID_TYPE_LINUX	  1u
#define HV_OS_ID_TYPE_FREEBSD	  2u
#define HV_OS_ID_TYPE_XEN	  3u
#define HV_OS_ID_TYPE_ILLUMOS	  4u

#define HV_RESET_NOW (1ull << 0)

/* NPIEP_CONFIG: instructions that fault outside CPL 0 */
#define HV_NPIEP_SGDT (1ull << 0)
#define HV_NPIEP_SIDT (1ull << 1)
#define HV_NPIEP_SLDT (1ull << 2)
#define HV_NPIEP_STR  (1ull << 3)

#define HV_TPR_MASK 0xffull /* the rest must be written 0 */

#define HV_SCONTROL_ENABLE (1ull << 0)
#define HV_SVERSION_VALUE  1ull

/* SINT0..SINT15 */
#define HV_SINT_VECTOR_MASK  0xffull
#define HV_SINT_MASKED	     (1ull << 16)
#define HV_SINT_AUTO_EOI     (1ull << 17)
#define HV_SINT_POLLING	     (1ull << 18) /* FEATURE_SINT_POLLING */
#define HV_SINT_AS_INTERCEPT (1ull << 19) /* reserved in the TLFS */
#define HV_SINT_PROXY	     (1ull << 20) /* reserved in the TLFS */
#define HV_SINT_RESET	     HV_SINT_MASKED
#define HV_SINT_MIN_VECTOR   16u

/* STIMERn_CONFIG; STIMERn_COUNT is in 100 ns: a deadline, or a period if periodic */
#define HV_STIMER_ENABLED	(1ull << 0)
#define HV_STIMER_PERIODIC	(1ull << 1)
#define HV_STIMER_LAZY		(1ull << 2)
#define HV_STIMER_AUTO_ENABLE	(1ull << 3)
#define HV_STIMER_VECTOR_SHIFT	4u
#define HV_STIMER_VECTOR_MASK	(0xffull << 4)
#define HV_STIMER_DIRECT_MODE	(1ull << 12) /* FEATURE_DIRECT_SYNTHETIC_TIMERS */
#define HV_STIMER_SINT_SHIFT	16u
#define HV_STIMER_SINT_MASK	(0xfull << 16)
#define HV_STIMER_RESERVED_MASK 0xfffffffffff0e000ull /* must be written 0 */

/* CRASH_CTL: written to report, read for what may be reported */
#define HV_CRASH_NOTIFY		 (1ull << 63)
#define HV_CRASH_MESSAGE	 (1ull << 62) /* P3: GPA of the text, P4: its bytes */
#define HV_CRASH_NO_DUMP	 (1ull << 61)
#define HV_CRASH_PRE_OS_ID_SHIFT 58u
#define HV_CRASH_PRE_OS_ID_MASK	 (7ull << 58)
#define HV_CRASH_MESSAGE_MAX	 4096u

#define HV_REENLIGHTENMENT_VECTOR_MASK	   0xffull
#define HV_REENLIGHTENMENT_ENABLED	   (1ull << 16)
#define HV_REENLIGHTENMENT_TARGET_VP_SHIFT 32u
#define HV_TSC_EMULATION_ENABLED	   (1ull << 0) /* CONTROL */
#define HV_TSC_EMULATION_IN_PROGRESS	   (1ull << 0) /* STATUS */
#define HV_TSC_INVARIANT_EXPOSE		   (1ull << 0) /* CPUID 0x80000007 EDX bit 8 */

/* STIME_UNHALTED_TIMER_CONFIG */
#define HV_UNHALTED_TIMER_VECTOR_MASK 0xffull
#define HV_UNHALTED_TIMER_ENABLED     (1ull << 8)

/* ---- x64 register names, for HvCallGetVpRegisters and HvCallSetVpRegisters ----------------- */

#define HV_X64_REGISTER_RAX		     0x00020000u /* rcx rdx rbx rsp rbp rsi rdi r8.. */
#define HV_X64_REGISTER_R15		     0x0002000fu
#define HV_X64_REGISTER_RIP		     0x00020010u
#define HV_X64_REGISTER_RFLAGS		     0x00020011u
#define HV_X64_REGISTER_XMM0		     0x00030000u /* .. 0x0003000f */
#define HV_X64_REGISTER_FP_MMX0		     0x00030010u /* .. 0x00030017 */
#define HV_X64_REGISTER_FP_CONTROL_STATUS    0x00030018u
#define HV_X64_REGISTER_XMM_CONTROL_STATUS   0x00030019u
#define HV_X64_REGISTER_CR0		     0x00040000u
#define HV_X64_REGISTER_CR2		     0x00040001u
#define HV_X64_REGISTER_CR3		     0x00040002u
#define HV_X64_REGISTER_CR4		     0x00040003u
#define HV_X64_REGISTER_CR8		     0x00040004u
#define HV_X64_REGISTER_XFEM		     0x00040005u
#define HV_X64_REGISTER_DR0		     0x00050000u /* .. DR3 */
#define HV_X64_REGISTER_DR6		     0x00050004u
#define HV_X64_REGISTER_DR7		     0x00050005u
#define HV_X64_REGISTER_ES		     0x00060000u
#define HV_X64_REGISTER_CS		     0x00060001u
#define HV_X64_REGISTER_SS		     0x00060002u
#define HV_X64_REGISTER_DS		     0x00060003u
#define HV_X64_REGISTER_FS		     0x00060004u
#define HV_X64_REGISTER_GS		     0x00060005u
#define HV_X64_REGISTER_LDTR		     0x00060006u
#define HV_X64_REGISTER_TR		     0x00060007u
#define HV_X64_REGISTER_IDTR		     0x00070000u
#define HV_X64_REGISTER_GDTR		     0x00070001u
#define HV_X64_REGISTER_TSC		     0x00080000u
#define HV_X64_REGISTER_EFER		     0x00080001u
#define HV_X64_REGISTER_KERNEL_GS_BASE	     0x00080002u
#define HV_X64_REGISTER_APIC_BASE	     0x00080003u
#define HV_X64_REGISTER_PAT		     0x00080004u
#define HV_X64_REGISTER_SYSENTER_CS	     0x00080005u
#define HV_X64_REGISTER_SYSENTER_EIP	     0x00080006u
#define HV_X64_REGISTER_SYSENTER_ESP	     0x00080007u
#define HV_X64_REGISTER_STAR		     0x00080008u
#define HV_X64_REGISTER_LSTAR		     0x00080009u
#define HV_X64_REGISTER_CSTAR		     0x0008000au
#define HV_X64_REGISTER_SFMASK		     0x0008000bu
#define HV_X64_REGISTER_INITIAL_APIC_ID	     0x0008000cu
#define HV_X64_REGISTER_MTRR_CAP	     0x0008000du
#define HV_X64_REGISTER_MTRR_DEFAULT	     0x0008000eu
#define HV_X64_REGISTER_MTRR_PHYS_BASE0	     0x00080010u
#define HV_X64_REGISTER_MTRR_PHYS_MASK0	     0x00080040u
#define HV_X64_REGISTER_MTRR_FIX_FIRST	     0x00080070u /* .. 0x0008007a */
#define HV_X64_REGISTER_TSC_AUX		     0x0008007bu
#define HV_X64_REGISTER_BNDCFGS		     0x0008007cu
#define HV_X64_REGISTER_DEBUG_CTL	     0x0008007du
#define HV_X64_REGISTER_APIC_FIRST	     0x00084800u /* + x2APIC register offset */
#define HV_X64_REGISTER_HYPERCALL	     0x00090001u
#define HV_X64_REGISTER_EOI		     0x00090010u
#define HV_X64_REGISTER_ICR		     0x00090011u
#define HV_X64_REGISTER_TPR		     0x00090012u
#define HV_X64_REGISTER_PENDING_INTERRUPTION 0x00010002u
#define HV_X64_REGISTER_INTERRUPT_STATE	     0x00010003u
#define HV_X64_REGISTER_PENDING_EVENT0	     0x00010004u
#define HV_X64_REGISTER_PENDING_EVENT1	     0x00010005u
#define HV_X64_REGISTER_DELIVERABILITY	     0x00010006u

#endif
