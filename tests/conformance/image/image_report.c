// SPDX-License-Identifier: Apache-2.0
/* What the bare-metal image says of its tests. See image_report.h. */
#include "tests/conformance/image/image_report.h"

#include "guest/winhv/bare/bare.h"

#define US_100NS 10u

/* P0..P4 (docs/conformance.md); `number`: of the test that runs. */
static void crash_registers_set(const struct image_report *report, unsigned number, unsigned flags)
{
	uint64_t rule[2];

	if (!report->is_by_crash)
		return;
	__builtin_memcpy(rule, report->first_rule, sizeof rule);
	const unsigned first = report->is_first_known ? report->first : IMAGE_CRASH_NONE;
	const uint64_t values[5] = {
		IMAGE_CRASH_MAGIC << 32 | IMAGE_REPORT_VERSION << 16 | flags,
		(uint64_t)report->total << 48 | (uint64_t)report->skipped << 32 |
			(uint64_t)report->failed << 16 | report->passed,
		(uint64_t)number << 16 | first,
		rule[0],
		rule[1],
	};
	for (unsigned i = 0; i < 5; i++)
		(void)bare_wrmsr(HV_X64_MSR_CRASH_P0 + i, values[i]);
}

void image_report_head(struct image_report *report, unsigned tests, unsigned from)
{
	const struct winhv *hv = bare_winhv();
	const uint64_t ticks = bare_tsc() - bare.tsc_begin;

	report->is_by_crash = (!bare_uart_exists() || bare_option("crash", NULL)) &&
			      (hv->identity.features & HV_FEATURE_GUEST_CRASH_MSRS);
	bare_printf(
		"@conform %u tests=%u from=%u vps=%u memory=%lu us=%lu interface=%s vendor=%s\n",
		IMAGE_REPORT_VERSION, tests, from, bare.vp_count, bare.ram_bytes >> 20,
		ticks * 1000 / (bare.tsc_hz / 1000), hv->identity.is_present ? "Hv#1" : "none",
		(const char *)hv->identity.vendor);
}

void image_report_begin(
	struct image_report *report, unsigned number, const struct conform_test *test)
{
	bare_printf("@begin %u %s %s\n", number, test->rule, test->name);
	crash_registers_set(report, number, 0);
}

void image_report_end(struct image_report *report, unsigned number, const struct conform_test *test,
	enum conform_verdict verdict, uint64_t time_100ns, const char *evidence)
{
	static const char *const names[] = {"passed", "failed", "skipped"};
	const uint64_t us = time_100ns / US_100NS;

	report->passed += verdict == CONFORM_PASS;
	report->failed += verdict == CONFORM_FAIL;
	report->skipped += verdict == CONFORM_SKIP;
	if (verdict == CONFORM_FAIL && !report->is_first_known) {
		report->is_first_known = true;
		report->first = number;
		(void)bare_print_to(
			report->first_rule, sizeof report->first_rule, "%s", test->rule);
	}
	bare_printf("@end %u %s %lu.%03lu%s%s\n", number, names[verdict], us / 1000, us % 1000,
		verdict == CONFORM_PASS ? "" : " ", verdict == CONFORM_PASS ? "" : evidence);
}

void image_report_reset(unsigned next, const char *why)
{
	bare_printf("@reset %u %s\n", next, why);
}

void image_report_total(struct image_report *report)
{
	bare_printf("@total passed=%u failed=%u skipped=%u\n", report->passed, report->failed,
		report->skipped);
	if (!report->is_by_crash)
		return;
	crash_registers_set(report, IMAGE_CRASH_NONE, IMAGE_CRASH_DONE);
	(void)bare_wrmsr(HV_X64_MSR_CRASH_CTL, HV_CRASH_NOTIFY);
}
