// SPDX-License-Identifier: Apache-2.0
/*
 * Many commands for a worker over one connection to its control socket: lines of standard input,
 *one after the other, each answered before the next (host/vmwp/control.h). Ends at the first that
 *fails.
 *
 *	control_lines SOCKET <COMMANDS		prints how many were done, and the answer that was
 *no success
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_BYTES (1u << 16)

int main(int argc, char **argv)
{
	static char line[LINE_BYTES];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	unsigned done = 0;
	if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path) {
		fputs("usage: control_lines SOCKET <COMMANDS\n", stderr);
		return 2;
	}
	memcpy(address.sun_path, argv[1], strlen(argv[1]));
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		fprintf(stderr, "control_lines: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	FILE *in = fdopen(fd, "r");
	while (in != NULL && fgets(line, sizeof line, stdin) != NULL) {
		if (write(fd, line, strlen(line)) != (ssize_t)strlen(line) ||
			fgets(line, sizeof line, in) == NULL) {
			fputs("control_lines: the worker has closed\n", stderr);
			break;
		}
		if (strstr(line, "\"ok\":true") == NULL && strstr(line, "\"ok\": true") == NULL) {
			fputs(line, stderr);
			break;
		}
		done++;
	}
	printf("%u\n", done);
	return 0;
}
