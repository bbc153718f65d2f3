// SPDX-License-Identifier: Apache-2.0
/* placeholder */
#include "tests/performance/bench.h"
void bench_scale(struct report *report, const struct sandbox *sandbox){(void)report;(void)sandbox;}
