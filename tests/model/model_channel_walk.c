// SPDX-License-Identifier: Apache-2.0
/*
 * Walking the model: breadth first over all states of a scenario, so that the first fault
 * found is one of the nearest. See model_channel.h.
 *
 * A state is remembered by a hash of 128 bits of its canonical form; the chance that two of
 * some millions collide is below 10^-24. The state itself is kept only from when it is found
 * until it is expanded, as what differs from the first state.
 *
 * When all is walked, the moves of the machinery are followed backwards from the states of
 * rest: a state that is not met so can never come to rest.
 */
#include "tests/model/model_channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NODES_MOST = 12000000,
	FORM_WORDS = 2048, /* of a canonical form */
};

#define WORLD_WORDS (sizeof(struct world) / sizeof(uint64_t))
_Static_assert(sizeof(struct world) % sizeof(uint64_t) == 0, "the world is made of words");

struct node {
	uint64_t hash[2];
	uint64_t *kept; /* owned: the state, until it is expanded */
	uint32_t parent;
	uint8_t move;
	bool is_rest;
	bool comes_to_rest;
};

struct edge {
	uint32_t from, to;
};

struct graph {
	struct node *nodes;
	size_t node_count, node_room;
	struct edge *edges; /* of the machinery */
	size_t edge_count, edge_room;
	uint32_t *table; /* node number + 1, by hash; a power of two */
	size_t table_size;
	size_t transitions, rests;
};

static uint64_t first_state[WORLD_WORDS];

static void *grown(void *memory, size_t *room, size_t used, size_t each)
{
	if (used < *room)
		return memory;
	*room = *room ? *room * 2 : 4096;
	memory = realloc(memory, *room * each);
	if (memory == NULL) {
		fprintf(stderr, "model_channel: out of memory; close other programs\n");
		exit(1);
	}
	return memory;
}

/* ---- the canonical form ---- */

static struct {
	uint64_t words[FORM_WORDS];
	size_t count;
} form;

void model_put(uint64_t value)
{
	if (form.count < FORM_WORDS)
		form.words[form.count++] = value;
	else
		model_wrong("a state is too large for the model");
}

void model_put_bytes(const void *bytes, size_t count)
{
	for (size_t at = 0; at < count; at += sizeof(uint64_t)) {
		uint64_t word = 0;
		memcpy(&word, (const uint8_t *)bytes + at,
			count - at < sizeof word ? count - at : sizeof word);
		model_put(word);
	}
}

static uint64_t mixed(uint64_t value, uint64_t key)
{
	const unsigned __int128 product = (unsigned __int128)(value ^ key) * 0x9e3779b97f4a7c15u;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static void state_hash(uint64_t hash[2])
{
	form.count = 0;
	model_host_put();
	model_guest_put();
	for (unsigned i = 0; i < world.to_guest_count; i++) {
		model_put((uint64_t)world.to_guest[i].bytes << 8 | world.to_guest[i].tag);
		model_put_bytes(world.to_guest[i].payload, world.to_guest[i].bytes);
	}
	for (unsigned i = 0; i < world.to_host_count; i++) {
		model_put((uint64_t)world.to_host[i].bytes << 8 | world.to_host[i].tag);
		model_put_bytes(world.to_host[i].payload, world.to_host[i].bytes);
	}
	model_put_bytes(world.budgets, sizeof world.budgets);
	model_put_bytes(&world.monitor, sizeof world.monitor);
	hash[0] = form.count;
	hash[1] = ~form.count;
	for (size_t i = 0; i < form.count; i++) {
		hash[0] = mixed(form.words[i], hash[0] + 0x243f6a8885a308d3u);
		hash[1] = mixed(form.words[i], hash[1] * 5 + 0x13198a2e03707344u);
	}
}

/* ---- keeping states ---- */

/* Runs of words that differ from the first state: place << 32 | length, then the words. */
static uint64_t *state_keep(void)
{
	static uint64_t packed[2 * WORLD_WORDS + 1];
	const uint64_t *words = (const uint64_t *)(const void *)&world;
	size_t used = 0;
	for (size_t i = 0; i < WORLD_WORDS;) {
		if (words[i] == first_state[i]) {
			i++;
			continue;
		}
		const size_t start = i;
		const size_t head = used++;
		while (i < WORLD_WORDS && words[i] != first_state[i])
			packed[used++] = words[i++];
		packed[head] = (uint64_t)start << 32 | (i - start);
	}
	packed[used++] = 0;
	uint64_t *kept = malloc(used * sizeof *kept);
	if (kept == NULL) {
		fprintf(stderr, "model_channel: out of memory; close other programs\n");
		exit(1);
	}
	memcpy(kept, packed, used * sizeof *kept);
	return kept;
}

static void state_restore(const uint64_t *kept)
{
	memcpy(&world, first_state, sizeof world);
	while (*kept != 0) {
		const size_t start = (size_t)(*kept >> 32);
		const size_t length = (size_t)(*kept & UINT32_MAX);
		memcpy((uint8_t *)&world + start * sizeof *kept, kept + 1, length * sizeof *kept);
		kept += 1 + length;
	}
}

/* ---- the graph ---- */

static void table_grow(struct graph *g)
{
	free(g->table);
	g->table_size = g->table_size ? g->table_size * 2 : 1u << 16;
	g->table = calloc(g->table_size, sizeof *g->table);
	if (g->table == NULL) {
		fprintf(stderr, "model_channel: out of memory; close other programs\n");
		exit(1);
	}
	for (size_t i = 0; i < g->node_count; i++) {
		size_t at = g->nodes[i].hash[0] & (g->table_size - 1);
		while (g->table[at] != 0)
			at = (at + 1) & (g->table_size - 1);
		g->table[at] = (uint32_t)i + 1;
	}
}

/* The node of the present state, made if it is new. */
static uint32_t node_of(struct graph *g, uint32_t parent, unsigned move)
{
	uint64_t hash[2];
	state_hash(hash);
	if (g->node_count * 2 >= g->table_size)
		table_grow(g);
	size_t at = hash[0] & (g->table_size - 1);
	for (; g->table[at] != 0; at = (at + 1) & (g->table_size - 1)) {
		const struct node *n = &g->nodes[g->table[at] - 1];
		if (n->hash[0] == hash[0] && n->hash[1] == hash[1])
			return g->table[at] - 1;
	}
	g->nodes = grown(g->nodes, &g->node_room, g->node_count, sizeof *g->nodes);
	g->nodes[g->node_count] = (struct node){
		.hash = {hash[0], hash[1]},
		.kept = state_keep(),
		.parent = parent,
		.move = (uint8_t)move,
	};
	g->table[at] = (uint32_t)g->node_count + 1;
	return (uint32_t)g->node_count++;
}

static void edge_add(struct graph *g, uint32_t from, uint32_t to)
{
	g->edges = grown(g->edges, &g->edge_room, g->edge_count, sizeof *g->edges);
	g->edges[g->edge_count++] = (struct edge){from, to};
}

static void graph_free(struct graph *g)
{
	for (size_t i = 0; i < g->node_count; i++)
		free(g->nodes[i].kept);
	free(g->nodes);
	free(g->edges);
	free(g->table);
}

/* ---- walking ---- */

/* Do all moves of a state. False: model_fault; *move is the last one, if that did it. */
static bool expand(struct graph *g, uint32_t number, int *move)
{
	uint64_t *const kept = g->nodes[number].kept;
	bool is_rest = true;
	state_restore(kept);
	for (unsigned m = 0; m < MODEL_MOVES; m++) {
		const bool is_machinery = m < (unsigned)MODEL_CHOICES * MODEL_MOVE_ARGUMENTS;
		if (!model_move(m))
			continue;
		g->transitions++;
		model_check();
		*move = (int)m;
		if (model_fault != NULL)
			return false;
		const uint32_t to = node_of(g, number, m);
		if (is_machinery) {
			edge_add(g, number, to);
			is_rest = false;
		}
		state_restore(kept);
	}
	*move = -1;
	if (is_rest) {
		g->rests++;
		g->nodes[number].is_rest = true;
		model_check_rest();
	}
	free(g->nodes[number].kept);
	g->nodes[number].kept = NULL;
	return model_fault == NULL;
}

/* Follow the machinery backwards from rest. The first state that cannot get there, or -1. */
static int64_t progress_check(struct graph *g)
{
	/* edges by their end, as lists: first[to], next[edge] */
	uint32_t *first = calloc(g->node_count + 1, sizeof *first);
	uint32_t *next = calloc(g->edge_count + 1, sizeof *next);
	uint32_t *stack = calloc(g->node_count + 1, sizeof *stack);
	size_t depth = 0;
	int64_t stuck = -1;
	if (first == NULL || next == NULL || stack == NULL) {
		fprintf(stderr, "model_channel: out of memory; close other programs\n");
		exit(1);
	}
	for (size_t i = 0; i < g->edge_count; i++) {
		next[i + 1] = first[g->edges[i].to];
		first[g->edges[i].to] = (uint32_t)i + 1;
	}
	for (size_t i = 0; i < g->node_count; i++) {
		if (g->nodes[i].is_rest) {
			g->nodes[i].comes_to_rest = true;
			stack[depth++] = (uint32_t)i;
		}
	}
	while (depth > 0) {
		for (uint32_t e = first[stack[--depth]]; e != 0;) {
			struct node *from = &g->nodes[g->edges[e - 1].from];
			e = next[e];
			if (!from->comes_to_rest) {
				from->comes_to_rest = true;
				stack[depth++] = (uint32_t)(from - g->nodes);
			}
		}
	}
	for (size_t i = 0; i < g->node_count && stuck < 0; i++)
		if (!g->nodes[i].comes_to_rest)
			stuck = (int64_t)i;
	free(first);
	free(next);
	free(stack);
	return stuck;
}

static unsigned depth_of(const struct graph *g, uint32_t number)
{
	unsigned depth = 0;
	for (; g->nodes != NULL && number != 0; number = g->nodes[number].parent)
		depth++;
	return depth;
}

/* Print the way to a state, and then `move` if that is not negative. */
static void trace_print(const struct graph *g, uint32_t number, int move)
{
	const unsigned depth = depth_of(g, number);
	uint8_t *moves = malloc(depth + 1);
	if (moves == NULL)
		return;
	for (unsigned i = depth; number != 0; number = g->nodes[number].parent)
		moves[--i] = g->nodes[number].move;
	memcpy(&world, first_state, sizeof world);
	for (unsigned i = 0; i < depth; i++) {
		model_move_print(moves[i]);
		(void)model_move(moves[i]);
	}
	if (move >= 0)
		model_move_print((unsigned)move);
	free(moves);
}

struct model_result model_walk(
	const struct model_scenario *scenario, enum model_defect defect, bool want_trace)
{
	struct graph g = {0};
	uint32_t at = 0;
	int move = -1;
	model_scenario = scenario;
	model_defect = defect;
	model_fault = NULL;
	model_start();
	memcpy(first_state, &world, sizeof world);
	(void)node_of(&g, 0, 0);
	while (model_fault == NULL && g.nodes != NULL && at < g.node_count &&
		g.node_count < NODES_MOST)
		if (expand(&g, at, &move))
			at++;
	if (model_fault == NULL && at < g.node_count)
		model_fault = "too many states";
	if (model_fault == NULL) {
		const int64_t stuck = progress_check(&g);
		if (stuck >= 0) {
			at = (uint32_t)stuck;
			model_fault = "nothing leads to rest from here";
		}
	}
	struct model_result result = {
		.fault = model_fault,
		.states = g.node_count,
		.transitions = g.transitions,
		.rests = g.rests,
		.depth = depth_of(&g, model_fault ? at : (uint32_t)g.node_count - 1) + (move >= 0),
	};
	if (result.fault != NULL && want_trace)
		trace_print(&g, at, move);
	graph_free(&g);
	return result;
}
