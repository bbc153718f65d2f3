// SPDX-License-Identifier: Apache-2.0
#include "tests/model/model_channel.h"
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <time.h>
int main(int argc, char **argv)
{
	(void)argc;
	struct model_scenario s = {.name = "x",
		.host_version = 0x50003,
		.channels = 1,
		.is_connected = true,
		.host_room = 8};
	enum model_defect d = 0;
	for (int i = 1; i < argc; i++) {
		static const char *k[] = {"connects", "opens", "creates", "modifies", "unloads",
			"crashes", "hasty", "times", "offers", "removes", "refusals", "holds",
			"resets"};
		char *e = strchr(argv[i], '=');
		*e = 0;
		unsigned v = (unsigned)strtoul(e + 1, 0, 0);
		for (unsigned j = 0; j < MODEL_BUDGET_COUNT; j++)
			if (!strcmp(k[j], argv[i]))
				s.budgets[j] = (uint8_t)v;
		if (!strcmp(argv[i], "host"))
			s.host_version = v;
		if (!strcmp(argv[i], "guest"))
			s.guest_version = v;
		if (!strcmp(argv[i], "features"))
			s.features = v;
		if (!strcmp(argv[i], "channels"))
			s.channels = v;
		if (!strcmp(argv[i], "prompt"))
			s.is_prompt = v;
		if (!strcmp(argv[i], "connected"))
			s.is_connected = v;
		if (!strcmp(argv[i], "room"))
			s.host_room = v;
		if (!strcmp(argv[i], "defect"))
			d = v;
	}
	clock_t t = clock();
	struct model_result r = model_walk(&s, d, true);
	printf("%s states %zu transitions %zu rests %zu depth %u  %.2fs world %zu\n",
		r.fault ? r.fault : "ok", r.states, r.transitions, r.rests, r.depth,
		(double)(clock() - t) / CLOCKS_PER_SEC, sizeof(struct world));
	return 0;
}
