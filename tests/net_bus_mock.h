// SPDX-License-Identifier: Apache-2.0
/*
 * A D-Bus with systemd-networkd or NetworkManager on it, as far as the back ends of
 * viridian-net-config go: one connection, served by a thread, every call noted as a line of text.
 * For one test program: functions are static.
 */
#ifndef TESTS_NET_BUS_MOCK_H
#define TESTS_NET_BUS_MOCK_H

#include <stdbool.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

struct bus_mock {
	/* What it is, set before bus_mock_start(). */
	const char *service; /* the one name that has an owner */
	bool refuses;	     /* Reload and Reapply fail */
	bool is_idle;	     /* the device has no active connection */
	char directory[256]; /* for its socket */
	/* Since then. The test reads these after bus_mock_stop(). */
	char calls[8192];
	char address[300];
	int listener;
	pthread_t thread;
};

static void mock_note(struct bus_mock *mock, const char *text)
{
	size_t len = strlen(mock->calls);
	snprintf(mock->calls + len, sizeof mock->calls - len, "%s", text);
}

/* Any value as text: "s:x" is written x, arrays in brackets. */
static void mock_note_value(struct bus_mock *mock, sd_bus_message *m)
{
	char type;
	const char *contents;
	bool is_first = true;
	while (sd_bus_message_peek_type(m, &type, &contents) > 0) {
		char text[512];
		mock_note(mock, is_first ? "" : " ");
		is_first = false;
		if (strchr("avre({", type)) {
			sd_bus_message_enter_container(m, type, contents);
			mock_note(mock, type == 'a' ? "[" : type == 'e' ? "" : "<");
			mock_note_value(mock, m);
			mock_note(mock, type == 'a' ? "]" : type == 'e' ? "" : ">");
			sd_bus_message_exit_container(m);
			continue;
		}
		union {
			uint8_t y;
			int b;
			uint32_t u;
			int32_t i;
			uint64_t t;
			const char *s;
		} value;
		sd_bus_message_read_basic(m, type, &value);
		if (strchr("sog", type))
			snprintf(text, sizeof text, "%s", value.s);
		else if (type == 't')
			snprintf(text, sizeof text, "%llu", (unsigned long long)value.t);
		else if (type == 'y')
			snprintf(text, sizeof text, "%02x", value.y);
		else if (type == 'u')
			snprintf(text, sizeof text, "%08x", value.u);
		else
			snprintf(text, sizeof text, "%d", value.i);
		mock_note(mock, text);
	}
}

/* NetworkManager's profile before the change. */
static int mock_profile(sd_bus_message *out)
{
	int error = sd_bus_message_open_container(out, 'a', "{sa{sv}}");
	if (error >= 0)
		error = sd_bus_message_append(out, "{sa{sv}}", "connection", 2, "id", "s",
			"Wired connection 1", "timestamp", "t", (uint64_t)1234567890123);
	if (error >= 0)
		error = sd_bus_message_append(out, "{sa{sv}}", "ipv4", 5, "method", "s", "manual",
			"dns", "au", 1, 0x01010101, "route-metric", "x", (int64_t)50,
			"address-data", "aa{sv}", 1, 2, "address", "s", "203.0.113.5", "prefix",
			"u", 24, "gateway", "s", "203.0.113.1");
	if (error >= 0)
		error = sd_bus_message_append(out, "{sa{sv}}", "ipv6", 1, "method", "s", "ignore");
	return error < 0 ? error : sd_bus_message_close_container(out);
}

static int mock_get_property(struct bus_mock *mock, sd_bus_message *m, sd_bus_message *reply)
{
	const char *interface;
	const char *property;
	sd_bus_message_read(m, "ss", &interface, &property);
	if (strcmp(property, "Managed") == 0)
		return sd_bus_message_append(reply, "v", "b", 1);
	if (strcmp(property, "ActiveConnection") == 0)
		return sd_bus_message_append(reply, "v", "o", mock->is_idle ? "/" : "/active/1");
	if (strcmp(property, "Connection") == 0)
		return sd_bus_message_append(reply, "v", "o", "/settings/1");
	if (strcmp(property, "Filename") == 0)
		return sd_bus_message_append(reply, "v", "s", "/etc/profile");
	return -1;
}

/* Questions, which change nothing and are not noted. 0: it is none. */
static int mock_question(struct bus_mock *mock, sd_bus_message *m, sd_bus_message *reply)
{
	const char *member = sd_bus_message_get_member(m);
	const char *name;
	if (strcmp(member, "Hello") == 0)
		return sd_bus_message_append(reply, "s", ":1.1") < 0 ? -1 : 1;
	if (strcmp(member, "NameHasOwner") == 0 && sd_bus_message_read(m, "s", &name) >= 0)
		return sd_bus_message_append(reply, "b", strcmp(name, mock->service) == 0) < 0 ? -1
											       : 1;
	if (strcmp(member, "Get") == 0)
		return mock_get_property(mock, m, reply) < 0 ? -1 : 1;
	if (strcmp(member, "GetDeviceByIpIface") == 0)
		return sd_bus_message_append(reply, "o", "/device/1") < 0 ? -1 : 1;
	if (strcmp(member, "GetSettings") == 0)
		return mock_profile(reply) < 0 ? -1 : 1;
	return 0;
}

static int mock_on_message(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus_mock *mock = data;
	sd_bus_message *reply = NULL;
	(void)error;
	if (!sd_bus_message_is_method_call(m, NULL, NULL))
		return 0;
	const char *member = sd_bus_message_get_member(m);
	sd_bus_message_new_method_return(m, &reply);
	if (mock_question(mock, m, reply) == 0) {
		mock_note(mock, sd_bus_message_get_path(m));
		mock_note(mock, " ");
		mock_note(mock, member);
		mock_note(mock, " ");
		mock_note_value(mock, m);
		mock_note(mock, "\n");
		if (strcmp(member, "AddAndActivateConnection") == 0)
			sd_bus_message_append(reply, "oo", "/settings/2", "/active/2");
		if (mock->refuses &&
			(strcmp(member, "Reload") == 0 || strcmp(member, "Reapply") == 0)) {
			sd_bus_message_unref(reply);
			return sd_bus_reply_method_errorf(
				m, "org.example.No", "not today;\n$(reboot)");
		}
	}
	sd_bus_send(sd_bus_message_get_bus(m), reply, NULL);
	sd_bus_message_unref(reply);
	return 1;
}

static void *mock_serve(void *data)
{
	struct bus_mock *mock = data;
	sd_bus *bus = NULL;
	sd_id128_t id = {.bytes = {1}};
	int fd = accept(mock->listener, NULL, NULL);
	sd_bus_new(&bus);
	sd_bus_set_fd(bus, fd, fd);
	sd_bus_set_server(bus, 1, id);
	sd_bus_set_anonymous(bus, 1);
	sd_bus_add_filter(bus, NULL, mock_on_message, mock);
	sd_bus_start(bus);
	int more = 0;
	while (more >= 0) {
		more = sd_bus_process(bus, NULL);
		if (more == 0)
			more = sd_bus_wait(bus, UINT64_MAX);
	}
	sd_bus_close(bus);
	sd_bus_unref(bus);
	return NULL;
}

/* Listen at mock->address, a D-Bus address, for one connection. */
static void bus_mock_start(struct bus_mock *mock)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	snprintf(at.sun_path, sizeof at.sun_path, "%.90s/bus", mock->directory);
	snprintf(mock->address, sizeof mock->address, "unix:path=%s", at.sun_path);
	mock->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unlink(at.sun_path);
	if (bind(mock->listener, (struct sockaddr *)&at, sizeof at) != 0 ||
		listen(mock->listener, 1) != 0 ||
		pthread_create(&mock->thread, NULL, mock_serve, mock) != 0)
		abort();
}

/* The connection has been closed by its other side. */
static void bus_mock_stop(struct bus_mock *mock)
{
	pthread_join(mock->thread, NULL);
	close(mock->listener);
}

#endif
