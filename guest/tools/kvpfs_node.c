// SPDX-License-Identifier: Apache-2.0
/* Which files the kernel knows. See kvpfs.h. */
#include "guest/tools/kvpfs.h"

#include <stdlib.h>
#include <string.h>

struct kvpfs_node *kvpfs_node_of(fuse_ino_t ino)
{
	return (struct kvpfs_node *)(uintptr_t)ino;
}

fuse_ino_t kvpfs_node_ino(const struct kvpfs_node *node)
{
	return (fuse_ino_t)(uintptr_t)node;
}

uint64_t kvpfs_hash(unsigned pool, const char *key)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ pool; /* FNV-1a */
	for (; *key != '\0'; key++)
		hash = (hash ^ (unsigned char)*key) * 0x100000001b3ull;
	return hash | 16; /* none of the directories' */
}

static struct kvpfs_node *node_find(const struct kvpfs *fs, unsigned pool, const char *key)
{
	for (struct kvpfs_node *node = fs->nodes; node != NULL; node = node->next)
		if (node->pool == pool && node->key[0] == key[0] && strcmp(node->key, key) == 0)
			return node;
	return NULL;
}

struct kvpfs_node *kvpfs_node_get(struct kvpfs *fs, unsigned pool, const char *key)
{
	struct kvpfs_node *node = node_find(fs, pool, key);
	if (node == NULL) {
		node = calloc(1, sizeof *node);
		if (node == NULL)
			return NULL;
		node->pool = pool;
		node->hash = kvpfs_hash(pool, key);
		memcpy(node->key, key, strlen(key) + 1);
		node->next = fs->nodes;
		fs->nodes = node;
	}
	node->lookups++;
	return node;
}

void kvpfs_node_forget(struct kvpfs *fs, struct kvpfs_node *node, uint64_t lookups)
{
	node->lookups -= lookups < node->lookups ? lookups : node->lookups;
	if (node->lookups > 0)
		return;
	struct kvpfs_node **at = &fs->nodes;
	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	free(node);
}

void kvpfs_node_rename(struct kvpfs *fs, unsigned pool, const char *key, const char *new_key)
{
	struct kvpfs_node *node = node_find(fs, pool, key);
	struct kvpfs_node *replaced = new_key[0] != '\0' ? node_find(fs, pool, new_key) : NULL;
	if (node == replaced)
		return;
	if (replaced != NULL)
		replaced->key[0] = '\0';
	if (node != NULL)
		memcpy(node->key, new_key, strlen(new_key) + 1);
}

void kvpfs_node_free_all(struct kvpfs *fs)
{
	while (fs->nodes != NULL) {
		struct kvpfs_node *node = fs->nodes;
		fs->nodes = node->next;
		free(node);
	}
}
