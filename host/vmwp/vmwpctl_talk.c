// SPDX-License-Identifier: Apache-2.0
/*
 * vmwpctl's conversation with a worker: one connection, one line, one answer. See
 * vmwpctl_internal.h.
 */
#include "host/vmwp/control_print.h"
#include "host/vmwp/vmwpctl_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX_BYTES (16u * 1024u * 1024u)

static bool is_socket(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static const char *advice(const char *path, int error)
{
	switch (error) {
	case ENOENT:
		return "is the worker running, and was it started with --control and this path?";
	case ECONNREFUSED:
		return is_socket(path) ? "the worker that made it has ended; start it again"
				       : "it is not a worker's control socket";
	case EACCES:
		return "only the worker's user may command it; try as that user";
	case EAGAIN:
		return "the worker does not answer; it may be stopped, or raise --timeout";
	case EPROTOTYPE:
	case ENOTSOCK:
		return "it is not a worker's control socket";
	case ECONNRESET:
		return "the worker closed the connection; its log may say why";
	default:
		return "is it a worker's control socket?";
	}
}

static int fail_on_socket(const char *what, const char *path, int error)
{
	fprintf(stderr, "vmwpctl: cannot %s '%s': %s (%s)\n", what, path,
		error == EAGAIN ? "timed out" : strerror(error), advice(path, error));
	return -1;
}

int vmwpctl_connect(const struct arguments *arguments, long wait_s)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	size_t len = strlen(arguments->socket);
	if (len >= sizeof name.sun_path)
		return fail_on_socket("reach", arguments->socket, ENAMETOOLONG);
	memcpy(name.sun_path, arguments->socket, len + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail_on_socket("reach", arguments->socket, errno);
	const struct timeval timeout = {.tv_sec = wait_s};
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) != 0 ||
		connect(fd, (const struct sockaddr *)&name, sizeof name) != 0) {
		fail_on_socket("reach", arguments->socket, errno);
		close(fd);
		return -1;
	}
	return fd;
}

int vmwpctl_send(int fd, const struct arguments *arguments, const json_t *request)
{
	char *line = json_dumps(request, JSON_COMPACT);
	if (line == NULL)
		return fail_on_socket("write to", arguments->socket, ENOMEM);
	size_t len = strlen(line);
	line[len++] = '\n'; /* in place of the NUL */
	int result = 0;
	for (size_t sent = 0; sent < len && result == 0;) {
		ssize_t n = send(fd, line + sent, len - sent, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			result = fail_on_socket("write to", arguments->socket, errno);
		sent += n > 0 ? (size_t)n : 0;
	}
	free(line);
	return result;
}

char *vmwpctl_receive(int fd, const struct arguments *arguments)
{
	char *text = NULL;
	size_t used = 0;
	size_t size = 0;
	while (used < ANSWER_MAX_BYTES) {
		if (size - used < 2) {
			size = size == 0 ? 4096 : size * 2;
			char *larger = realloc(text, size);
			if (larger == NULL)
				break;
			text = larger;
		}
		ssize_t n = recv(fd, text + used, size - used - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int error = n < 0 ? errno : ECONNRESET;
			fail_on_socket("read from", arguments->socket, error);
			free(text);
			return NULL;
		}
		char *end = memchr(text + used, '\n', (size_t)n);
		used += (size_t)n;
		if (end != NULL) {
			*end = '\0';
			return text;
		}
	}
	fprintf(stderr,
		"vmwpctl: the answer of '%s' is longer than %u bytes: no worker says that\n",
		arguments->socket, ANSWER_MAX_BYTES);
	free(text);
	return NULL;
}

json_t *vmwpctl_result(const struct arguments *arguments, const char *line)
{
	json_t *answer = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	json_t *result = json_object_get(answer, "result");
	const char *error = json_string_value(json_object_get(answer, "error"));
	if (json_is_true(json_object_get(answer, "ok")) && result != NULL)
		json_incref(result);
	else
		result = NULL;
	if (result == NULL && error != NULL)
		fprintf(stderr, "vmwpctl: %s\n", error);
	else if (result == NULL)
		fprintf(stderr,
			"vmwpctl: '%s' does not answer like a worker (is it another "
			"program's socket?)\n",
			arguments->socket);
	json_decref(answer);
	return result;
}

json_t *vmwpctl_ask(
	const struct arguments *arguments, long wait_s, const char *command, json_t *details)
{
	json_t *request = json_pack(
		"{s:i, s:s, s:o}", "id", 1, "command", command, "arguments", details);
	json_t *result = NULL;
	int fd = request != NULL ? vmwpctl_connect(arguments, wait_s) : -1;
	if (fd >= 0 && vmwpctl_send(fd, arguments, request) == 0) {
		char *line = vmwpctl_receive(fd, arguments);
		if (line != NULL)
			result = vmwpctl_result(arguments, line);
		free(line);
	}
	if (fd >= 0)
		close(fd);
	json_decref(request);
	return result;
}

int vmwpctl_show(const struct arguments *arguments, const char *line)
{
	json_t *result = vmwpctl_result(arguments, line);
	int status = result != NULL ? vmwpctl_show_result(arguments, result) : EXIT_FAILURE;
	json_decref(result);
	return status;
}

int vmwpctl_show_result(const struct arguments *arguments, const json_t *result)
{
	if (arguments->is_json) {
		json_dumpf(result, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
		putchar('\n');
	} else {
		control_print(stdout, result);
	}
	return vmwpctl_flush();
}

int vmwpctl_flush(void)
{
	if (fflush(stdout) == 0)
		return EXIT_SUCCESS;
	fprintf(stderr, "vmwpctl: cannot write the answer: %s\n", strerror(errno));
	return EXIT_FAILURE;
}
