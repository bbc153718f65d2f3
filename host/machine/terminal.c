// SPDX-License-Identifier: Apache-2.0
/* The terminal, raw and back: see terminal.h. */
#include "host/machine/terminal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static struct {
	volatile sig_atomic_t is_raw;
	int fd;
	struct termios before;
	bool is_hooked; /* handlers and atexit are in place */
} terminal;

/* Signals that end a process and that the worker does not take otherwise. */
static const int deadly[] = {
	SIGABRT, SIGBUS, SIGFPE, SIGHUP, SIGILL, SIGQUIT, SIGSEGV, SIGSYS, SIGTRAP, SIGXCPU};

void terminal_restore(void)
{
	if (!terminal.is_raw)
		return;
	terminal.is_raw = 0;
	tcsetattr(terminal.fd, TCSANOW, &terminal.before);
}

/* The default action follows when the handler returns: SA_RESETHAND, and the signal again. */
static void on_deadly_signal(int number)
{
	terminal_restore();
	raise(number);
}

static void hooks_set(void)
{
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_handler = on_deadly_signal;
	action.sa_flags = (int)SA_RESETHAND;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) {
		struct sigaction present;
		if (sigaction(deadly[i], NULL, &present) == 0 && present.sa_handler == SIG_DFL)
			sigaction(deadly[i], &action, NULL);
	}
	atexit(terminal_restore);
	terminal.is_hooked = true;
}

bool terminal_raw(int fd)
{
	if (terminal.is_raw || !isatty(fd) || tcgetpgrp(fd) != getpgrp() ||
		tcgetattr(fd, &terminal.before) != 0)
		return false;
	if (!terminal.is_hooked)
		hooks_set();
	struct termios raw = terminal.before;
	cfmakeraw(&raw);
	raw.c_oflag = terminal.before.c_oflag;
	terminal.fd = fd;
	terminal.is_raw = 1;
	if (tcsetattr(fd, TCSANOW, &raw) == 0)
		return true;
	terminal.is_raw = 0;
	return false;
}
