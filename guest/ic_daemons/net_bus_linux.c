// SPDX-License-Identifier: Apache-2.0
/*
 * D-Bus calls: see net_bus_linux.h.
 */
#ifdef VIRIDIAN_HAVE_SYSTEMD

#include "guest/ic_daemons/net_bus_linux.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct sd_bus *net_bus_open(const char *address)
{
	sd_bus *bus = NULL;
	if (!address)
		return sd_bus_open_system(&bus) < 0 ? NULL : bus;
	if (sd_bus_new(&bus) < 0)
		return NULL;
	if (sd_bus_set_address(bus, address) < 0 || sd_bus_set_bus_client(bus, true) < 0 ||
		sd_bus_start(bus) < 0)
		return sd_bus_unref(bus);
	return bus;
}

void net_bus_close(struct sd_bus *bus)
{
	sd_bus_flush_close_unref(bus);
}

bool net_bus_has(struct sd_bus *bus, const char *service)
{
	sd_bus_message *answer = NULL;
	int has = 0;
	if (!bus)
		return false;
	if (sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
		    "org.freedesktop.DBus", "NameHasOwner", NULL, &answer, "s", service) >= 0)
		sd_bus_message_read(answer, "b", &has);
	sd_bus_message_unref(answer);
	return has != 0;
}

int net_bus_send(struct sd_bus *bus, char *why, size_t why_bytes, sd_bus_message *message,
	sd_bus_message **answer)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int result = sd_bus_call(bus, message, NET_BUS_TIMEOUT_US, &error, answer);
	if (result < 0)
		snprintf(why, why_bytes, "%s", error.message ? error.message : strerror(-result));
	sd_bus_error_free(&error);
	return result < 0 ? result : 0;
}

int net_bus_call(struct sd_bus *bus, char *why, size_t why_bytes, const char *service,
	const char *object, const char *interface, const char *method, const char *types, ...)
{
	sd_bus_message *message = NULL;
	snprintf(why, why_bytes, "no D-Bus");
	if (!bus)
		return -ENOTCONN;
	int result = sd_bus_message_new_method_call(
		bus, &message, service, object, interface, method);
	if (result >= 0 && types[0] != '\0') {
		va_list arguments;
		va_start(arguments, types);
		result = sd_bus_message_appendv(message, types, arguments);
		va_end(arguments);
	}
	if (result < 0)
		snprintf(why, why_bytes, "%s", strerror(-result));
	else
		result = net_bus_send(bus, why, why_bytes, message, NULL);
	sd_bus_message_unref(message);
	return result < 0 ? result : 0;
}

#endif
