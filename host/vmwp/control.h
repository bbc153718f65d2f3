// SPDX-License-Identifier: Apache-2.0
/*
 * The worker's control commands: what comes in as one line of JSON goes out as one.
 *
 *	{"id": 7, "command": "detach", "arguments": {"target": 1}}
 *	{"id": 7, "ok": true, "result": …}
 *	{"id": 7, "ok": false, "error": "what, where, what to do"}
 *
 *	control_socket	lines from and to clients
 *	    |
 *	control		this file: JSON, schema, dispatch by a constant table
 *	    |
 *	struct control_ops	the worker
 *
 * `id` is a number or a string of the client's choice, echoed, null if there is none.
 * `arguments` may be left out when none is needed. Anything else in the request, an
 * unknown command or argument, a wrong type or a value out of range is an error that
 * names it; nothing is done in part.
 *
 * No I/O, no state. Threads: the worker's loop. Clients are trusted to command (the
 * socket is the owner's alone) but not to be well-formed: every length is bounded.
 */
#ifndef HOST_VMWP_CONTROL_H
#define HOST_VMWP_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_LINE_MAX_BYTES 65536u /* without the newline */
#define CONTROL_DEPTH_MAX      8u     /* nesting of arrays and objects in a request */
#define CONTROL_ID_MAX_BYTES   128u
#define CONTROL_ERROR_BYTES    512u
#define CONTROL_CONTROLLER_MAX 3u
#define CONTROL_TARGET_MAX     63u
#define CONTROL_LUN_MAX	       254u
#define CONTROL_PATH_MAX_BYTES 4095u

#define CONTROL_KVP_PAGE_MAX	    32u	  /* pairs: what a client has not read stays bounded */
#define CONTROL_ADDRESSES_MAX_BYTES 6144u /* a list as text */

#define CONTROL_REASON_MAX_BYTES 2047u
#define CONTROL_TIMEOUT_MAX_S	 3600

/* What went wrong, for a person: what, where, what to do. Empty: nothing. */
struct control_error {
	char text[CONTROL_ERROR_BYTES];
};
void control_error_set(struct control_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The right to answer a request later, as when a guest has to be asked first. Whoever hands
 * lines over makes one for each line; a command that is not done yet takes it.
 */
struct control_ticket {
	unsigned client; /* these three are of whoever made it */
	uint64_t serial;
	uint64_t connection; /* the same for all lines of one; not 0 */
	/*
	 * Where the descriptor lies that came with the line or before it: -1, none. Who keeps it
	 * puts -1 there. NULL: none can come. For the call of begin alone.
	 */
	int *passed_fd;
	bool is_taken;
	json_t *id; /* owned */
};

/* For a command's begin: it will answer later. Returns the ticket to keep. */
struct control_ticket control_ticket_take(struct control_ticket *ticket);

/*
 * The answer to a ticket that was kept, as control_handle_line() makes it; the ticket is used
 * up. Takes the reference of `result`; NULL: *error says what went wrong.
 */
char *control_ticket_answer(
	struct control_ticket *ticket, json_t *result, const struct control_error *error);

/* --- the table of commands ---------------------------------------------------------------- */

enum control_type {
	CONTROL_STRING,
	CONTROL_INTEGER,
	CONTROL_BOOLEAN,
};

struct control_argument {
	const char *name;
	enum control_type type;
	bool is_required;
	int64_t minimum;	    /* of an integer */
	int64_t maximum;	    /* of an integer; of a string's length in bytes */
	const char *const *choices; /* of a string, NULL-terminated; NULL: any */
	const char *help;
};

struct control_command {
	const char *name;
	const char *help;
	const struct control_argument *arguments;
	size_t argument_count;
	/*
	 * Run it. `arguments` is an object that satisfies the schema. Returns a new
	 * reference, or NULL with *error set.
	 */
	json_t *(*handle)(void *ctx, const json_t *arguments, struct control_error *error);
	/*
	 * Or, in place of handle, begin it: the same, and NULL with the ticket taken says that
	 * the answer comes later.
	 */
	json_t *(*begin)(void *ctx, const json_t *arguments, struct control_ticket *ticket,
		struct control_error *error);
};

/*
 * Answer one request line (without its newline; any bytes). Returns the answer without a
 * newline, to be freed by the caller; NULL if it comes later (ticket->is_taken), or memory
 * ran out. `ctx` goes to the handler.
 */
char *control_handle_line(const struct control_command *table, size_t count, void *ctx,
	const char *line, size_t len, struct control_ticket *ticket);

/* The table as JSON, for a client to show: an array of commands. New reference. */
json_t *control_table_describe(const struct control_command *table, size_t count);

/* --- the worker's commands ---------------------------------------------------------------- */

struct control_attach {
	bool is_dvd;	     /* else a disk */
	const char *path;    /* borrowed during the call; not empty, no NUL inside */
	unsigned controller; /* 0..CONTROL_CONTROLLER_MAX */
	bool has_target;     /* false: worker_address_pick() */
	unsigned target;     /* 0..CONTROL_TARGET_MAX */
	unsigned lun;	     /* 0..CONTROL_LUN_MAX */
	bool is_read_only;
};

struct control_detach {
	unsigned controller;
	unsigned target;
	unsigned lun;
};

enum control_power_action {
	CONTROL_POWER_OFF,
	CONTROL_POWER_REBOOT,
	CONTROL_POWER_HIBERNATE,
};

struct control_power {
	enum control_power_action action;
	bool is_forced;
	const char *reason; /* borrowed during the call; or NULL */
	unsigned timeout_s; /* for the guest's answer, 1..CONTROL_TIMEOUT_MAX_S; 0: the default */
};

enum control_backup_action {
	CONTROL_BACKUP_FREEZE,
	CONTROL_BACKUP_THAW,
	CONTROL_BACKUP_STATUS,
};

struct control_backup {
	enum control_backup_action action;
	bool is_held;	    /* thaw when the client that asked has gone */
	unsigned timeout_s; /* for the guest to freeze, 1..CONTROL_TIMEOUT_MAX_S; 0: the default */
	unsigned limit_s;   /* frozen at most, likewise */
};

/* The file itself comes as the ticket's passed_fd. */
struct control_copy {
	const char *name; /* borrowed during the call, like path */
	const char *path; /* of the directory in the guest */
	bool overwrites;
	bool creates_path;
};

enum control_kvp_action {
	CONTROL_KVP_DELETE,
	CONTROL_KVP_GET,
	CONTROL_KVP_LIST,
	CONTROL_KVP_SET,
};

struct control_kvp {
	enum control_kvp_action action;
	uint8_t pool;	   /* enum kvp_pool */
	const char *key;   /* borrowed during the call; NULL with LIST */
	const char *value; /* likewise; NULL: empty */
	uint32_t type;	   /* enum kvp_type */
	bool is_direct;
	uint32_t index;
	uint32_t count;	    /* 0: CONTROL_KVP_PAGE_MAX */
	unsigned timeout_s; /* 0: the default */
};

/* Texts are borrowed during the call; lists are joined by commas, NULL is empty. */
struct control_ip {
	bool is_set;
	const char *adapter;
	const char *addresses; /* ADDRESS/BITS each */
	const char *gateways;
	const char *dns;
	bool is_dhcp;
	unsigned timeout_s; /* 0: the default */
};

/*
 * The worker behind the commands. Each returns a new reference that becomes `result`, or
 * NULL with *error set. None may wait: what takes long takes its ticket, or is begun and seen
 * in `status`.
 */
struct control_ops {
	json_t *(*status)(void *ctx, struct control_error *error);
	json_t *(*statistics)(void *ctx, struct control_error *error);
	json_t *(*heartbeat)(void *ctx, struct control_error *error);
	json_t *(*attach)(
		void *ctx, const struct control_attach *what, struct control_error *error);
	json_t *(*detach)(
		void *ctx, const struct control_detach *what, struct control_error *error);
	json_t *(*stop)(void *ctx, struct control_error *error);
	json_t *(*services)(void *ctx, struct control_error *error);
	json_t *(*power)(void *ctx, const struct control_power *what, struct control_ticket *ticket,
		struct control_error *error);
	/* Tell the guest the time, to be set (is_sync) or to be noted. */
	json_t *(*time)(void *ctx, bool is_sync, struct control_ticket *ticket,
		struct control_error *error);
	json_t *(*backup)(void *ctx, const struct control_backup *what,
		struct control_ticket *ticket, struct control_error *error);
	/* Copy a file into the guest; give that up; how far it is. */
	json_t *(*copy)(void *ctx, const struct control_copy *what, struct control_ticket *ticket,
		struct control_error *error);
	json_t *(*copy_cancel)(void *ctx, struct control_error *error);
	json_t *(*copy_status)(void *ctx, struct control_error *error);
	json_t *(*kvp)(void *ctx, const struct control_kvp *what, struct control_ticket *ticket,
		struct control_error *error);
	json_t *(*ip)(void *ctx, const struct control_ip *what, struct control_ticket *ticket,
		struct control_error *error);
};

struct control_worker {
	const struct control_ops *ops; /* borrowed */
	void *ctx;		       /* borrowed; handed to ops */
};

/* The worker's table; its handlers take a struct control_worker as ctx. Sorted by name. */
const struct control_command *control_worker_table(size_t *count);

/* control_handle_line() over the worker's table; `worker` is a struct control_worker. */
char *control_worker_handle_line(
	void *worker, const char *line, size_t len, struct control_ticket *ticket);

#endif
