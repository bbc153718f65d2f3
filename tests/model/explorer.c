// SPDX-License-Identifier: Apache-2.0
/* The model checker: see explorer.h. One thread; everything static is scratch of a run. */
#include "tests/model/explorer.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LOG_MOST = 12,	 /* operations of one step */
	QUEUE_MOST = 12, /* stores of one actor under way */
	STATES_MOST = 6000000,
	IDLE_MOST = 1000, /* steps without a shared operation */
	SIGNAL_WORD = -1,
};

struct operation {
	enum explorer_kind kind;
	int word;
	uint32_t value;
	int site;
};

struct entry {
	int word; /* SIGNAL_WORD: wake the other actor */
	uint32_t value;
};

struct actor {
	_Alignas(16) uint8_t state[EXPLORER_PRIVATE];
	uint32_t log[LOG_MOST]; /* results of this step's operations so far */
	uint32_t log_length;
	uint32_t seen[EXPLORER_WORDS]; /* what it loaded last, word by word */
	struct entry queue[QUEUE_MOST];
	uint32_t queue_length;
	struct operation next;
	bool is_finished;
	bool is_woken;
};

struct world {
	struct actor actors[EXPLORER_ACTORS];
	uint32_t words[EXPLORER_WORDS];
	uint8_t bulk[EXPLORER_SHARED];
};

struct node {
	uint64_t hash[2];
	uint32_t parent;
	uint8_t move; /* actor * 2 + (is drain) */
	bool is_end;
	bool reaches_end;
};

struct edge {
	uint32_t from;
	uint32_t to;
};

/* One run's graph. */
struct graph {
	struct node *nodes;
	size_t node_count;
	size_t node_room;
	struct edge *edges;
	size_t edge_count;
	size_t edge_room;
	uint32_t *table; /* node number + 1, by hash */
	size_t table_size;
};

uint32_t explorer_words[EXPLORER_WORDS];
static _Alignas(16) uint8_t bulk[EXPLORER_SHARED];
uint8_t *explorer_bulk = bulk;

/* The actor whose step is being replayed. */
static struct {
	jmp_buf out;
	struct actor *actor;
	uint32_t cursor;
} replay;

int explorer_word(const uint32_t *address)
{
	return (int)(address - explorer_words);
}

uint32_t explorer_operate(enum explorer_kind kind, int word, uint32_t value, int site)
{
	struct actor *a = replay.actor;

	if (!a) { /* setting up: nobody else is there */
		if (kind == EXPLORER_STORE)
			explorer_words[word] = value;
		return kind == EXPLORER_LOAD ? explorer_words[word] : 0;
	}
	if (replay.cursor < a->log_length)
		return a->log[replay.cursor++];
	a->next = (struct operation){kind, word, value, site};
	longjmp(replay.out, 1);
}

static void *grown(void *memory, size_t *room, size_t used, size_t each)
{
	if (used < *room)
		return memory;
	*room = *room ? *room * 2 : 4096;
	memory = realloc(memory, *room * each);
	if (!memory) {
		fprintf(stderr, "ring_model: out of memory\n");
		exit(1);
	}
	return memory;
}

/* ---- running steps ---------------------------------------------------- */

/*
 * Run an actor until it wants to do a shared operation or is finished. Returns what its
 * last complete step said.
 */
static enum explorer_step actor_advance(
	struct world *world, int number, const struct explorer_scenario *scenario)
{
	static _Alignas(16) uint8_t work[EXPLORER_PRIVATE];
	struct actor *a = &world->actors[number];

	memcpy(bulk, world->bulk, sizeof bulk);
	for (volatile int idle = 0; idle < IDLE_MOST; idle++) {
		memcpy(work, a->state, sizeof work);
		replay.actor = a;
		replay.cursor = 0;
		if (setjmp(replay.out) != 0) {
			memcpy(world->bulk, bulk, sizeof bulk);
			return EXPLORER_AGAIN;
		}
		enum explorer_step outcome = scenario->step[number](work);
		memcpy(a->state, work, sizeof work);
		memset(a->log, 0, sizeof a->log);
		a->log_length = 0;
		memset(&a->next, 0, sizeof a->next);
		if (outcome == EXPLORER_AGAIN)
			continue;
		a->is_finished = true;
		memcpy(world->bulk, bulk, sizeof bulk);
		return outcome;
	}
	return EXPLORER_WRONG;
}

static void queue_push(struct actor *a, int word, uint32_t value)
{
	if (a->queue_length == QUEUE_MOST) {
		fprintf(stderr, "ring_model: store queue too short\n");
		exit(1);
	}
	a->queue[a->queue_length++] = (struct entry){word, value};
}

static uint32_t actor_load(
	const struct world *world, struct actor *a, const struct explorer_scenario *scenario)
{
	uint32_t value = world->words[a->next.word];

	for (uint32_t i = 0; i < a->queue_length; i++) {
		if (a->queue[i].word == a->next.word)
			value = a->queue[i].value;
	}
	if (scenario->defect == EXPLORER_NO_LOAD && scenario->defect_site == a->next.site)
		value = a->seen[a->next.word];
	a->seen[a->next.word] = value;
	return value;
}

/* Do the operation an actor wants; false if it cannot be done now. */
static bool actor_operate(struct world *world, int number, const struct explorer_scenario *scenario)
{
	struct actor *a = &world->actors[number];
	uint32_t result = 0;

	switch (a->next.kind) {
	case EXPLORER_LOAD:
		result = actor_load(world, a, scenario);
		break;
	case EXPLORER_STORE:
		queue_push(a, a->next.word, a->next.value);
		break;
	case EXPLORER_SIGNAL:
		queue_push(a, SIGNAL_WORD, 0);
		break;
	case EXPLORER_BARRIER:
		if (a->queue_length > 0 && !(scenario->defect == EXPLORER_NO_BARRIER &&
						   scenario->defect_site == a->next.site))
			return false;
		break;
	case EXPLORER_WAIT:
		if (!a->is_woken)
			return false;
		a->is_woken = false;
		break;
	}
	if (a->log_length == LOG_MOST) {
		fprintf(stderr, "ring_model: step too long\n");
		exit(1);
	}
	a->log[a->log_length++] = result;
	return true;
}

/* Let an actor's oldest store arrive; false if there is none. */
static bool actor_drain(struct world *world, int number)
{
	struct actor *a = &world->actors[number];

	if (a->queue_length == 0)
		return false;
	if (a->queue[0].word == SIGNAL_WORD)
		world->actors[1 - number].is_woken = true;
	else
		world->words[a->queue[0].word] = a->queue[0].value;
	a->queue_length--;
	memmove(&a->queue[0], &a->queue[1], a->queue_length * sizeof a->queue[0]);
	memset(&a->queue[a->queue_length], 0, sizeof a->queue[0]);
	return true;
}

/* ---- the graph -------------------------------------------------------- */

static void world_hash(const struct world *world, uint64_t hash[2])
{
	const uint8_t *bytes = (const uint8_t *)world;
	uint64_t a = 0x9E3779B97F4A7C15u;
	uint64_t b = 0xC2B2AE3D27D4EB4Fu;

	for (size_t i = 0; i + 8 <= sizeof *world; i += 8) {
		uint64_t word;

		memcpy(&word, bytes + i, 8);
		a = (a ^ word) * 0xFF51AFD7ED558CCDu;
		a ^= a >> 32;
		b = (b + word) * 0xC4CEB9FE1A85EC53u;
		b ^= b >> 29;
	}
	hash[0] = a;
	hash[1] = b;
}

static void table_grow(struct graph *g)
{
	free(g->table);
	g->table_size = g->table_size ? g->table_size * 2 : 1 << 16;
	g->table = calloc(g->table_size, sizeof *g->table);
	if (!g->table) {
		fprintf(stderr, "ring_model: out of memory\n");
		exit(1);
	}
	for (size_t i = 0; i < g->node_count; i++) {
		size_t at = g->nodes[i].hash[0] & (g->table_size - 1);

		while (g->table[at] != 0)
			at = (at + 1) & (g->table_size - 1);
		g->table[at] = (uint32_t)i + 1;
	}
}

/* The node of a world, made if it is new. */
static uint32_t graph_node(struct graph *g, const struct world *world, bool *is_new)
{
	uint64_t hash[2];

	world_hash(world, hash);
	if (g->node_count * 2 >= g->table_size)
		table_grow(g);
	size_t at = hash[0] & (g->table_size - 1);
	for (; g->table[at] != 0; at = (at + 1) & (g->table_size - 1)) {
		const struct node *n = &g->nodes[g->table[at] - 1];

		if (n->hash[0] == hash[0] && n->hash[1] == hash[1]) {
			*is_new = false;
			return g->table[at] - 1;
		}
	}
	g->nodes = grown(g->nodes, &g->node_room, g->node_count, sizeof *g->nodes);
	g->nodes[g->node_count] = (struct node){.hash = {hash[0], hash[1]}};
	g->nodes[g->node_count].is_end = world->actors[0].is_finished &&
					 world->actors[1].is_finished;
	g->table[at] = (uint32_t)++g->node_count;
	*is_new = true;
	return (uint32_t)g->node_count - 1;
}

static void graph_edge(struct graph *g, uint32_t from, uint32_t to)
{
	g->edges = grown(g->edges, &g->edge_room, g->edge_count, sizeof *g->edges);
	g->edges[g->edge_count++] = (struct edge){from, to};
}

/* Mark what can reach an end, backwards along the edges; returns how many cannot. */
static size_t graph_stuck(struct graph *g, uint32_t *first)
{
	uint32_t *head = calloc(g->node_count + 2, sizeof *head);
	uint32_t *sources = calloc(g->edge_count + 1, sizeof *sources);
	uint32_t *todo = malloc((g->node_count + 1) * sizeof *todo);
	size_t todo_count = 0;
	size_t stuck = 0;

	if (!head || !sources || !todo) {
		fprintf(stderr, "ring_model: out of memory\n");
		exit(1);
	}
	for (size_t i = 0; i < g->edge_count; i++)
		head[g->edges[i].to + 1]++;
	for (size_t i = 0; i < g->node_count; i++)
		head[i + 1] += head[i];
	for (size_t i = 0; i < g->edge_count; i++)
		sources[--head[g->edges[i].to + 1]] = g->edges[i].from;
	for (size_t i = 0; i < g->node_count; i++) {
		g->nodes[i].reaches_end = g->nodes[i].is_end;
		if (g->nodes[i].is_end)
			todo[todo_count++] = (uint32_t)i;
	}
	while (todo_count > 0) {
		uint32_t node = todo[--todo_count];
		uint32_t end = node + 2 <= g->node_count ? head[node + 2] : (uint32_t)g->edge_count;

		for (uint32_t i = head[node + 1]; i < end; i++) {
			if (!g->nodes[sources[i]].reaches_end) {
				g->nodes[sources[i]].reaches_end = true;
				todo[todo_count++] = sources[i];
			}
		}
	}
	for (size_t i = g->node_count; i-- > 0;) {
		if (!g->nodes[i].reaches_end) {
			*first = (uint32_t)i;
			stuck++;
		}
	}
	free(head);
	free(sources);
	free(todo);
	return stuck;
}

/* ---- exploring -------------------------------------------------------- */

/* Make one move in `world`; *is_wrong if a step complained. False: not possible. */
static bool world_move(
	struct world *world, int move, const struct explorer_scenario *scenario, bool *is_wrong)
{
	const int number = move / 2;
	struct actor *a = &world->actors[number];

	if (move % 2)
		return actor_drain(world, number);
	if (a->is_finished || !actor_operate(world, number, scenario))
		return false;
	*is_wrong = actor_advance(world, number, scenario) == EXPLORER_WRONG;
	return true;
}

static bool world_start(struct world *world, const struct explorer_scenario *scenario)
{
	static _Alignas(16) uint8_t privates[EXPLORER_ACTORS][EXPLORER_PRIVATE];
	void *pointers[EXPLORER_ACTORS] = {privates[0], privates[1]};

	memset(world, 0, sizeof *world);
	memset(privates, 0, sizeof privates);
	memset(bulk, 0, sizeof bulk);
	memset(explorer_words, 0, sizeof explorer_words);
	replay.actor = NULL;
	scenario->start(scenario, pointers);
	memcpy(world->words, explorer_words, sizeof explorer_words);
	memcpy(world->bulk, bulk, sizeof bulk);
	for (int i = 0; i < EXPLORER_ACTORS; i++) {
		memcpy(world->actors[i].state, privates[i], EXPLORER_PRIVATE);
		memcpy(world->actors[i].seen, explorer_words, sizeof explorer_words);
	}
	for (int i = 0; i < EXPLORER_ACTORS; i++) {
		if (actor_advance(world, i, scenario) == EXPLORER_WRONG)
			return false;
	}
	return true;
}

static void trace_print(const struct graph *g, uint32_t node, const struct explorer_scenario *s)
{
	static const char *const kinds[] = {"load", "store", "barrier", "signal", "wait"};
	static uint8_t moves[4096];
	static struct world world;
	size_t count = 0;

	for (; node != 0 && count < sizeof moves; node = g->nodes[node].parent)
		moves[count++] = g->nodes[node].move;
	(void)world_start(&world, s);
	while (count-- > 0) {
		const int number = moves[count] / 2;
		const struct operation op = world.actors[number].next;
		bool is_wrong = false;

		if (moves[count] % 2) {
			printf("    %c: oldest store arrives\n", "WR"[number]);
			(void)world_move(&world, moves[count], s, &is_wrong);
			continue;
		}
		(void)world_move(&world, moves[count], s, &is_wrong);
		printf("    %c: %s word %d value %u site %d\n", "WR"[number], kinds[op.kind],
			op.word,
			op.kind == EXPLORER_LOAD ? world.actors[number].seen[op.word] : op.value,
			op.site);
	}
}

struct explorer_result explorer_run(const struct explorer_scenario *scenario, bool want_trace)
{
	static struct graph g;
	struct explorer_result result = {.is_complete = true, .fault = "none"};
	struct world *stack = NULL; /* worlds still to be looked at */
	uint32_t *stack_nodes = NULL;
	size_t stack_count = 0;
	size_t stack_room = 0;
	size_t nodes_room = 0;
	uint32_t wrong_node = 0;
	bool is_wrong = false;
	bool is_new;

	stack = grown(stack, &stack_room, 0, sizeof *stack);
	stack_nodes = grown(stack_nodes, &nodes_room, 0, sizeof *stack_nodes);
	is_wrong = !world_start(&stack[0], scenario);
	stack_nodes[0] = graph_node(&g, &stack[0], &is_new);
	stack_count = 1;
	while (stack_count > 0 && !is_wrong && result.is_complete) {
		static struct world here;
		static struct world there;
		const uint32_t node = stack_nodes[--stack_count];

		memcpy(&here, &stack[stack_count], sizeof here);
		for (int move = 0; move < 2 * EXPLORER_ACTORS && !is_wrong; move++) {
			memcpy(&there, &here, sizeof there);
			if (!world_move(&there, move, scenario, &is_wrong))
				continue;
			const uint32_t to = graph_node(&g, &there, &is_new);
			graph_edge(&g, node, to);
			if (is_wrong)
				wrong_node = to;
			if (!is_new)
				continue;
			g.nodes[to].parent = node;
			g.nodes[to].move = (uint8_t)move;
			stack = grown(stack, &stack_room, stack_count, sizeof *stack);
			stack_nodes = grown(
				stack_nodes, &nodes_room, stack_count, sizeof *stack_nodes);
			memcpy(&stack[stack_count], &there, sizeof there);
			stack_nodes[stack_count++] = to;
		}
		result.is_complete = g.node_count < STATES_MOST;
	}

	uint32_t stuck_node = 0;
	result.states = g.node_count;
	if (is_wrong)
		result.fault = "a step complained";
	else if (!result.is_complete)
		result.fault = "too many states";
	else if ((result.stuck = graph_stuck(&g, &stuck_node)) > 0)
		result.fault = "stuck: the end cannot be reached";
	else
		result.is_good = true;
	if (!result.is_good && want_trace)
		trace_print(&g, is_wrong ? wrong_node : stuck_node, scenario);
	free(stack);
	free(stack_nodes);
	free(g.nodes);
	free(g.edges);
	free(g.table);
	memset(&g, 0, sizeof g);
	return result;
}
