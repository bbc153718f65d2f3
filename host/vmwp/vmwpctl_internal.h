// SPDX-License-Identifier: Apache-2.0
/*
 * vmwpctl's parts: the command line as it was understood, the rows of its verbs, and the
 * conversation with a worker.
 *
 *	vmwpctl.c	options, the table of verbs, main
 *	vmwpctl_backup.c, vmwpctl_fcopy.c, vmwpctl_heartbeat.c, vmwpctl_kvp.c
 *			verbs that are a conversation: backup, copy, heartbeat, kvp and ip
 *	vmwpctl_talk.c	one line to the worker, one answer
 *
 * Messages go to stderr where the mistake is found; what is returned is an exit status.
 *
 * Threads: one.
 */
#ifndef HOST_VMWP_VMWPCTL_INTERNAL_H
#define HOST_VMWP_VMWPCTL_INTERNAL_H

#include "host/vmwp/control.h"

#include <jansson.h>
#include <stdbool.h>

#define EXIT_USAGE	  2
#define TIMEOUT_DEFAULT_S 5
#define GUEST_DEFAULT_S	  10 /* for verbs that ask the guest */
#define KVP_DEFAULT_S	  40 /* the guest's daemon has 30 */
#define TIMEOUT_MAX_S	  CONTROL_TIMEOUT_MAX_S
#define NUMBER_NOT_GIVEN  (-1)
#define OPERANDS_ITS_OWN  (-1) /* the verb judges its operands itself */
#define LIST_OPTIONS_MAX  128u /* --address and the like, each */

/* An option that may be given more than once. */
struct text_list {
	const char *at[LIST_OPTIONS_MAX];
	unsigned count;
};

struct arguments {
	const char *socket;
	const char *verb;
	char **operands; /* after the verb */
	int operand_count;
	long controller; /* NUMBER_NOT_GIVEN, or what the option said */
	long target;
	long lun;
	long timeout_s;
	long period_s;
	long limit_s;
	const char *reason; /* or NULL; likewise */
	const char *pool;
	const char *type;
	const char *dhcp;
	const char *image_copy;
	struct text_list addresses;
	struct text_list gateways;
	struct text_list dns;
	bool is_read_only;
	bool is_forced;
	bool is_direct;
	bool is_json;
	bool is_watching;
	bool overwrites;
	bool creates_dirs;
};

enum {
	TAKES_CONTROLLER = 1,
	TAKES_TARGET = 2,
	TAKES_LUN = 4,
	TAKES_READ_ONLY = 8,
	TAKES_FORCE = 16,
	TAKES_REASON = 32,
	ASKS_GUEST = 64, /* the answer comes when the guest has given its own */
	TAKES_POOL = 128,
	TAKES_TYPE = 256,
	TAKES_DIRECT = 512,
	TAKES_PERIOD = 1024,
	TAKES_NETWORK = 2048, /* --address, --gateway, --dns, --dhcp */
	TAKES_BACKUP = 4096,  /* --limit, --image-copy */
	TAKES_WATCH = 1 << 13,
	TAKES_OVERWRITE = 1 << 16, /* and --create-dirs */
	TAKES_ADDRESS = TAKES_CONTROLLER | TAKES_TARGET | TAKES_LUN,
};

struct verb {
	const char *name;
	const char *operands; /* for --help */
	const char *help;
	int operand_count; /* or OPERANDS_ITS_OWN */
	int options;	   /* TAKES_*, ASKS_GUEST */
	/* Fill `out` (an empty object). 0, or EXIT_USAGE after a message. */
	int (*build)(const struct arguments *arguments, json_t *out);
	/* Or, in place of it, do it all. Returns the exit status. */
	int (*run)(const struct arguments *arguments);
};

/* Usage mistakes are reported here and nowhere else. Returns EXIT_USAGE. */
int vmwpctl_usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A connected descriptor that waits so long for each answer, or -1 after a message. */
int vmwpctl_connect(const struct arguments *arguments, long wait_s);

/* Send a request, a line. 0, or -1 after a message. */
int vmwpctl_send(int fd, const struct arguments *arguments, const json_t *request);

/* The next line: malloc'ed, without its newline; or NULL after a message. */
char *vmwpctl_receive(int fd, const struct arguments *arguments);

/* The result in an answer's line: a new reference, or NULL after a message. */
json_t *vmwpctl_result(const struct arguments *arguments, const char *line);

/* Connect, send a command (takes the reference of `details`), and as vmwpctl_result(). */
json_t *vmwpctl_ask(
	const struct arguments *arguments, long wait_s, const char *command, json_t *details);

/* Show the result in an answer's line, or a result; end the output. Return the exit status. */
int vmwpctl_show(const struct arguments *arguments, const char *line);
int vmwpctl_show_result(const struct arguments *arguments, const json_t *result);
int vmwpctl_flush(void);

/* The verb "backup"; vmwpctl_backup.c. */
int vmwpctl_backup(const struct arguments *arguments);

/* The verb "copy"; vmwpctl_fcopy.c. */
int vmwpctl_fcopy(const struct arguments *arguments);

/* The verb "heartbeat"; vmwpctl_heartbeat.c. */
int vmwpctl_heartbeat(const struct arguments *arguments);

/* The verbs "kvp" and "ip"; vmwpctl_kvp.c. */
int vmwpctl_kvp(const struct arguments *arguments);
int vmwpctl_ip(const struct arguments *arguments);

#endif
