// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the VMBus client share among themselves (client.h says how
 * they divide the work). Nothing here is for callers.
 *
 * A request is begun, posted message by message, perhaps answered, and ended. The
 * post side tells the owner of a request by kind: posted (all messages are out),
 * failed (one could not be posted), expired (its deadline is over). An owner that
 * has nothing to wait for ends its request in `posted`.
 */
#ifndef GUEST_VMBUS_CLIENT_PRIVATE_H
#define GUEST_VMBUS_CLIENT_PRIVATE_H

#include "guest/vmbus/client.h"
#include "protocol/errors.h"

#define CLIENT_OWNER(pointer, type, field)                                                         \
	((type *)(void *)((char *)(pointer)-offsetof(type, field)))

/* client_post.c */
void client_request_begin(struct vmbus_client *client, struct vmbus_request *request,
	enum vmbus_request_kind kind, uint64_t deadline);
void client_request_end(struct vmbus_client *client, struct vmbus_request *request);
/* True if the request is of this kind and has posted all its messages. */
bool client_request_awaits(const struct vmbus_request *request, enum vmbus_request_kind kind);
/* Post what can be posted now. Every entry point ends with this. */
void client_pump(struct vmbus_client *client);
void client_expire(struct vmbus_client *client);
/* Remember that time has come this far; it never goes back. */
void client_now(struct vmbus_client *client, uint64_t now);
/* now + grace, without overflow */
uint64_t client_grace(const struct vmbus_client *client);

/* client.c */
void client_reject(struct vmbus_client *client, enum vmbus_rejection reason);
bool client_is_connected(const struct vmbus_client *client); /* and not unloading */
void client_connection_posted(struct vmbus_client *client);
/* `status`: HV_STATUS_* that the post got, or a negative error */
void client_connection_failed(struct vmbus_client *client, int error, int status);

/* client_offer.c */
enum vmbus_rejection client_on_offer(
	struct vmbus_client *client, const uint8_t *payload, size_t bytes);
enum vmbus_rejection client_on_rescind(
	struct vmbus_client *client, const uint8_t *payload, size_t bytes);
struct vmbus_client_offer *client_offer_row(struct vmbus_client *client, uint32_t relid);
/* Row of a live offer; else *error says why not. */
struct vmbus_client_offer *client_offer_live(
	struct vmbus_client *client, uint32_t relid, int *error);
/* Release the relid if it was rescinded and nothing here uses it any more. */
void client_offer_settle(struct vmbus_client *client, struct vmbus_client_offer *row);
void client_offer_posted(struct vmbus_client *client, struct vmbus_request *request);
void client_offer_failed(struct vmbus_client *client, struct vmbus_request *request);
/* The connection is over. */
void client_offers_forget(struct vmbus_client *client);

/* client_gpadl.c */
enum vmbus_rejection client_on_gpadl_created(
	struct vmbus_client *client, const uint8_t *payload, size_t bytes);
enum vmbus_rejection client_on_gpadl_torndown(
	struct vmbus_client *client, const uint8_t *payload, size_t bytes);
int client_gpadl_start(struct vmbus_client *client, struct vmbus_client_gpadl *gpadl,
	struct vmbus_client_offer *row, struct vmbus_client_channel *channel, uint64_t deadline);
/* Tear a LIVE one down; its result will be `error` if the host confirms. */
void client_gpadl_reclaim(struct vmbus_client *client, struct vmbus_client_gpadl *gpadl, int error,
	uint64_t deadline);
/* Give the pages up without asking the host. */
void client_gpadl_lose(struct vmbus_client *client, struct vmbus_client_gpadl *gpadl, int error);
void client_gpadl_posted(struct vmbus_client *client, struct vmbus_client_gpadl *gpadl);
void client_gpadl_failed(struct vmbus_client *client, struct vmbus_client_gpadl *gpadl, int error);
void client_gpadls_rescind(struct vmbus_client *client, uint32_t relid);
void client_gpadls_suspend(struct vmbus_client *client); /* unload begins: LIMBO */
/* The unload is over: FREE if the host confirmed it, else LOST. */
void client_gpadls_conclude(struct vmbus_client *client, bool is_confirmed, int error);

/* client_channel.c */
enum vmbus_rejection client_on_open_result(
	struct vmbus_client *client, const uint8_t *payload, size_t bytes);
enum vmbus_rejection client_on_modify_response(
	struct vmbus_client *client, const uint8_t *payload, size_t bytes);
/* The ring GPADL is LIVE after creation, or FREE or LOST. */
void client_channel_rings_settled(
	struct vmbus_client *client, struct vmbus_client_channel *channel);
void client_channel_posted(struct vmbus_client *client, struct vmbus_request *request);
void client_channel_failed(struct vmbus_client *client, struct vmbus_request *request, int error);
void client_channel_rescind(struct vmbus_client *client, struct vmbus_client_channel *channel);
void client_channels_unload(struct vmbus_client *client);
void client_channels_conclude(struct vmbus_client *client, int error);

#endif
