// SPDX-License-Identifier: Apache-2.0
/* Heartbeat, guest side: heartbeat.md. */
#include "tests/conformance/guest_ic.h"

#include "guest/ic_daemons/heartbeat_ic.h"

#include <string.h>

static struct heartbeat_ic heartbeat;

static struct ic_stage *agreed(struct conform_target *t)
{
	heartbeat_ic_init(&heartbeat);
	return ic_stage_agreed(t, &heartbeat.ic, &guid_heartbeat, 3, 3, 0);
}

/* A beat with this sequence, of 16 bytes of body. */
static uint32_t beat(struct ic_stage *stage, uint64_t sequence)
{
	const uint32_t bytes = ic_request(stage, 1, 16);

	put64(stage->message + IC_AT_BODY, sequence);
	return bytes;
}

static enum conform_verdict sequences(struct conform_target *t)
{
	static const uint64_t numbers[] = {
		0, 1, 0xffffffff, 1ull << 63, 7, 7, 3, UINT64_MAX - 1, UINT64_MAX, 0};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		EXPECT(ic_say(h, stage, beat(stage, numbers[i])) == 1, "no answer");
		EXPECT(get64(stage->answer + IC_AT_BODY) == numbers[i] + 1,
			"0x%llx is answered by 0x%llx", (unsigned long long)numbers[i],
			(unsigned long long)get64(stage->answer + IC_AT_BODY));
	}
	return CONFORM_PASS;
}

static enum conform_verdict same_bytes(struct conform_target *t)
{
	static const uint16_t sizes[] = {8, 9, 11, 12, 16, 100, 4000};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	heartbeat.application_state = 2;
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		const uint32_t bytes = ic_request(stage, 1, sizes[i]);
		memset(stage->message + IC_AT_BODY, 0x3c, sizes[i]);
		EXPECT(ic_say(h, stage, bytes) == 1, "a body of %u bytes: no answer", sizes[i]);
		EXPECT(get16(stage->answer + IC_AT_BODY_BYTES) == sizes[i] &&
				stage->bytes == (bytes + 7) / 8 * 8,
			"a body of %u bytes is answered by %u", sizes[i],
			get16(stage->answer + IC_AT_BODY_BYTES));
		for (uint16_t at = sizes[i] < 12 ? 8 : 12; at < sizes[i]; at++)
			EXPECT(stage->answer[IC_AT_BODY + at] == 0x3c, "byte %u has changed", at);
		EXPECT(sizes[i] < 12 || get32(stage->answer + IC_AT_BODY + 8) == 2,
			"the state is %u", get32(stage->answer + IC_AT_BODY + 8));
	}
	return CONFORM_PASS;
}

static enum conform_verdict no_state_at_1_0(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	heartbeat_ic_init(&heartbeat);
	heartbeat.application_state = 2;
	struct ic_stage *stage = ic_stage_agreed(t, &heartbeat.ic, &guid_heartbeat, 1, 1, 0);
	TRY(stage != NULL);
	const uint32_t bytes = beat(stage, 1);
	memset(stage->message + IC_AT_BODY + 8, 0x3c, 8);
	EXPECT(ic_say(h, stage, bytes) == 1, "no answer");
	EXPECT(get64(stage->answer + IC_AT_BODY + 8) == 0x3c3c3c3c3c3c3c3c,
		"bytes behind the sequence have changed");
	return CONFORM_PASS;
}

#define ROW(rule, name, test)                                                                      \
	{                                                                                          \
		rule, name, test, 0, 0, 0                                                          \
	}

const struct conform_test guest_heartbeat_tests[] = {
	ROW("R-IC-027", "the answer's sequence is the request's + 1", sequences),
	ROW("R-IC-029", "the sequence wraps", sequences),
	ROW("R-HB-006", "sequences in any order are answered", sequences),
	ROW("R-HB-003", "the rest of the body comes back as it was", same_bytes),
	ROW("R-HB-002", "8 bytes of body will do", same_bytes),
	ROW("R-HB-004", "at 1.0 no state is written", no_state_at_1_0),
};
const size_t guest_heartbeat_test_count = sizeof guest_heartbeat_tests /
					  sizeof guest_heartbeat_tests[0];
