// SPDX-License-Identifier: Apache-2.0
/*
 * The two texts between the daemon and the program with privileges: see net_config_linux.h.
 * The reader takes exactly what the writer can write; everything else is refused.
 */
#include "guest/ic_daemons/net_config_linux.h"

#include <stdio.h>
#include <string.h>

#define FIRST_LINE     "viridian-net-config 1"
#define LINE_CHARS_MAX 63u

static const char *const family_words[NET_FAMILY_COUNT] = {"ipv4", "ipv6"};
static const char *const result_words[NET_CONFIG_RESULT_COUNT] = {
	[NET_CONFIG_OK] = "ok",
	[NET_CONFIG_INVALID] = "invalid",
	[NET_CONFIG_NO_ADAPTER] = "no-adapter",
	[NET_CONFIG_FAILED] = "failed",
	[NET_CONFIG_UNAVAILABLE] = "unavailable",
};

/* Bounded text that is being written; what does not fit is left out. */
struct text {
	char *bytes;
	size_t capacity;
	size_t len;
};

static void put_line(struct text *out, const char *word, const char *value)
{
	int len = snprintf(out->bytes + out->len, out->capacity - out->len, "%s%s%s\n", word,
		value[0] != '\0' ? " " : "", value);
	if (len > 0 && (size_t)len < out->capacity - out->len)
		out->len += (size_t)len;
	out->bytes[out->len] = '\0';
}

static void put_family(
	struct text *out, enum net_family family, const struct net_family_settings *settings)
{
	char text[NET_PREFIX_TEXT_BYTES];
	put_line(out, family_words[family], settings->dhcp ? "dhcp" : "static");
	for (uint32_t i = 0; i < settings->address_count && i < NET_ADDRESSES_MAX; i++)
		put_line(out, "address", net_prefix_format(family, &settings->addresses[i], text));
	for (uint32_t i = 0; i < settings->gateway_count && i < NET_GATEWAYS_MAX; i++)
		put_line(out, "gateway", net_address_format(family, &settings->gateways[i], text));
	for (uint32_t i = 0; i < settings->dns_count && i < NET_DNS_MAX; i++)
		put_line(out, "dns", net_address_format(family, &settings->dns[i], text));
}

size_t net_config_write(const struct net_request *request, char text[NET_CONFIG_TEXT_MAX])
{
	struct text out = {.bytes = text, .capacity = NET_CONFIG_TEXT_MAX};
	char id[GUID_TEXT_BYTES];
	put_line(&out, FIRST_LINE, "");
	if (request->has_guid)
		put_line(&out, "adapter guid", guid_format(&request->guid, id));
	else
		put_line(&out, "adapter mac", net_mac_format(request->mac, id));
	for (enum net_family family = NET_IPV4; family < NET_FAMILY_COUNT; family++)
		if (request->sets[family])
			put_family(&out, family, &request->families[family]);
	put_line(&out, "end", "");
	return out.len;
}

/* Text that is being read, line by line. */
struct reader {
	const char *at;
	size_t left;
	char line[LINE_CHARS_MAX + 1]; /* empty: there is none, or not a good one */
};

static void next_line(struct reader *in)
{
	size_t len = 0;
	while (len < in->left && in->at[len] >= ' ' && in->at[len] <= '~')
		len++;
	in->line[0] = '\0';
	if (len > LINE_CHARS_MAX || len == in->left || in->at[len] != '\n')
		return;
	memcpy(in->line, in->at, len);
	in->line[len] = '\0';
	in->at += len + 1;
	in->left -= len + 1;
}

/* What follows "WORD " on this line, or NULL. */
static const char *value_of(const struct reader *in, const char *word)
{
	size_t len = strlen(word);
	return strncmp(in->line, word, len) == 0 && in->line[len] == ' ' ? in->line + len + 1
									 : NULL;
}

static const char *read_family(
	struct reader *in, enum net_family family, struct net_family_settings *settings)
{
	const char *value = value_of(in, family_words[family]);
	settings->dhcp = strcmp(value, "dhcp") == 0;
	if (!settings->dhcp && strcmp(value, "static") != 0)
		return "a family is neither static nor dhcp";
	next_line(in);
	for (; (value = value_of(in, "address")); next_line(in))
		if (settings->address_count == NET_ADDRESSES_MAX ||
			net_prefix_parse(family, value,
				&settings->addresses[settings->address_count++]) != 0)
			return "an address is malformed, or one too many";
	for (; (value = value_of(in, "gateway")); next_line(in))
		if (settings->gateway_count == NET_GATEWAYS_MAX ||
			net_address_parse(
				family, value, &settings->gateways[settings->gateway_count++]) != 0)
			return "a gateway is malformed, or one too many";
	for (; (value = value_of(in, "dns")); next_line(in))
		if (settings->dns_count == NET_DNS_MAX ||
			net_address_parse(family, value, &settings->dns[settings->dns_count++]) !=
				0)
			return "a name server is malformed, or one too many";
	return NULL;
}

const char *net_config_read(const char *text, size_t len, struct net_request *request)
{
	struct reader in = {.at = text, .left = len};
	const char *wrong = NULL;
	const char *value;

	memset(request, 0, sizeof *request);
	next_line(&in);
	if (strcmp(in.line, FIRST_LINE) != 0)
		return "the first line is not that of a request";
	next_line(&in);
	if ((value = value_of(&in, "adapter guid")) != NULL) {
		request->has_guid = true;
		if (guid_parse(value, &request->guid) != 0)
			return "the adapter's GUID is malformed";
	} else if ((value = value_of(&in, "adapter mac")) != NULL) {
		if (net_mac_parse(value, request->mac) != 0)
			return "the adapter's MAC is malformed";
	} else {
		return "the second line names no adapter";
	}
	next_line(&in);
	for (enum net_family family = NET_IPV4; !wrong && family < NET_FAMILY_COUNT; family++) {
		request->sets[family] = value_of(&in, family_words[family]) != NULL;
		if (request->sets[family])
			wrong = read_family(&in, family, &request->families[family]);
	}
	if (!wrong && (strcmp(in.line, "end") != 0 || in.left > 0))
		wrong = "a line is unknown, out of order or too long, or the end is missing";
	return wrong;
}

size_t net_config_answer_write(
	const struct net_config_answer *answer, char line[NET_CONFIG_LINE_MAX])
{
	int len;
	if (answer->result == NET_CONFIG_OK)
		len = snprintf(line, NET_CONFIG_LINE_MAX, "ok %s %s\n", answer->text,
			answer->is_persistent ? "persistent" : "until-reboot");
	else
		len = snprintf(line, NET_CONFIG_LINE_MAX, "error %s %s\n",
			result_words[answer->result], answer->text);
	for (int i = 0; i < len - 1; i++)
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	return (size_t)len;
}

static void no_answer(struct net_config_answer *answer)
{
	memset(answer, 0, sizeof *answer);
	answer->result = NET_CONFIG_UNAVAILABLE;
	snprintf(answer->text, sizeof answer->text, "viridian-net-config sent no answer");
}

void net_config_answer_read(const char *bytes, size_t len, struct net_config_answer *answer)
{
	char line[NET_CONFIG_LINE_MAX];
	no_answer(answer);
	if (len == 0 || len >= sizeof line || bytes[len - 1] != '\n')
		return;
	for (size_t i = 0; i < len - 1; i++)
		if (bytes[i] < ' ' || bytes[i] > '~')
			return;
	memcpy(line, bytes, len - 1);
	line[len - 1] = '\0';

	char *save = NULL;
	const char *verdict = strtok_r(line, " ", &save);
	const char *second = strtok_r(NULL, " ", &save);
	if (!verdict || !second || !save || save[0] == '\0' || strlen(save) >= sizeof answer->text)
		return;
	if (strcmp(verdict, "ok") == 0) {
		answer->is_persistent = strcmp(save, "persistent") == 0;
		if (!answer->is_persistent && strcmp(save, "until-reboot") != 0)
			return;
		answer->result = NET_CONFIG_OK;
		snprintf(answer->text, sizeof answer->text, "%.*s", (int)sizeof answer->text - 1,
			second);
	} else if (strcmp(verdict, "error") == 0) {
		for (int i = NET_CONFIG_OK + 1; i < NET_CONFIG_RESULT_COUNT; i++)
			if (strcmp(second, result_words[i]) == 0)
				answer->result = (enum net_config_result)i;
		snprintf(answer->text, sizeof answer->text, "%s", save);
	}
}
