// SPDX-License-Identifier: Apache-2.0
/*
 * Lines of interfaces(5) and resolv.conf(5): see net_stanza_linux.h.
 */
#include "guest/ic_daemons/net_stanza_linux.h"

#include "guest/ic_daemons/net_file_linux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 3

/* The first words of a line, bounded; empty where there are fewer or one is too long. */
struct words {
	char at[WORDS_MAX][64];
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\\' || c == '\n';
}

static void split(const char *line, size_t len, struct words *words)
{
	memset(words, 0, sizeof *words);
	for (int i = 0; i < WORDS_MAX; i++) {
		size_t size = 0;
		while (len > 0 && is_blank(*line)) {
			line++;
			len--;
		}
		while (size < len && !is_blank(line[size]))
			size++;
		if (size < sizeof words->at[i])
			memcpy(words->at[i], line, size);
		line += size;
		len -= size;
	}
}

/* Length of a line with its newline; one that ends with '\' goes on in the next. */
static size_t line_length(const char *text, size_t len, bool joins)
{
	size_t at = 0;
	while (at < len && (text[at] != '\n' || (joins && at > 0 && text[at - 1] == '\\')))
		at++;
	return at < len ? at + 1 : at;
}

static bool begins_stanza(const char *word)
{
	static const char *const words[] = {"iface", "mapping", "auto", "source",
		"source-directory", "template", "no-auto-down", "no-scripts", "rename"};
	if (strncmp(word, "allow-", 6) == 0)
		return true;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

char *net_stanza_remove(const char *text, size_t len, const char *name, bool ipv4, bool ipv6,
	bool needs_source, size_t *out_len)
{
	char *result = NULL;
	bool is_dropping = false;
	bool ends_line = len == 0 || text[len - 1] == '\n';
	FILE *out = open_memstream(&result, out_len);
	if (!out)
		return NULL;
	for (size_t line; len > 0; text += line, len -= line) {
		struct words words;
		split(text, line_length(text, len, false), &words);
		bool is_comment = words.at[0][0] == '#';
		line = line_length(text, len, !is_comment);
		split(text, line, &words);
		if (begins_stanza(words.at[0]))
			is_dropping = strcmp(words.at[0], "iface") == 0 &&
				      strcmp(words.at[1], name) == 0 &&
				      ((ipv4 && strcmp(words.at[2], "inet") == 0) ||
					      (ipv6 && strcmp(words.at[2], "inet6") == 0));
		if ((strcmp(words.at[0], "source") == 0 ||
			    strcmp(words.at[0], "source-directory") == 0) &&
			strstr(words.at[1], "interfaces.d"))
			needs_source = false;
		if (!is_dropping || is_comment || words.at[0][0] == '\0')
			fwrite(text, 1, line, out);
	}
	if (needs_source)
		fprintf(out, "%s\nsource /etc/network/interfaces.d/*\n", ends_line ? "" : "\n");
	if (fclose(out) != 0) {
		free(result);
		return NULL;
	}
	return result;
}

static void print_servers(
	FILE *out, enum net_family family, const struct net_family_settings *wanted)
{
	char text[NET_ADDRESS_TEXT_BYTES];
	for (uint32_t i = 0; i < wanted->dns_count; i++)
		fprintf(out, "nameserver %s\n", net_address_format(family, &wanted->dns[i], text));
}

char *net_stanza_resolv_conf(const char *text, size_t len, const bool is_replaced[NET_FAMILY_COUNT],
	const struct net_family_settings wanted[NET_FAMILY_COUNT], size_t *out_len)
{
	char *result = NULL;
	FILE *out = open_memstream(&result, out_len);
	if (!out)
		return NULL;
	fprintf(out, "%s", NET_FILE_MARK);
	for (enum net_family family = NET_IPV4; family < NET_FAMILY_COUNT; family++)
		if (is_replaced[family])
			print_servers(out, family, &wanted[family]);
	for (size_t line; len > 0; text += line, len -= line) {
		struct words words;
		line = line_length(text, len, false);
		split(text, line, &words);
		enum net_family family = strchr(words.at[1], ':') ? NET_IPV6 : NET_IPV4;
		bool is_ours = line == strlen(NET_FILE_MARK) &&
			       strncmp(text, NET_FILE_MARK, line) == 0;
		if (!is_ours && !(strcmp(words.at[0], "nameserver") == 0 && is_replaced[family]))
			fwrite(text, 1, line, out);
	}
	if (fclose(out) != 0) {
		free(result);
		return NULL;
	}
	return result;
}
