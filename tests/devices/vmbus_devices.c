// SPDX-License-Identifier: Apache-2.0
/*
 * A machine without a machine: the devices /dev/vmbus/hv_* on one side, this project's host on the
 * other, and between them what Linux's hv_utils does.
 *
 *	commands on stdin -> kvp_vsp, vss_vsp, fcopy_vsp	(host logic)
 *				   | packets
 *			      hv_utils				(the kernel's part)
 *				   | records
 *			      device_fs <- a daemon, ours or another
 *
 *	vmbus_devices DIRECTORY [TRANSCRIPT [ANSWER-MS]]
 *
 * Mounts on DIRECTORY; adds to TRANSCRIPT, at most 100,000 times, a line "kvp > LENGTH HEX" for a
 * record to the daemon, "kvp < LENGTH HEX" for one of the daemon's, and "kvp = LENGTH HEX" for a
 * packet to the host; the zeros at their ends are left out. ANSWER-MS shortens the kernel's
 * patience. Commands, one a line; words are separated by one space, the last may hold spaces:
 *
 *	wait STEM			until a daemon is registered and versions are agreed
 *	gone STEM			until there is no daemon
 *	kvp set|find|get|delete|list POOL [KEY [VALUE]]
 *	ip get ADAPTER
 *	ip set ADAPTER v4|v6 dhcp|static [ADDRESS/PREFIX [GATEWAY [DNS]]]
 *	vss freeze|thaw			freeze is answered once the guest is frozen
 *	copy FILE DIRECTORY NAME [overwrite] [create]
 *	raw STEM LENGTH HEX		one record as it is, by no host; its answer is printed
 *	stop
 *
 * Each is answered by lines of data and one that begins "ok" or "error".
 */
#include "tests/devices/vmbus_devices.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *const stems[STEMS] = {"kvp", "vss", "fcopy"};
static const char *const files[STEMS] = {"hv_kvp", "hv_vss", "hv_fcopy"};
static const uint16_t types[STEMS] = {IC_TYPE_KVP, IC_TYPE_VSS, IC_TYPE_FCOPY};

uint64_t machine_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t now_ms(void)
{
	return machine_now_ns() / 1000000u;
}

/* ---- answers ------------------------------------------------------------------------------- */

void machine_answer(struct machine *machine, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
	machine->is_busy = false;
}

static void print_hex(FILE *out, const uint8_t *bytes, size_t len)
{
	while (len > 0 && bytes[len - 1] == 0)
		len--;
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%02x", bytes[i]);
}

static void note(struct channel *channel, char direction, const uint8_t *bytes, size_t len)
{
	FILE *out = channel->machine->transcript;
	if (!out || channel->machine->noted++ >= TRANSCRIPT_MAX)
		return;
	fprintf(out, "%s %c %zu ", stems[channel->stem], direction, len);
	print_hex(out, bytes, len);
	fputc('\n', out);
	fflush(out);
}

/* ---- devices ------------------------------------------------------------------------------- */

static void on_opened(void *ctx, unsigned file)
{
	struct machine *machine = ctx;
	hv_utils_on_open(&machine->channels[file].utils);
}

static void on_closed(void *ctx, unsigned file)
{
	struct machine *machine = ctx;
	struct channel *channel = &machine->channels[file];
	hv_utils_on_close(&channel->utils);
	if (channel->is_raw)
		machine_answer(machine, "error the daemon has gone");
	channel->is_raw = false;
}

static int on_wrote(void *ctx, unsigned file, const void *bytes, size_t len)
{
	struct machine *machine = ctx;
	struct channel *channel = &machine->channels[file];
	note(channel, '<', bytes, len);
	if (channel->is_raw) {
		channel->is_raw = false;
		print_hex(stdout, bytes, len);
		machine_answer(machine, "\nok %zu bytes", len);
		return 0;
	}
	return hv_utils_on_record(&channel->utils, bytes, len, now_ms());
}

static void on_was_read(void *ctx, unsigned file)
{
	struct machine *machine = ctx;
	hv_utils_on_read(&machine->channels[file].utils, now_ms());
}

static const struct device_fs_ops fs_ops = {
	.opened = on_opened,
	.closed = on_closed,
	.wrote = on_wrote,
	.was_read = on_was_read,
};

/* ---- packets ------------------------------------------------------------------------------- */

static void to_host(void *ctx, const void *bytes, size_t len)
{
	struct channel *channel = ctx;
	note(channel, '=', bytes, len);
	memcpy(channel->to_host.bytes, bytes, len);
	channel->to_host.len = len;
}

static int to_daemon(void *ctx, const void *bytes, size_t len)
{
	struct channel *channel = ctx;
	note(channel, '>', bytes, len);
	return device_fs_send(channel->machine->fs, channel->stem, bytes, len);
}

static const struct hv_utils_ops utils_ops = {.to_host = to_host, .to_daemon = to_daemon};

static int send_packet(struct channel *channel, const void *bytes, size_t len)
{
	if (len > sizeof channel->to_guest.bytes)
		return -EMSGSIZE;
	memcpy(channel->to_guest.bytes, bytes, len);
	channel->to_guest.len = len;
	return 0;
}

static int send_kvp(void *ctx, const void *bytes, size_t len)
{
	return send_packet(&((struct machine *)ctx)->channels[STEM_KVP], bytes, len);
}

static int send_vss(void *ctx, const void *bytes, size_t len)
{
	return send_packet(&((struct machine *)ctx)->channels[STEM_VSS], bytes, len);
}

static int send_fcopy(void *ctx, const void *bytes, size_t len)
{
	return send_packet(&((struct machine *)ctx)->channels[STEM_FCOPY], bytes, len);
}

static void session_failed(void *ctx, const char *reason)
{
	(void)ctx;
	fprintf(stderr, "vmbus_devices: a channel has failed: %s\n", reason);
}

static const struct kvp_vsp_ops kvp_ops = {
	.session = {.send = send_kvp, .failed = session_failed},
};

/* ---- backup -------------------------------------------------------------------------------- */

static void vss_frozen(void *ctx)
{
	machine_answer(ctx, "ok frozen");
}

static void vss_ended(void *ctx, const struct vss_report *report)
{
	struct machine *machine = ctx;
	if (!machine->is_busy)
		return; /* by the limit */
	if (report->result == VSS_OK)
		machine_answer(
			machine, "ok %s", report->was_frozen ? "thawed" : "nothing was frozen");
	else
		machine_answer(machine, "error %s at %s: %s 0x%08x",
			vss_result_name(report->result), vss_operation_name(report->operation),
			vss_result_name(report->thaw), report->status);
}

static const struct vss_vsp_ops vss_ops = {
	.session = {.send = send_vss, .failed = session_failed},
	.frozen = vss_frozen,
	.ended = vss_ended,
};

static void do_vss(struct machine *machine, char **words, int count)
{
	const struct vss_vsp_request request = {0};
	int error = -EINVAL;
	if (count == 2 && strcmp(words[1], "freeze") == 0)
		error = vss_vsp_freeze(&machine->vss, &request, machine_now_ns());
	else if (count == 2 && strcmp(words[1], "thaw") == 0)
		error = vss_vsp_thaw(&machine->vss, machine_now_ns());
	if (error != 0)
		machine_answer(machine, "error not started: %s", strerror(-error));
}

/* ---- file copy ----------------------------------------------------------------------------- */

static int read_source(void *ctx, uint64_t offset, uint8_t *to, uint32_t bytes)
{
	const struct machine *machine = ctx;
	ssize_t got = pread(machine->source, to, bytes, (off_t)offset);
	return got == (ssize_t)bytes ? 0 : got < 0 ? -errno : -EIO;
}

static void copy_done(void *ctx, const struct fcopy_end *end)
{
	struct machine *machine = ctx;
	close(machine->source);
	machine->source = -1;
	if (end->result == FCOPY_RESULT_COPIED)
		machine_answer(machine, "ok copied");
	else
		machine_answer(machine, "error %s while %s 0x%08x", fcopy_result_name(end->result),
			fcopy_state_name(end->state), end->status);
}

static const struct fcopy_vsp_ops fcopy_ops = {
	.session = {.send = send_fcopy, .failed = session_failed},
	.read = read_source,
	.done = copy_done,
};

static void do_copy(struct machine *machine, char **words, int count)
{
	struct stat status;
	if (count < 4) {
		machine_answer(
			machine, "error usage: copy FILE DIRECTORY NAME [overwrite] [create]");
		return;
	}
	struct fcopy_vsp_request request = {.path = words[2], .name = words[3]};
	for (int i = 4; i < count; i++) {
		request.overwrites = request.overwrites || strcmp(words[i], "overwrite") == 0;
		request.creates_path = request.creates_path || strcmp(words[i], "create") == 0;
	}
	machine->source = open(words[1], O_RDONLY | O_CLOEXEC);
	if (machine->source < 0 || fstat(machine->source, &status) != 0) {
		machine_answer(machine, "error %s: %s", words[1], strerror(errno));
		return;
	}
	request.size_bytes = (uint64_t)status.st_size;
	int error = fcopy_vsp_start(&machine->fcopy, &request, machine_now_ns());
	if (error != 0)
		machine_answer(machine, "error not started: %s", strerror(-error));
}

/* ---- commands ------------------------------------------------------------------------------ */

static struct channel *channel_of(struct machine *machine, const char *stem)
{
	for (unsigned i = 0; i < STEMS; i++)
		if (strcmp(stems[i], stem) == 0)
			return &machine->channels[i];
	return NULL;
}

static void do_wait(struct machine *machine, char **words, int count)
{
	if (count != 2 || !channel_of(machine, words[1])) {
		machine_answer(machine, "error usage: %s kvp|vss|fcopy", words[0]);
		return;
	}
	snprintf(machine->awaited, sizeof machine->awaited, "%s", words[1]);
	machine->awaits_gone = strcmp(words[0], "gone") == 0;
}

static void do_raw(struct machine *machine, char **words, int count)
{
	uint8_t record[DEVICE_FS_RECORD_MAX] = {0};
	struct channel *channel = count == 4 ? channel_of(machine, words[1]) : NULL;
	size_t len = channel ? strtoul(words[2], NULL, 10) : 0;
	size_t digits = channel ? strlen(words[3]) : 0;
	if (len == 0 || len > sizeof record || digits / 2 > len) {
		machine_answer(machine, "error usage: raw STEM LENGTH HEX");
		return;
	}
	for (size_t i = 0; i + 1 < digits; i += 2) {
		char pair[3] = {words[3][i], words[3][i + 1], '\0'};
		record[i / 2] = (uint8_t)strtoul(pair, NULL, 16);
	}
	int error = to_daemon(channel, record, len);
	if (error != 0)
		machine_answer(machine, "error %s", strerror(-error));
	else
		channel->is_raw = true;
}

static void do_stop(struct machine *machine, char **words, int count)
{
	(void)words;
	(void)count;
	machine->is_over = true;
	machine_answer(machine, "ok");
}

static const struct command {
	const char *name;
	void (*run)(struct machine *machine, char **words, int count);
	int words_max; /* the last takes the rest of the line */
} commands[] = {
	{"copy", do_copy, 6},
	{"gone", do_wait, 2},
	{"ip", machine_do_ip, 8},
	{"kvp", machine_do_kvp, 5},
	{"raw", do_raw, 4},
	{"stop", do_stop, 1},
	{"vss", do_vss, 2},
	{"wait", do_wait, 2},
};

static void run_line(struct machine *machine, char *line)
{
	machine->is_busy = true;
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		const struct command *command = &commands[i];
		char *words[WORDS_MAX];
		int count = 0;
		if (strncmp(line, command->name, strlen(command->name)) != 0)
			continue;
		while (line && count < command->words_max) {
			words[count++] = line;
			line = strchr(line, ' ');
			if (line && count < command->words_max)
				*line++ = '\0';
		}
		command->run(machine, words, count);
		return;
	}
	machine_answer(machine, "error no such command");
}

/* Take what has come, and run one line if none is under way. */
static void take_commands(struct machine *machine, bool is_ready)
{
	if (is_ready && machine->line_len < sizeof machine->line) {
		ssize_t got = read(STDIN_FILENO, machine->line + machine->line_len,
			sizeof machine->line - machine->line_len);
		machine->is_at_end = got <= 0;
		machine->line_len += got > 0 ? (size_t)got : 0;
	}
	char *end = machine->is_busy ? NULL : memchr(machine->line, '\n', machine->line_len);
	if (end) {
		char line[LINE_BYTES];
		size_t len = (size_t)(end - machine->line);
		memcpy(line, machine->line, len);
		line[len] = '\0';
		machine->line_len -= len + 1;
		memmove(machine->line, end + 1, machine->line_len);
		run_line(machine, line);
	} else if (machine->is_at_end && !machine->is_busy) {
		machine->is_over = true;
	}
}

/* ---- the loop ------------------------------------------------------------------------------ */

static void move_packets(struct channel *channel)
{
	while (channel->to_guest.len > 0 || channel->to_host.len > 0) {
		struct mail mail = channel->to_guest;
		channel->to_guest.len = 0;
		if (mail.len > 0)
			hv_utils_on_packet(&channel->utils, mail.bytes, mail.len, now_ms());
		mail = channel->to_host;
		channel->to_host.len = 0;
		if (mail.len > 0)
			ic_session_on_packet(
				channel->session, mail.bytes, mail.len, machine_now_ns());
	}
}

static void look_for_awaited(struct machine *machine)
{
	const struct channel *channel = channel_of(machine, machine->awaited);
	if (!channel)
		return;
	bool is_there = channel->utils.state == HV_UTILS_READY &&
			channel->session->ic.state == IC_HOST_READY;
	bool is_gone = channel->utils.state == HV_UTILS_ABSENT;
	if (machine->awaits_gone ? is_gone : is_there) {
		machine->awaited[0] = '\0';
		machine_answer(machine, "ok");
	}
}

static void run(struct machine *machine)
{
	bool is_mounted = true;
	while (is_mounted && !machine->is_over) {
		struct pollfd watches[] = {
			{.fd = device_fs_fd(machine->fs), .events = POLLIN},
			{.fd = machine->is_at_end ? -1 : STDIN_FILENO, .events = POLLIN},
		};
		poll(watches, 2, machine->line_len > 0 && !machine->is_busy ? 0 : TICK_MS);
		if (watches[0].revents)
			is_mounted = device_fs_serve(machine->fs);
		take_commands(machine, watches[1].revents != 0);
		for (unsigned i = 0; i < STEMS; i++) {
			struct channel *channel = &machine->channels[i];
			hv_utils_on_time(&channel->utils, now_ms());
			ic_session_on_time(channel->session, machine_now_ns());
			move_packets(channel);
		}
		look_for_awaited(machine);
	}
}

int main(int argc, char **argv)
{
	static struct machine machine = {.source = -1};
	struct ic_session *const sessions[STEMS] = {
		&machine.kvp.session, &machine.vss.session, &machine.fcopy.session};
	if (argc < 2 || argc > 4) {
		fprintf(stderr, "usage: vmbus_devices DIRECTORY [TRANSCRIPT [ANSWER-MS]]\n");
		return 2;
	}
	if (argc > 2 && !(machine.transcript = fopen(argv[2], "ae"))) {
		fprintf(stderr, "vmbus_devices: %s: %s\n", argv[2], strerror(errno));
		return 1;
	}
	machine.fs = device_fs_new(argv[1], files, STEMS, &fs_ops, &machine);
	if (!machine.fs)
		return 1;
	kvp_vsp_init(&machine.kvp, &kvp_ops, &machine);
	vss_vsp_init(&machine.vss, &vss_ops, &machine);
	fcopy_vsp_init(&machine.fcopy, &fcopy_ops, &machine);
	for (unsigned i = 0; i < STEMS; i++) {
		struct channel *channel = &machine.channels[i];
		channel->machine = &machine;
		channel->stem = (enum stem)i;
		channel->session = sessions[i];
		hv_utils_init(&channel->utils, types[i], &utils_ops, channel);
		channel->utils.answer_ms = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
		ic_session_on_open(sessions[i], machine_now_ns());
	}
	printf("ready\n");
	fflush(stdout);
	run(&machine);
	device_fs_free(machine.fs);
	return 0;
}
