// SPDX-License-Identifier: Apache-2.0
/* What is known of why a goal may be missed: see why.h. */
#include "tests/performance/why.h"

#include <stddef.h>
#include <string.h>

/* The first whose start fits. */
static const struct {
	const char *start;
	const char *why;
} reasons[] = {
	{"ring/copy/64",
		"a descriptor, a trailer and the checks of both are more instructions than "
		"the bare queue's one length word"},
	{"storage/fuse/", "client, vsc-disk and vmwp are three programs: with fewer than three "
			  "processors they take turns where the reference needs two"},
	{"storage/direct/", "each request passes two processes more than the raw client's, which "
			    "leaves the device with fewer requests at a time"},
	{"storage/tmpfs/", "the copy is made by one processor, into memory that another has in its "
			   "cache; io_uring has the kernel's threads copy on both"},
	{"vm/time/",
		"most of a boot is the guest's own work; and its memory is in small pages, whose "
		"first touches are most of its exits, unless this machine gives huge pages to "
		"shared memory (transparent_hugepage/shmem_enabled)"},
	{"vm/rate/", "each read costs the guest's own work besides exits; where a processor is "
		     "emulated that work is most of it, and an avoided exit saves little"},
};

const char *why_missed(const char *name)
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (strncmp(name, reasons[i].start, strlen(reasons[i].start)) == 0)
			return reasons[i].why;
	return "no reason is known; measure again, and if it stays, look for what has changed";
}
