// SPDX-License-Identifier: Apache-2.0
// clang-format off
/*
 * The status file of a daemon, /run/viridian/STEM.json, which `vmbusctl status` reads:
 *
 *	stem, program, version, pid
 *	state			"serving", "waiting" (for the device), "ended" (the process has)
 *	transport		"device", "uio", "loopback", "none"
 *	transports		for each: "chosen", or why not
 *	connections		how often a transport was opened
 *	framework_version, message_version
 *				"3.0"; null: not negotiated, or known to the kernel alone
 *	requests		handled: of the channel, or records of the device
 *	late, late_voids	of those, answered later; in vain, because the host began anew
 *	rejections		{ reason: number }, of what was refused
 *	last_contact		"2024-05-06T07:08:09Z", or null
 *	last_contact_age_s	when written
 *	written			likewise
 *	service			what the component adds
 *
 * It is replaced as a whole, at most once a second, and is left behind at the end, for the
 * reason of the end is worth knowing.
 */
// clang-format on
#include "guest/ic_daemons/daemon_internal.h"

#include "packaging/version.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define GAP_MS		  1000u	 /* between two writes */
#define CONTACT_MS	  10000u /* until mere contact is worth a write */
#define CONTACT_LATEST_MS 15000u /* and until it is worth waking up for */

#define NAME_BYTES 96u
#define MADE_BYTES (NAME_BYTES + 24u)

static json_t *count(uint64_t value)
{
	return json_integer((json_int_t)(value & INT64_MAX));
}

static json_t *time_json(int64_t unix_s)
{
	char text[32];
	struct tm parts;
	const time_t when = (time_t)unix_s;
	if (unix_s == 0 || gmtime_r(&when, &parts) == NULL ||
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		return json_null();
	return json_string(text);
}

static json_t *version_json(bool is_known, struct ic_version_wire version)
{
	return is_known ? json_sprintf("%u.%u", version.major, version.minor) : json_null();
}

static json_t *rejections_json(const struct ic_guest *ic)
{
	json_t *out = json_object();
	for (unsigned i = 1; i < IC_REJECTION_COUNT; i++)
		if (ic->rejections[i] > 0)
			json_object_set_new(out, ic_rejection_name((enum ic_rejection)i),
				count(ic->rejections[i]));
	return out;
}

static json_t *transports_json(const struct daemon *daemon)
{
	json_t *out = json_object();
	for (unsigned i = 1; i < DAEMON_TRANSPORTS; i++)
		if (daemon->why[i][0] != '\0')
			json_object_set_new(out, daemon_transport_name((enum daemon_transport)i),
				json_string(daemon->why[i]));
	return out;
}

static const char *state_of(const struct daemon *daemon)
{
	if (daemon->is_begun)
		return "serving";
	return daemon->is_quitting ? "ended" : "waiting";
}

json_t *daemon_status_object(struct daemon *daemon)
{
	const struct daemon_component *component = daemon->component;
	const struct ic_guest *ic = component->ic;
	const struct daemon_status_state *status = &daemon->status;
	json_t *out = json_object();
	json_t *service = json_object();
	if (component->status != NULL)
		component->status(component->ctx, service);
	json_object_set_new(out, "stem", json_string(component->stem));
	json_object_set_new(out, "program", json_sprintf("vmic-%s", component->stem));
	json_object_set_new(out, "version", json_string(viridian_version));
	json_object_set_new(out, "pid", count((uint64_t)getpid()));
	json_object_set_new(out, "state", json_string(state_of(daemon)));
	json_object_set_new(
		out, "transport", json_string(daemon_transport_name(daemon_transport_now(daemon))));
	json_object_set_new(out, "transports", transports_json(daemon));
	json_object_set_new(out, "connections", count(daemon->connections));
	json_object_set_new(
		out, "framework_version", version_json(ic->is_negotiated, ic->agreement.framework));
	json_object_set_new(
		out, "message_version", version_json(ic->is_negotiated, ic->agreement.message));
	json_object_set_new(out, "requests", count(ic->requests + daemon->device.records));
	json_object_set_new(out, "late", count(ic->later));
	json_object_set_new(out, "late_voids", count(ic->late_voids));
	json_object_set_new(out, "rejections", rejections_json(ic));
	json_object_set_new(out, "last_contact", time_json(status->contact_unix_s));
	json_object_set_new(out, "last_contact_age_s",
		status->contacts == 0
			? json_null()
			: json_real((double)(daemon_now_ms() - status->contact_ms) / 1000));
	json_object_set_new(out, "written", time_json((int64_t)time(NULL)));
	json_object_set_new(out, "service", service);
	return out;
}

/* ---- the file ------------------------------------------------------------ */

void daemon_status_open(struct daemon *daemon, const struct daemon_identity *identity)
{
	struct daemon_status_state *status = &daemon->status;
	const char *dir = daemon->options.status_dir;
	if (dir[0] == '\0')
		return;
	/* Normally the package has made it. Several share it: nobody may remove another's. */
	if (mkdir(dir, 0755) == 0 && identity->is_given && geteuid() == 0 &&
		(chown(dir, 0, identity->gid) != 0 || chmod(dir, 01775) != 0))
		daemon_log(LOG_WARNING, "%s: %s", dir, strerror(errno));
	status->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (status->dir_fd < 0)
		daemon_log(LOG_WARNING, "no status file: %s: %s", dir, strerror(errno));
}

static int whole_write(int fd, const char *text, size_t len)
{
	while (len > 0) {
		const ssize_t written = write(fd, text, len);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -EIO;
		text += written;
		len -= (size_t)written;
	}
	return 0;
}

/*
 * A new file beside `name`; its name goes to `made`. Always the same, so that one that was left is
 * found again; but the folder is other users', too, who may have taken that.
 */
static int file_make(int dir_fd, const char *name, char made[MADE_BYTES])
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	uint64_t random;
	snprintf(made, MADE_BYTES, ".%s.new", name);
	(void)unlinkat(dir_fd, made, 0);
	int fd = openat(dir_fd, made, flags, 0644);
	if (fd >= 0 || errno != EEXIST)
		return fd >= 0 ? fd : -errno;
	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		return -EIO;
	snprintf(made, MADE_BYTES, ".%s.%016" PRIx64, name, random);
	fd = openat(dir_fd, made, flags, 0644);
	return fd >= 0 ? fd : -errno;
}

static int replace(struct daemon *daemon, const char *text)
{
	const int dir_fd = daemon->status.dir_fd;
	char name[NAME_BYTES];
	char made[MADE_BYTES];
	snprintf(name, sizeof name, "%s.json", daemon->component->stem);
	const int fd = file_make(dir_fd, name, made);
	if (fd < 0)
		return fd;
	int error = whole_write(fd, text, strlen(text));
	if (close(fd) != 0 && error == 0)
		error = -errno;
	if (error == 0 && renameat(dir_fd, made, dir_fd, name) != 0)
		error = -errno;
	if (error != 0)
		(void)unlinkat(dir_fd, made, 0);
	return error;
}

void daemon_status_write(struct daemon *daemon)
{
	struct daemon_status_state *status = &daemon->status;
	if (status->dir_fd < 0 || daemon->is_quiet)
		return;
	daemon_timer_clear(daemon, &status->timer);
	status->written_ms = daemon_now_ms();
	json_t *object = daemon_status_object(daemon);
	char *text = json_dumps(object, JSON_INDENT(2));
	json_decref(object);
	int error = text != NULL ? replace(daemon, text) : -ENOMEM;
	free(text);
	if (error != 0 && !status->is_broken)
		daemon_log(LOG_WARNING, "%s/%s.json: %s", daemon->options.status_dir,
			daemon->component->stem, strerror(-error));
	status->is_broken = error != 0;
}

static void on_time(void *ctx)
{
	daemon_status_write(ctx);
}

static void write_in(struct daemon *daemon, uint64_t after_ms)
{
	struct daemon_status_state *status = &daemon->status;
	if (status->dir_fd < 0)
		return;
	if (!status->timer.is_set || status->timer.due_ms > daemon_now_ms() + after_ms)
		daemon_timer_set(daemon, &status->timer, after_ms, on_time, daemon);
}

void daemon_status_touch(struct daemon *daemon)
{
	const uint64_t since = daemon_now_ms() - daemon->status.written_ms;
	write_in(daemon, since >= GAP_MS ? 0 : GAP_MS - since);
}

void daemon_status_contact(struct daemon *daemon)
{
	struct daemon_status_state *status = &daemon->status;
	const struct ic_guest *ic = daemon->component->ic;
	const uint64_t contacts = ic->requests + ic->negotiations + daemon->device.records;
	if (contacts == status->contacts)
		return;
	const bool is_first = status->contacts == 0;
	status->contacts = contacts;
	status->contact_ms = daemon_now_ms();
	status->contact_unix_s = (int64_t)time(NULL);
	if (is_first)
		daemon_status_touch(daemon);
	else if (status->contact_ms - status->written_ms >= CONTACT_MS)
		daemon_status_write(daemon); /* as long as we are awake */
	else
		write_in(daemon, CONTACT_LATEST_MS);
}

void daemon_quiet(struct daemon *daemon, bool is_quiet)
{
	daemon->is_quiet = is_quiet;
	daemon_log_hold(is_quiet);
	if (!is_quiet)
		daemon_status_touch(daemon);
}

void daemon_status_close(struct daemon *daemon)
{
	daemon_timer_clear(daemon, &daemon->status.timer);
	if (daemon->status.dir_fd < 0)
		return;
	daemon_status_write(daemon);
	close(daemon->status.dir_fd);
	daemon->status.dir_fd = -1;
}

void daemon_status_disown(struct daemon *daemon)
{
	daemon_timer_clear(daemon, &daemon->status.timer);
	if (daemon->status.dir_fd >= 0)
		close(daemon->status.dir_fd);
	daemon->status.dir_fd = -1;
}
