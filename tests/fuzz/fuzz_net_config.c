// SPDX-License-Identifier: Apache-2.0
/*
 * The texts that reach the program which sets addresses with privileges: a request, an answer, and
 * an administrator's /etc/network/interfaces. The first byte says which; a request that is
 * taken must come out of the writer as it went in.
 */
#include "guest/ic_daemons/net_config_linux.h"
#include "guest/ic_daemons/net_stanza_linux.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_same_family(const struct net_family_settings *a, const struct net_family_settings *b)
{
	return a->dhcp == b->dhcp && a->address_count == b->address_count &&
	       a->gateway_count == b->gateway_count && a->dns_count == b->dns_count &&
	       memcmp(a->addresses, b->addresses, sizeof a->addresses) == 0 &&
	       memcmp(a->gateways, b->gateways, sizeof a->gateways) == 0 &&
	       memcmp(a->dns, b->dns, sizeof a->dns) == 0;
}

static bool is_same(const struct net_request *a, const struct net_request *b)
{
	for (enum net_family family = NET_IPV4; family < NET_FAMILY_COUNT; family++) {
		if (a->sets[family] != b->sets[family] ||
			!is_same_family(&a->families[family], &b->families[family]))
			return false;
	}
	return a->has_guid == b->has_guid && guid_equal(&a->guid, &b->guid) &&
	       memcmp(a->mac, b->mac, sizeof a->mac) == 0;
}

static void request(const char *text, size_t len)
{
	static struct net_request first;
	static struct net_request second;
	char again[NET_CONFIG_TEXT_MAX];
	if (net_config_read(text, len, &first) != NULL || net_config_check(&first) != NULL)
		return;
	const size_t written = net_config_write(&first, again);
	if (net_config_read(again, written, &second) != NULL || !is_same(&first, &second))
		abort();
}

static void answer(const char *bytes, size_t len)
{
	struct net_config_answer first;
	struct net_config_answer second;
	char line[NET_CONFIG_LINE_MAX];
	net_config_answer_read(bytes, len, &first);
	size_t written = net_config_answer_write(&first, line);
	net_config_answer_read(line, written, &second);
	if (first.result != second.result || strcmp(first.text, second.text) != 0)
		abort();
}

/* What has been cleared has nothing left to clear. */
static void stanzas(const char *text, size_t len)
{
	size_t once_len;
	size_t twice_len;
	char *once = net_stanza_remove(text, len, "eth0", true, true, true, &once_len);
	char *twice = net_stanza_remove(once, once_len, "eth0", true, true, true, &twice_len);
	if (once_len != twice_len || memcmp(once, twice, once_len) != 0)
		abort();
	free(once);
	free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	if (size < 1)
		return 0;
	switch (data[0] % 3) {
	case 0:
		request(text, size - 1);
		break;
	case 1:
		answer(text, size - 1);
		break;
	default:
		stanzas(text, size - 1);
	}
	return 0;
}
