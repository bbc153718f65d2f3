// SPDX-License-Identifier: Apache-2.0
/*
 * Enlightenments by name: which privileges, features and recommendations of CPUID each
 * one stands for, and the sets that a user can ask for ("all", "fast", or a list).
 *
 * A privilege or feature bit promises that something works, so it is offered only when
 * the partition and its backend implement it. A recommendation says that using it pays.
 *
 * Sources: TLFS, "Feature and interface discovery"; R-CPUID rules of protocol/hypervisor.md.
 */
#ifndef HOST_HYPERVISOR_ENLIGHTENMENT_H
#define HOST_HYPERVISOR_ENLIGHTENMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bits asked for; what is not implemented is left out of CPUID in the end. */
struct enlightenments {
	uint64_t privileges;	  /* HV_PRIVILEGE_* */
	uint32_t features;	  /* HV_FEATURE_* */
	uint32_t recommendations; /* HV_RECOMMEND_* */
	uint32_t spin_attempts;	  /* before NotifyLongSpinWait; 0xffffffff: never */
};

/*
 * "all", "fast", or names joined by commas ("synic,stimer,reference-tsc"), each of which may be
 * taken away from what stands before it by a "-" ("all,-stimer-direct"). 0; or -EINVAL, with
 * *unknown and *unknown_bytes naming the word that is none.
 */
int enlightenments_parse(
	const char *text, struct enlightenments *out, const char **unknown, size_t *unknown_bytes);

/* The name of row `i` of the table and one line about it; NULL behind the last. */
const char *enlightenment_name(size_t i, const char **what);

#endif
