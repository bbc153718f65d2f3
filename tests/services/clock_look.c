// SPDX-License-Identifier: Apache-2.0
/*
 * A guest's clock beside its host's, for tests of time synchronisation. Static, of libc alone.
 *
 *	/dev/cpu/0/msr 0x40000020	reference time, 100 ns, which nobody sets
 *	/dev/ptpN "hyperv"		the host's clock, as hv_utils has been told it
 *	CLOCK_REALTIME			what is looked at
 *
 * The difference of the first two ("base") holds as long as the partition; with it the host's clock
 *is known too where hv_utils does not serve the component. Each value is the best of some readings,
 *by the time that the reading took.
 *
 * Source: Hyper-V TLFS 12.3 (reference counter).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MSR_TIME_REF_COUNT 0x40000020
#define READINGS	   30u
#define SETTINGS	   50u
#define SET_NS		   500000
#define NS_PER_S	   1000000000LL
#define FD_TO_CLOCKID(fd)  ((clockid_t)((((unsigned)~(fd)) << 3) | 3u))

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;
	if (clock_gettime(clock, &now) != 0) {
		fprintf(stderr, "clock_look: clock: %s\n", strerror(errno));
		exit(1);
	}
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int64_t reference_ns(int msr)
{
	uint64_t ticks;
	if (pread(msr, &ticks, sizeof ticks, MSR_TIME_REF_COUNT) != sizeof ticks) {
		fprintf(stderr, "clock_look: /dev/cpu/0/msr: %s\n", strerror(errno));
		exit(1);
	}
	return (int64_t)ticks * 100;
}

/* Clock less reference time, where the clock's reading is in the middle. */
static int64_t distance_ns(int msr, clockid_t clock)
{
	int64_t best = INT64_MAX;
	int64_t distance = 0;
	for (unsigned i = 0; i < READINGS; i++) {
		const int64_t before = reference_ns(msr);
		const int64_t now = clock_ns(clock);
		const int64_t after = reference_ns(msr);
		if (after - before < best) {
			best = after - before;
			distance = now - (before + (after - before) / 2);
		}
	}
	return distance;
}

static int open_or_die(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "clock_look: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return fd;
}

/* Until it is so; the machine may have been elsewhere between reading and setting. */
static int set(int msr, int64_t base, double off_ms)
{
	const int64_t off_ns = (int64_t)(off_ms * 1e6);
	for (unsigned i = 0; i < SETTINGS; i++) {
		const int64_t wanted = reference_ns(msr) + base + off_ns;
		const struct timespec time = {
			.tv_sec = wanted / NS_PER_S, .tv_nsec = wanted % NS_PER_S};
		if (clock_settime(CLOCK_REALTIME, &time) != 0) {
			fprintf(stderr, "clock_look: cannot set the clock: %s\n", strerror(errno));
			return 1;
		}
		if (llabs(distance_ns(msr, CLOCK_REALTIME) - base - off_ns) < SET_NS)
			return 0;
	}
	fputs("clock_look: the clock cannot be set so exactly\n", stderr);
	return 1;
}

static int record(int msr, int64_t base, double seconds, double every_ms)
{
	const int64_t begin = reference_ns(msr);
	for (;;) {
		const double at = (double)(reference_ns(msr) - begin) / 1e9;
		if (at > seconds)
			return 0;
		printf("%.3f %.4f\n", at, (double)(distance_ns(msr, CLOCK_REALTIME) - base) / 1e6);
		fflush(stdout);
		usleep((useconds_t)(every_ms * 1000));
	}
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	const int msr = open_or_die("/dev/cpu/0/msr");
	if (strcmp(verb, "base") == 0) {
		printf("%lld\n", (long long)distance_ns(msr, FD_TO_CLOCKID(open_or_die(argv[2]))));
		return 0;
	}
	const int64_t base = argc > 2 ? strtoll(argv[2], NULL, 10) : 0;
	if (strcmp(verb, "offset") == 0)
		return printf("%.4f\n", (double)(distance_ns(msr, CLOCK_REALTIME) - base) / 1e6) <
		       0;
	if (strcmp(verb, "set") == 0 && argc == 4)
		return set(msr, base, atof(argv[3]));
	if (strcmp(verb, "record") == 0 && argc == 5)
		return record(msr, base, atof(argv[3]), atof(argv[4]));
	fputs("usage: clock_look base /dev/ptpN        host's clock less reference time, ns\n"
	      "       clock_look offset BASE           ms that the clock is ahead of the host's\n"
	      "       clock_look set BASE MS           set it so much ahead\n"
	      "       clock_look record BASE SECONDS EVERY-MS\n"
	      "                                        \"SECONDS MS\" lines\n",
		stderr);
	return 2;
}
