// SPDX-License-Identifier: Apache-2.0
/*
 * A small model checker for two actors that share a few 32-bit words.
 *
 * It runs real C code. Each actor is a function that is called again and again and does
 * one step of its work on a private state; whatever the step shares goes through
 * explorer_operate(). There the explorer takes over: it tries every order in which the
 * two actors' operations can happen, and every moment at which a store that one of them
 * has made becomes visible to the other.
 *
 * Memory is what x86 has, total store order: each actor's stores wait in a queue of its
 * own and reach memory in order; its own loads look there first; a barrier waits until
 * the queue is empty. The ring makes all its shared stores with release and all its
 * shared loads with acquire, and there are two actors; so a store that is overtaken by a
 * later load is also the only reordering that weaker machines add.
 *
 * A step is run again from its start to learn what it does next, with the results that
 * its operations had; it must depend on nothing else. States are merged when private
 * states, results, memory and queues are equal, so loops end.
 *
 * Explored completely, a scenario is good if no step has complained and if from every
 * state the end, both actors finished, can still be reached. A state from which it cannot
 * is a lost wake-up or a deadlock; the way there is kept for printing.
 */
#ifndef TESTS_MODEL_EXPLORER_H
#define TESTS_MODEL_EXPLORER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	EXPLORER_ACTORS = 2,
	EXPLORER_WORDS = 24,	/* shared words */
	EXPLORER_PRIVATE = 320, /* bytes of private state of an actor */
	EXPLORER_SHARED = 128,	/* bytes of bulk data, visible at once */
};

enum explorer_kind {
	EXPLORER_LOAD,
	EXPLORER_STORE,
	EXPLORER_BARRIER,
	EXPLORER_SIGNAL, /* wake the other actor: in the order of the stores */
	EXPLORER_WAIT,	 /* until woken */
};

/* What can be broken on purpose, at one site of the code under test. */
enum explorer_defect {
	EXPLORER_SOUND,
	EXPLORER_NO_BARRIER, /* the barrier there does nothing */
	EXPLORER_NO_LOAD,    /* the load there sees what this actor saw last */
};

enum explorer_step {
	EXPLORER_AGAIN,	   /* call me again */
	EXPLORER_FINISHED, /* my work is done */
	EXPLORER_WRONG,	   /* something that must never be has happened */
};

struct explorer_scenario {
	const char *name;
	/* Set up private states, words and bulk data, all zero before. */
	void (*start)(const struct explorer_scenario *s, void *privates[EXPLORER_ACTORS]);
	/* One step of actor 0 or 1 on its private state. */
	enum explorer_step (*step[EXPLORER_ACTORS])(void *state);
	const void *parameters;
	enum explorer_defect defect;
	int defect_site;
};

struct explorer_result {
	bool is_good;
	bool is_complete; /* false: too many states */
	const char *fault;
	size_t states;
	size_t stuck; /* states from which the end cannot be reached */
};

/* The shared words and bulk data, for setting up and for the steps' bulk accesses. */
extern uint32_t explorer_words[EXPLORER_WORDS];
extern uint8_t *explorer_bulk;

/* The number of a shared word from its address. */
int explorer_word(const uint32_t *address);

/* Called by steps: do one shared operation, get its result. */
uint32_t explorer_operate(enum explorer_kind kind, int word, uint32_t value, int site);

/*
 * Explore a scenario. If it is not good and `want_trace`, print the operations that lead
 * to the fault.
 */
struct explorer_result explorer_run(const struct explorer_scenario *scenario, bool want_trace);

#endif
