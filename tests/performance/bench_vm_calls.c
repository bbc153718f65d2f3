// SPDX-License-Identifier: Apache-2.0
/* The bare-metal kernel that makes one call after the other: see bench_vm.h, tests/bare/costs.c. */
#include "tests/performance/bench_vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS	   400 /* of each */
#define CALLS_TEXT "wait calls=400"

static void command_make(
	struct vm_command *command, const struct vm_setup *setup, bool is_qemu, const char *socket)
{
	*command = (struct vm_command){0};
	if (is_qemu) {
		vm_command_qemu(command, setup, VM_QEMU_MACHINE);
		vm_command_add(
			command, (const char *const[]){"-device", "hyperv-testdev", "-device",
					 "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel",
					 setup->calls, "-append", CALLS_TEXT, NULL});
		return;
	}
	vm_command_add(
		command, (const char *const[]){setup->vmwp, "run", "--backend", "kvm", "--kernel",
				 setup->calls, "--append", CALLS_TEXT, "--memory", "64M", "--vps",
				 "2", "--serial", "stdio", "--control", socket, "--enlightenments",
				 "all", "--test-devices", NULL});
}

/* Exits to user space so far. */
static double exits_get(const struct vm_machine *machine, const char *socket)
{
	struct vm_statistics statistics;
	if (socket == NULL)
		return vm_traces_get(&machine->traces, VM_TRACE_USER_EXITS);
	return vm_statistics_get(socket, &statistics) ? statistics.of[VM_STATISTIC_EXITS]
						      : VM_ABSENT;
}

/* Answer the kernel before each row; exits[i] is what it cost from row i to the next. */
static bool rows_run(struct vm_machine *machine, const char *socket, double exits[VM_CALLS_MAX])
{
	double last = 0;
	for (unsigned row = 0; row < VM_CALLS_MAX; row++) {
		/* Behind the last row it goes on by itself. */
		if (!vm_machine_await(machine, "@"))
			return false;
		if (strstr(machine->line, "@next") == NULL)
			return row > 1;
		const double now = exits_get(machine, socket);
		if (row > 0)
			exits[row - 1] = now - last;
		last = now;
		if (!vm_machine_tell(machine, "g"))
			return false;
	}
	return false;
}

/* The lines with results; the first has been read. */
static bool costs_take(
	struct vm_machine *machine, const double exits[VM_CALLS_MAX], struct vm_calls *out)
{
	while (strstr(machine->line, "@end") == NULL) {
		const char *line = strstr(machine->line, "@cost");
		struct vm_call *call = &out->of[out->count];
		char value[32];
		if (line == NULL || out->count == VM_CALLS_MAX ||
			sscanf(line, "@cost %39s %31s", call->name, value) != 2)
			return false;
		const double more = exits[out->count] - exits[0];
		const bool is_there = strcmp(value, "absent") != 0;
		call->ns = is_there ? strtod(value, NULL) / 1000 : VM_ABSENT;
		call->exits = !is_there || isnan(more) ? VM_ABSENT : fmax(more, 0) / CALLS;
		out->count++;
		if (!vm_machine_await(machine, "@"))
			return false;
	}
	return out->count > 0;
}

bool vm_calls_run(const struct vm_setup *setup, bool is_qemu, struct vm_calls *out)
{
	struct vm_machine machine;
	struct vm_command command;
	char socket[SANDBOX_PATH_BYTES + 32];
	char log[SANDBOX_PATH_BYTES + 32];
	double exits[VM_CALLS_MAX] = {0};
	out->count = 0;
	snprintf(socket, sizeof socket, "%s/control", setup->sandbox->work);
	snprintf(log, sizeof log, "%s/vm.log", setup->sandbox->work);
	command_make(&command, setup, is_qemu, socket);
	if (vm_machine_start(&machine, &command, log) != 0)
		return false;
	const bool is_done = rows_run(&machine, is_qemu ? NULL : socket, exits) &&
			     costs_take(&machine, exits, out);
	vm_machine_stop(&machine);
	return is_done;
}

const struct vm_call *vm_calls_find(const struct vm_calls *calls, const char *name)
{
	for (unsigned i = 0; i < calls->count; i++)
		if (strcmp(calls->of[i].name, name) == 0)
			return &calls->of[i];
	return NULL;
}
