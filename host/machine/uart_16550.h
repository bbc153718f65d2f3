// SPDX-License-Identifier: Apache-2.0
/*
 * A UART of the 16550A kind: eight ports, FIFOs of 16, one interrupt line. What the guest
 * sends goes out at once, so the transmitter is always empty; what it is to receive waits
 * outside until there is room.
 *
 * The line is level-like: high while an enabled interrupt is pending and OUT2 connects it.
 *
 * Threads: every function may be called on any thread; callbacks run on the thread that caused
 * them, and must not call back in. transmit() may wait: others are then kept from writing
 * registers, but not from reading them, and uart_16550_receive() is not held up.
 *
 * Source: National Semiconductor PC16550D data sheet.
 */
#ifndef HOST_MACHINE_UART_16550_H
#define HOST_MACHINE_UART_16550_H

#include "host/hypervisor/io_space.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UART_16550_PORTS      8u
#define UART_16550_FIFO_BYTES 16u
#define UART_16550_CLOCK_HZ   1843200u

struct uart_16550_callbacks {
	/* The guest has sent a byte. */
	void (*transmit)(void *ctx, uint8_t byte);
	/* There is room to receive again; call uart_16550_receive() soon, on another stack. */
	void (*room)(void *ctx);
	void (*line_set)(void *ctx, bool is_high);
	void *ctx;
};

struct uart_16550 {
	pthread_mutex_t lock;
	pthread_mutex_t writing; /* held over writes of registers and what they send; taken first */
	int to_send;		 /* the byte that the write under way has left, or -1 */
	struct uart_16550_callbacks callbacks;
	uint8_t ier, fcr, lcr, mcr, lsr_errors, scratch;
	uint8_t msr_deltas;  /* low half of the modem status register */
	uint8_t modem_lines; /* its high half, as last seen */
	uint16_t divisor;
	uint8_t fifo[UART_16550_FIFO_BYTES];
	unsigned fifo_head, fifo_count;
	bool is_thre_pending;
	bool is_line_high;
	bool wants_room; /* a receive() did not take all */
	uint64_t transmitted, received;
};

extern const struct io_device_ops uart_16550_ops; /* ctx is a struct uart_16550 */

void uart_16550_init(struct uart_16550 *uart, const struct uart_16550_callbacks *callbacks);
void uart_16550_destroy(struct uart_16550 *uart);
/* As after power-on. What was received and not read is lost. */
void uart_16550_reset(struct uart_16550 *uart);
/* Hand in bytes; returns how many were taken. If not all, room() is called later. */
size_t uart_16550_receive(struct uart_16550 *uart, const uint8_t *bytes, size_t count);

#endif
