// SPDX-License-Identifier: Apache-2.0
/*
 * Hypercalls: one table of what there is, one place where a call is checked.
 *
 *	backend -> partition_hypercall(): interface on? -> privilege -> known code?
 *		-> reserved bits -> XMM available? -> shape -> addresses -> handler
 *
 * This order (R-HCALL-015) reveals least: a call that the partition may not make is
 * refused before anything else about it is looked at. A handler gets private copies
 * of its parameters, of exactly the size in the table, and checks their values alone.
 * The table is in hypercall_table.c, the checks are in hypercall.c, the handlers in
 * hypercall_message.c, _vp.c, _ipi.c and _debug.c.
 *
 * Sources: TLFS, chapter "Hypercall interface"; R-HCALL rules of protocol/hypervisor.md.
 */
#ifndef HOST_HYPERVISOR_HYPERCALL_H
#define HOST_HYPERVISOR_HYPERCALL_H

#include "host/hypervisor/partition.h"

/*
 * Why a call did not reach its handler, and the status that the guest sees (two of
 * them are #UD instead). X(NAME, status, text)
 */
/* clang-format off */
#define HYPERCALL_REFUSALS(X)                                                                      \
	X(INTERFACE_OFF, SUCCESS, "hypercall interface is not enabled (#UD)")                      \
	X(ACCESS_DENIED, ACCESS_DENIED, "partition lacks the privilege")                           \
	X(UNKNOWN_CODE, INVALID_HYPERCALL_CODE, "unknown call code")                               \
	X(RESERVED_BITS, INVALID_HYPERCALL_INPUT, "reserved bit of the input value is set")        \
	X(NESTED, INVALID_HYPERCALL_INPUT, "nested bit is set, but no hypervisor is below")        \
	X(XMM_UNAVAILABLE, SUCCESS, "fast call needs XMM registers, not offered (#UD)")            \
	X(NOT_FAST, INVALID_HYPERCALL_INPUT, "call cannot be fast")                                \
	X(FAST_TOO_LONG, INVALID_HYPERCALL_INPUT, "parameters do not fit in registers")            \
	X(VARIABLE_HEADER, INVALID_HYPERCALL_INPUT, "call takes no variable header")               \
	X(SIMPLE_WITH_REPS, INVALID_HYPERCALL_INPUT, "simple call with rep count or start")        \
	X(NO_REPS, INVALID_HYPERCALL_INPUT, "rep call without rep count")                          \
	X(START_PAST_COUNT, INVALID_HYPERCALL_INPUT, "rep start is not below rep count")           \
	X(INPUT_UNALIGNED, INVALID_ALIGNMENT, "input address is not 8-byte aligned")               \
	X(INPUT_CROSSES_PAGE, INVALID_ALIGNMENT, "input crosses a page")                           \
	X(INPUT_NOT_RAM, INVALID_ALIGNMENT, "input is not in memory")                              \
	X(OUTPUT_UNALIGNED, INVALID_ALIGNMENT, "output address is not 8-byte aligned")             \
	X(OUTPUT_CROSSES_PAGE, INVALID_ALIGNMENT, "output crosses a page")                         \
	X(OUTPUT_NOT_RAM, INVALID_ALIGNMENT, "output is not in memory")                            \
	X(OVERLAP, INVALID_ALIGNMENT, "input and output overlap")
/* clang-format on */

enum hypercall_refusal {
#define HYPERCALL_REFUSAL_ENUM(NAME, status, text) HYPERCALL_REFUSED_##NAME,
	HYPERCALL_REFUSALS(HYPERCALL_REFUSAL_ENUM)
#undef HYPERCALL_REFUSAL_ENUM
		HYPERCALL_REFUSAL_COUNT
};

/* The text; never NULL. */
const char *hypercall_refusal_text(enum hypercall_refusal refusal);
/* How often, since the partition was created. */
uint64_t hypercall_refusals(const struct partition *partition, enum hypercall_refusal refusal);

#define HYPERCALL_FAST	   0x1u /* may pass parameters in two registers */
#define HYPERCALL_XMM	   0x2u /* and in XMM registers, in and out */
#define HYPERCALL_VARIABLE 0x4u /* takes a variable header */
#define HYPERCALL_DATA	   0x8u /* data follows the input: the handler knows how much */

/* A call whose form has been checked. Pointers are to private copies. */
struct hypercall_context {
	struct partition *partition;
	uint32_t vp;	       /* the caller */
	const uint8_t *header; /* input_bytes of the row */
	const uint8_t *variable;
	uint16_t variable_words; /* of 8 bytes */
	const uint8_t *data;	 /* HYPERCALL_DATA: what is left of the page behind the input */
	size_t data_bytes;
};

/*
 * One hypercall. Exactly one of `simple`, `rep` and `list` is set. They return HV_STATUS_*.
 * Inputs are at most a page, so that every call is short enough to be carried out at once.
 */
struct hypercall_row {
	uint16_t code;
	uint16_t flags;		       /* HYPERCALL_* */
	uint64_t privilege;	       /* HV_PRIVILEGE_*; 0: none needed */
	uint16_t input_bytes;	       /* fixed input; of a rep call, the header */
	uint16_t output_bytes;	       /* of a simple call */
	uint16_t element_bytes;	       /* of a rep call's input list */
	uint16_t output_element_bytes; /* of a rep call's output list */
	/* What else must be so for the partition to make the call; NULL: nothing. */
	bool (*is_offered)(const struct partition *partition);
	uint16_t (*simple)(const struct hypercall_context *call, uint8_t *output);
	/* A rep call, one element. */
	uint16_t (*rep)(
		const struct hypercall_context *call, const uint8_t *element, uint8_t *output);
	/* A rep call whose elements are carried out together: all of them, or none. */
	uint16_t (*list)(const struct hypercall_context *call);
};

/* The table, sorted by code. */
const struct hypercall_row *hypercall_table(size_t *count);
/* The row of a call, or NULL. */
const struct hypercall_row *hypercall_find(uint16_t code);
/* The privilege that guards a call which is not in the table; 0: none. */
uint64_t hypercall_privilege(uint16_t code);

#endif
