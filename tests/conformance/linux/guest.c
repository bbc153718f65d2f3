// SPDX-License-Identifier: Apache-2.0
/* The machine of a Linux guest, its serial port, waiting. See guest.h. */
#include "tests/conformance/linux/guest.h"

#include "host/hypervisor/enlightenment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BOOT_MS 120000u
/*
 * Without the synthetic timers hv_vmbus can be unloaded (with them Linux 6.1 is left without
 * any timer), so that one boot does for many connections.
 */
#define ENLIGHTENMENTS "all,-stimer,-stimer-direct"
#define COMMAND_LINE                                                                               \
	"console=ttyS0 quiet loglevel=5 oops=panic panic=-1 mitigations=off no_timer_check "       \
	"random.trust_cpu=on printk.always_kmsg_dump=0"

uint64_t linux_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- the machine's callbacks ----------------------------------------------------------------- */

static int poll_set(void *ctx, int fd, uint32_t events)
{
	struct linux_guest *g = ctx;
	size_t i = 0;

	while (i < g->poll_count && g->polls[i].fd != fd)
		i++;
	if (events == 0) {
		if (i < g->poll_count)
			g->polls[i] = g->polls[--g->poll_count];
		return 0;
	}
	if (i == LINUX_POLLS_MAX)
		return -ENOSPC;
	g->polls[i] = (struct pollfd){.fd = fd, .events = (short)events};
	if (i == g->poll_count)
		g->poll_count++;
	return 0;
}

static void ended(struct linux_guest *g, const char *how)
{
	if (!g->has_ended)
		snprintf(g->end, sizeof g->end, "%s", how);
	g->has_ended = true;
}

static void on_reset(void *ctx)
{
	struct linux_guest *g = ctx;
	g->has_reset = true;
	ended(g, "the guest rebooted");
}

static void on_end(void *ctx, enum backend_kvm_stop stop, uint64_t detail)
{
	(void)detail;
	ended(ctx, backend_kvm_stop_text(stop));
}

static void on_quit(void *ctx)
{
	(void)ctx;
}

static void on_crash(void *ctx, const struct partition_crash *crash)
{
	struct linux_guest *g = ctx;
	(void)crash;
	g->crashes++;
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void serial_read(struct linux_guest *g)
{
	const size_t room = LINUX_TEXT_BYTES - 1 - g->text_bytes;
	const ssize_t got = recv(g->serial, g->text + g->text_bytes, room, MSG_DONTWAIT);

	if (got <= 0)
		return;
	/* a log that cannot be written, of a full disk, is no reason to end a run */
	if (g->console_fd >= 0)
		(void)!write(g->console_fd, g->text + g->text_bytes, (size_t)got);
	for (ssize_t i = 0; i < got; i++) /* it is searched as text */
		if (g->text[g->text_bytes + (size_t)i] == '\0')
			g->text[g->text_bytes + (size_t)i] = '?';
	g->text_bytes += (size_t)got;
	g->text[g->text_bytes] = '\0';
	if (g->text_bytes < LINUX_TEXT_BYTES - 4096)
		return;
	memmove(g->text, g->text + LINUX_TEXT_BYTES / 2, LINUX_TEXT_BYTES / 2);
	g->text_bytes -= LINUX_TEXT_BYTES / 2;
	g->seen -= g->seen < LINUX_TEXT_BYTES / 2 ? g->seen : LINUX_TEXT_BYTES / 2;
}

static void devices_run(struct linux_guest *g)
{
	for (size_t i = 0; i < LINUX_CHANNELS_MAX; i++)
		if (g->channels[i].is_open && g->channels[i].ready != NULL)
			g->channels[i].ready(&g->channels[i]);
}

void linux_turn(struct linux_guest *g, int ms)
{
	struct pollfd polls[LINUX_POLLS_MAX + 1];
	const size_t count = g->poll_count;

	memcpy(polls, g->polls, count * sizeof *polls);
	polls[count] = (struct pollfd){.fd = g->serial, .events = POLLIN};
	if (poll(polls, (nfds_t)count + 1, g->has_ended ? 0 : ms) > 0)
		for (size_t i = 0; i < count; i++)
			if (polls[i].revents != 0)
				machine_on_ready(
					g->machine, polls[i].fd, (uint32_t)polls[i].revents);
	serial_read(g);
	linux_bus_flush(g);
	devices_run(g);
}

bool linux_until(struct linux_guest *g, bool (*holds)(struct linux_guest *, void *), void *ctx)
{
	const uint64_t deadline = linux_now_ms() + LINUX_PATIENCE_MS;

	linux_turn(g, 0);
	while (!holds(g, ctx)) {
		if (g->has_ended || linux_now_ms() > deadline)
			return false;
		linux_turn(g, 5);
	}
	return true;
}

/* ---- the shell ------------------------------------------------------------------------------- */

struct answer {
	size_t from;
	unsigned number;
	int status;
	size_t at; /* of the line in the text */
};

static bool has_answered(struct linux_guest *g, void *ctx)
{
	struct answer *answer = ctx;
	char mark[32];

	snprintf(mark, sizeof mark, "@done %u ", answer->number);
	const char *line = strstr(
		g->text + (answer->from < g->text_bytes ? answer->from : 0), mark);
	if (line == NULL || strchr(line, '\n') == NULL)
		return false;
	answer->status = atoi(line + strlen(mark));
	answer->at = (size_t)(line - g->text);
	return true;
}

static int command_run(
	struct linux_guest *g, const char *command, va_list arguments, struct answer *answer)
{
	char text[LINUX_OUTPUT_BYTES];
	char line[LINUX_OUTPUT_BYTES + 16];

	vsnprintf(text, sizeof text, command, arguments);
	const int bytes = snprintf(line, sizeof line, "%u %s\n", ++g->commands, text);
	*answer = (struct answer){.from = g->text_bytes, .number = g->commands};
	if (!g->has_ended && send(g->serial, line, (size_t)bytes, MSG_NOSIGNAL) == bytes &&
		linux_until(g, has_answered, answer))
		return answer->status;
	if (g->has_ended)
		conform_note(&g->target, "%s during: %s", g->end, text);
	else
		conform_note(&g->target, "the shell does not answer within %u s: %s",
			LINUX_PATIENCE_MS / 1000, text);
	return -1;
}

int linux_do(struct linux_guest *g, const char *command, ...)
{
	struct answer answer;
	va_list arguments;

	va_start(arguments, command);
	const int status = command_run(g, command, arguments, &answer);
	va_end(arguments);
	return status;
}

int linux_say(struct linux_guest *g, char output[LINUX_OUTPUT_BYTES], const char *command, ...)
{
	struct answer answer;
	size_t bytes = 0;
	va_list arguments;

	va_start(arguments, command);
	const int status = command_run(g, command, arguments, &answer);
	va_end(arguments);
	output[0] = '\0';
	if (status < 0 || answer.at < answer.from)
		return status;
	/* lines of the kernel begin with the time in brackets, those of our init with an @ */
	const char *at = g->text + answer.from;
	if (answer.from > 0 && at[-1] != '\n') /* the rest of a line that was there before */
		at += strcspn(at, "\n");
	while (at < g->text + answer.at) {
		const size_t length = strcspn(at, "\r\n");
		if (at[0] != '[' && at[0] != '@' && length > 0 &&
			bytes + length + 2 < LINUX_OUTPUT_BYTES) {
			memcpy(output + bytes, at, length);
			bytes += length;
			output[bytes++] = ' ';
		}
		at += length + strspn(at + length, "\r\n");
	}
	output[bytes > 0 ? bytes - 1 : 0] = '\0';
	return status;
}

const char *linux_complaint(struct linux_guest *g, char line[CONFORM_EVIDENCE_BYTES])
{
	static const char *const words[] = {"BUG:", "Oops:", "WARNING:", "general protection fault",
		"kernel BUG at", "Kernel panic", "soft lockup",
		"refcount_t:", "list_del corruption", "list_add corruption", "unchecked MSR",
		"Out of memory"};
	const char *first = NULL;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const char *found = strstr(g->text + g->seen, words[i]);
		if (found != NULL && (first == NULL || found < first))
			first = found;
	}
	if (first == NULL)
		return NULL;
	snprintf(line, CONFORM_EVIDENCE_BYTES, "%.*s", (int)strcspn(first, "\r\n"), first);
	return line;
}

/* ---- start and stop -------------------------------------------------------------------------- */

static int format(char *buffer, size_t bytes, const char *text, va_list arguments)
{
	return vsnprintf(buffer, bytes, text, arguments);
}

static bool is_ready(const struct linux_guest *g)
{
	const char *line = strstr(g->text, "@ready ");
	return line != NULL && strchr(line, '\n') != NULL;
}

static int boot(struct linux_guest *g)
{
	char error[CONFORM_EVIDENCE_BYTES];
	const uint64_t deadline = linux_now_ms() + BOOT_MS;

	if (machine_boot(g->machine, error, sizeof error) != 0) {
		conform_note(&g->target, "%s", error);
		return -1;
	}
	while (!is_ready(g) && !g->has_ended && linux_now_ms() < deadline)
		linux_turn(g, 20);
	if (!is_ready(g)) {
		const char *last = strrchr(g->text, '[');
		conform_note(&g->target, "the guest does not come up: %s; its last line: %.120s",
			g->has_ended ? g->end : "no \"@ready\" from its init",
			last != NULL ? last : g->text);
		return -1;
	}
	snprintf(g->release, sizeof g->release, "%s", strstr(g->text, "@ready ") + 7);
	g->release[strcspn(g->release, "\r\n")] = '\0';
	return 0;
}

static int machine_make(struct linux_guest *g, const struct linux_guest_config *config, int serial)
{
	static struct enlightenments enlightenments;
	char error[CONFORM_EVIDENCE_BYTES];
	const char *unknown;
	size_t unknown_bytes;
	const struct machine_callbacks callbacks = {
		.poll_set = poll_set,
		.on_reset = on_reset,
		.on_end = on_end,
		.on_quit = on_quit,
		.ctx = g,
	};
	const struct machine_config machine = {
		.kernel = config->kernel,
		.initrd = config->initrd,
		.command_line = COMMAND_LINE,
		.memory_bytes = LINUX_MEMORY_BYTES,
		.vp_count = LINUX_VP_COUNT,
		.enlightenments = &enlightenments,
		.console = {.input_fd = serial, .output_fd = dup(serial), .listen_fd = -1},
	};

	if (enlightenments_parse(ENLIGHTENMENTS, &enlightenments, &unknown, &unknown_bytes) != 0 ||
		machine_create(&machine, &callbacks, &g->machine, error, sizeof error) != 0) {
		conform_note(&g->target, "%s", error);
		return -1;
	}
	g->partition = machine_partition(g->machine);
	g->memory = partition_memory(g->partition);
	partition_crash_observer_set(g->partition, on_crash, g);
	return 0;
}

int linux_guest_start(struct linux_guest *g, const struct linux_guest_config *config)
{
	int ends[2];

	*g = (struct linux_guest){
		.target.format = format, .serial = -1, .console_fd = config->console_fd};
	g->text = calloc(1, LINUX_TEXT_BYTES);
	if (g->text == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		conform_note(&g->target, "%s", strerror(errno));
		return -1;
	}
	g->serial = ends[0];
	if (machine_make(g, config, ends[1]) != 0)
		return -1;
	if (linux_bus_start(g) != 0) {
		conform_note(&g->target, "no memory for the bus");
		return -1;
	}
	return boot(g);
}

void linux_guest_stop(struct linux_guest *g)
{
	if (g->machine != NULL) {
		(void)machine_stop(g->machine);
		linux_bus_stop(g);
		machine_destroy(g->machine);
	}
	free(g->text);
	if (g->serial >= 0)
		close(g->serial);
}
