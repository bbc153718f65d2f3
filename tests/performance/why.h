// SPDX-License-Identifier: Apache-2.0
/* What is known of why a goal may be missed. */
#ifndef TESTS_PERFORMANCE_WHY_H
#define TESTS_PERFORMANCE_WHY_H

/* One sentence for the case of this name; never NULL. */
const char *why_missed(const char *name);

#endif
