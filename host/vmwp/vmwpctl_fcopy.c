// SPDX-License-Identifier: Apache-2.0
/*
 * vmwpctl copy FILE guest:/PATH. The file is opened here, with the rights of whoever commands, and
 * passed to the worker as a descriptor. One connection waits for the end; on another one it
 * is asked how far it is, and cancelled.
 */
#include "host/vmwp/vmwpctl_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PERIOD_TERMINAL_MS 200
#define PERIOD_ELSE_MS	   2000 /* only to see that the worker is there */
#define BAR_MAX		   40
#define COLUMNS_DEFAULT	   80
#define NAME_SHOWN	   24
#define MIB		   1048576.0
#define GUEST_PREFIX	   "guest:"
#define SMOOTHING	   0.3 /* of the rate: the share of what is new */

/* Where to; parts of the operand, and of the file's own name. */
struct target {
	char *path;	  /* owned; the directory */
	const char *name; /* in an operand */
};

struct progress {
	bool is_shown; /* stderr is a terminal */
	bool has_line; /* the cursor is behind it */
	double bytes, seconds, rate;
};

/* The two connections, and what else there is to wait for. */
struct talk {
	const struct arguments *arguments;
	int main; /* where the copy's end is said */
	int side;
	int signals;
};

/* ---- operands ------------------------------------------------------------------------------ */

static const char *last_separator(const char *text)
{
	const char *slash = strrchr(text, '/');
	const char *backslash = text[0] != '/' ? strrchr(text, '\\') : NULL;
	return slash == NULL || (backslash != NULL && backslash > slash) ? backslash : slash;
}

static int target_parse(const char *file, const char *text, struct target *out)
{
	const char *slash = strrchr(file, '/');
	if (strncmp(text, GUEST_PREFIX, sizeof GUEST_PREFIX - 1) != 0)
		return vmwpctl_usage_error("copy: '%s' is not in the guest: write " GUEST_PREFIX
					   "/PATH (files go from here to the guest only)",
			text);
	text += sizeof GUEST_PREFIX - 1;
	const char *separator = last_separator(text);
	if (separator == NULL || (text[0] != '/' && text[0] != '\0' && text[1] != ':'))
		return vmwpctl_usage_error("copy: '%s' is not an absolute path of the guest", text);
	out->name = separator[1] != '\0' ? separator + 1 : slash != NULL ? slash + 1 : file;
	if (out->name[0] == '\0')
		return vmwpctl_usage_error("copy: '%s' names no file", file);
	/* With its last separator: the kernel's daemon makes no directory without one. */
	out->path = strndup(text, (size_t)(separator - text) + 1);
	return out->path != NULL ? 0 : vmwpctl_usage_error("copy: out of memory");
}

/* The file, open; or -1 after a message. */
static int file_open(const char *path)
{
	struct stat st;
	/* A pipe with nobody at its other end must not keep us. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		fprintf(stderr, "vmwpctl: cannot open '%s': %s\n", path, strerror(errno));
		return -1;
	}
	const int flags = fcntl(fd, F_GETFL);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0)
		return fd;
	fprintf(stderr, "vmwpctl: cannot copy '%s': it is no regular file\n", path);
	close(fd);
	return -1;
}

/* ---- progress ------------------------------------------------------------------------------ */

static void line_end(struct progress *progress)
{
	if (progress->has_line)
		fputs("\r\x1b[K", stderr);
	progress->has_line = false;
}

/* A name with nothing in it that moves a cursor. */
static void name_shown(const char *name, char text[NAME_SHOWN + 1])
{
	size_t i = 0;
	for (; i < NAME_SHOWN && name[i] != '\0'; i++)
		text[i] = (name[i] >= 0x20 && name[i] < 0x7F) ? name[i] : '?';
	text[i] = '\0';
}

static int bar_width(int used)
{
	struct winsize size;
	int columns = COLUMNS_DEFAULT;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		columns = size.ws_col;
	const int left = columns - used - 4;
	return left < 0 ? 0 : left > BAR_MAX ? BAR_MAX : left;
}

static void line_show(struct progress *progress, const char *name, double bytes, double size)
{
	static const char full[BAR_MAX + 1] = "########################################";
	static const char empty[BAR_MAX + 1] = "........................................";
	char shown[NAME_SHOWN + 1];
	char left[32] = "--:--";
	char text[160];
	const double share = size > 0 ? bytes / size : 1;
	name_shown(name, shown);
	if (progress->rate > 0) {
		const long seconds = (long)((size - bytes) / progress->rate + 0.5);
		snprintf(left, sizeof left, "%ld:%02ld", seconds / 60, seconds % 60);
	}
	const int used = snprintf(text, sizeof text, "%3.0f%% %9.1f MiB %7.1f MiB/s %6s",
		share * 100, bytes / MIB, progress->rate / MIB, left);
	const int width = bar_width(used + (int)strlen(shown));
	const int done = (int)(share * width);
	fprintf(stderr, "\r%s [%.*s%.*s] %s\x1b[K", shown, done, full, width - done, empty, text);
	progress->has_line = true;
}

static json_t *answer_take(const struct arguments *arguments, int fd)
{
	char *line = vmwpctl_receive(fd, arguments);
	json_t *result = line != NULL ? vmwpctl_result(arguments, line) : NULL;
	free(line);
	return result;
}

/* A command without arguments, on a connection that stays: its result, or NULL after a message. */
static json_t *ask(const struct talk *talk, const char *command)
{
	json_t *request = json_pack("{s:i, s:s}", "id", 1, "command", command);
	const bool is_sent = request != NULL &&
			     vmwpctl_send(talk->side, talk->arguments, request) == 0;
	json_decref(request);
	return is_sent ? answer_take(talk->arguments, talk->side) : NULL;
}

/* Ask the worker; -1 after a message if it does not answer. */
static int progress_ask(const struct talk *talk, struct progress *progress)
{
	json_t *status = ask(talk, "copy-status");
	if (status == NULL)
		return -1;
	const double bytes = (double)json_integer_value(json_object_get(status, "bytes"));
	const double seconds = json_real_value(json_object_get(status, "seconds"));
	const char *name = json_string_value(json_object_get(status, "file"));
	const double size = (double)json_integer_value(json_object_get(status, "size"));
	if (progress->is_shown && name != NULL && seconds > progress->seconds) {
		const double now = (bytes - progress->bytes) / (seconds - progress->seconds);
		progress->rate = progress->rate == 0
					 ? now
					 : progress->rate + SMOOTHING * (now - progress->rate);
		progress->bytes = bytes;
		progress->seconds = seconds;
		line_show(progress, name, bytes, size);
	}
	json_decref(status);
	return 0;
}

/* ---- the copy ------------------------------------------------------------------------------ */

/* The descriptor goes ahead of the line, on a blank that the line may begin with. */
static int file_pass(int fd, int file)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof file)];
	} control = {0};
	struct iovec blank = {.iov_base = " ", .iov_len = 1};
	const struct msghdr message = {
		.msg_iov = &blank,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control,
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof file);
	memcpy(CMSG_DATA(header), &file, sizeof file);
	if (sendmsg(fd, &message, MSG_NOSIGNAL) == 1)
		return 0;
	fprintf(stderr, "vmwpctl: cannot pass the file to the worker: %s\n", strerror(errno));
	return -1;
}

/* Send the command. The connection on which its answer comes, or -1 after a message. */
static int begin(const struct arguments *arguments, const json_t *request, int file)
{
	const int fd = vmwpctl_connect(arguments, TIMEOUT_DEFAULT_S);
	if (fd >= 0 && file_pass(fd, file) == 0 && vmwpctl_send(fd, arguments, request) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The first signal cancels in the guest; the second one ends this program, too. */
static int on_signal(const struct talk *talk, struct progress *progress, unsigned *count)
{
	struct signalfd_siginfo info;
	if (read(talk->signals, &info, sizeof info) != (ssize_t)sizeof info || ++*count > 1)
		return -1;
	line_end(progress);
	progress->is_shown = false;
	json_decref(ask(talk, "copy-cancel"));
	return 0;
}

/* Until the worker has answered. Its result, or NULL after a message. */
static json_t *wait_for_end(const struct talk *talk)
{
	struct progress progress = {
		.is_shown = !talk->arguments->is_json && isatty(STDERR_FILENO) != 0,
	};
	struct pollfd wanted[2] = {
		{.fd = talk->main, .events = POLLIN}, {.fd = talk->signals, .events = POLLIN}};
	json_t *result = NULL;
	unsigned count = 0;
	for (;;) {
		const int n = poll(
			wanted, 2, progress.is_shown ? PERIOD_TERMINAL_MS : PERIOD_ELSE_MS);
		if (n < 0 && errno != EINTR)
			break;
		if (n > 0 && wanted[0].revents != 0) {
			line_end(&progress);
			result = answer_take(talk->arguments, talk->main);
			break;
		}
		if (n > 0 && wanted[1].revents != 0 && on_signal(talk, &progress, &count) != 0)
			break;
		if (n == 0 && progress_ask(talk, &progress) != 0)
			break;
	}
	line_end(&progress);
	return result;
}

static int signals_open(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void fd_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int copy(const struct arguments *arguments, const struct target *target, int file)
{
	json_t *details = json_pack("{s:s, s:s}", "name", target->name, "path", target->path);
	if (details == NULL)
		return vmwpctl_usage_error("copy: name and path in the guest must be UTF-8");
	if (arguments->overwrites)
		json_object_set_new(details, "overwrite", json_true());
	if (arguments->creates_dirs)
		json_object_set_new(details, "create_dirs", json_true());
	struct talk talk = {.arguments = arguments, .main = -1, .signals = signals_open()};
	json_t *request = json_pack(
		"{s:i, s:s, s:o}", "id", 1, "command", "copy", "arguments", details);
	talk.side = vmwpctl_connect(arguments, TIMEOUT_DEFAULT_S);
	if (talk.side >= 0 && request != NULL)
		talk.main = begin(arguments, request, file);
	json_t *result = talk.main >= 0 ? wait_for_end(&talk) : NULL;
	const int status = result != NULL ? vmwpctl_show_result(arguments, result) : EXIT_FAILURE;
	json_decref(result);
	json_decref(request);
	fd_close(talk.main);
	fd_close(talk.side);
	fd_close(talk.signals);
	return status;
}

int vmwpctl_fcopy(const struct arguments *arguments)
{
	struct target target = {0};
	int status = target_parse(arguments->operands[0], arguments->operands[1], &target);
	if (status != 0)
		return status;
	const int file = file_open(arguments->operands[0]);
	status = file >= 0 ? copy(arguments, &target, file) : EXIT_FAILURE;
	if (file >= 0)
		close(file);
	free(target.path);
	return status;
}
