// SPDX-License-Identifier: Apache-2.0
/*
 * An integration component's host machine that is an ic_session, with the test as its owner:
 * what was sent is kept, a guest machine can answer it, time is a number. A fixture has a
 * struct session_rig as its first member and gives itself as `ctx`.
 */
#ifndef TESTS_UNIT_IC_SESSION_RIG_H
#define TESTS_UNIT_IC_SESSION_RIG_H

#include "guest/ic_daemons/ic_guest.h"
#include "host/vsp/ic_session.h"
#include "tests/harness.h"
#include "tests/unit/ic_bytes.h"

#include <stdlib.h>
#include <string.h>

#define RIG_SECOND 1000000000ull

struct session_rig {
	struct ic_session *session;
	uint64_t now;
	uint8_t sent[IC_PAYLOAD_MAX_BYTES]; /* the last */
	size_t sent_len;		    /* 0: answered */
	unsigned sends;
	int send_result;
	const char *failure;
};

static inline int rig_send(void *ctx, const void *bytes, size_t len)
{
	struct session_rig *rig = ctx;
	CU_ASSERT_TRUE_FATAL(len <= sizeof rig->sent);
	CU_ASSERT_PTR_NULL(rig->failure);
	if (rig->send_result != 0)
		return rig->send_result;
	memcpy(rig->sent, bytes, len);
	rig->sent_len = len;
	rig->sends++;
	return 0;
}

static inline void rig_failed(void *ctx, const char *reason)
{
	struct session_rig *rig = ctx;
	CU_ASSERT_PTR_NULL(rig->failure);
	rig->failure = reason;
}

/* The guest sends; from an exact copy, so that reading past it is seen. */
static inline void rig_give(struct session_rig *rig, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	memcpy(copy, bytes, len);
	ic_session_on_packet(rig->session, copy, len, rig->now);
	free(copy);
}

/* The guest's answer to what was sent, not given yet. */
static inline size_t rig_guest_reply(
	struct session_rig *rig, struct ic_guest *guest, uint8_t *reply)
{
	size_t len = 0;
	(void)ic_guest_on_packet(
		guest, rig->sent, rig->sent_len, reply, IC_PAYLOAD_MAX_BYTES, &len);
	rig->sent_len = 0;
	return len;
}

/* The guest takes what was sent and answers it. False: it gives no answer. */
static inline bool rig_guest_answers(struct session_rig *rig, struct ic_guest *guest)
{
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	size_t len = rig_guest_reply(rig, guest, reply);
	if (len > 0)
		rig_give(rig, reply, len);
	return len > 0;
}

/* Time goes to the session's next deadline. */
static inline void rig_tick(struct session_rig *rig)
{
	CU_ASSERT_NOT_EQUAL_FATAL(ic_session_deadline_ns(rig->session), IC_SESSION_NEVER);
	rig->now = ic_session_deadline_ns(rig->session);
	(void)ic_session_on_time(rig->session, rig->now);
}

/* A row like `from` that knows only some versions; for the life of the guest. */
static inline struct ic_guest_service service_of(const struct ic_guest_service *from,
	struct ic_version_list frameworks, struct ic_version_list messages)
{
	struct ic_guest_service service = *from;
	service.frameworks = frameworks;
	service.messages = messages;
	return service;
}

/* The component's row with only some versions, for a host. */
static inline struct ic_component component_of(
	uint16_t type, struct ic_version_list frameworks, struct ic_version_list messages)
{
	struct ic_component component = *ic_component_find(type);
	component.frameworks = frameworks;
	component.messages = messages;
	return component;
}

static inline uint64_t get64(const uint8_t *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof value);
	return value;
}

static inline uint32_t get32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof value);
	return value;
}

#endif
