// SPDX-License-Identifier: Apache-2.0
/* Running a test against the guest library. See target_library_linux.h. */
#include "tests/conformance/target_library_linux.h"

#include "tests/conformance/scripted_host.h"

#include <dirent.h>
#include <string.h>

static unsigned descriptors(void)
{
	unsigned count = 0;
	DIR *folder = opendir("/proc/self/fd");

	if (folder == NULL)
		return 0;
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

enum conform_verdict library_run(const struct conform_test *test, struct conform_target *target)
{
	const unsigned before = descriptors();
	struct scripted_host *h = scripted_host_create();
	enum conform_verdict verdict = CONFORM_FAIL;

	if (h == NULL) {
		strcpy(target->evidence, "there is no memory for a guest");
		return CONFORM_FAIL;
	}
	if (scripted_host_prepare(&h->target, test->needs))
		verdict = test->run(&h->target);
	if (verdict == CONFORM_PASS && !scripted_host_end(&h->target))
		verdict = CONFORM_FAIL;
	memcpy(target->evidence, h->target.evidence, sizeof target->evidence);
	scripted_host_free(h);
	if (verdict == CONFORM_PASS && descriptors() != before) {
		strcpy(target->evidence, "the guest leaves descriptors open");
		verdict = CONFORM_FAIL;
	}
	return verdict;
}
