// SPDX-License-Identifier: Apache-2.0
/* A UART of the 16550A kind: see uart_16550.h. */
#include "host/machine/uart_16550.h"

#include <string.h>

enum {
	REGISTER_DATA = 0, /* RBR, THR; divisor low */
	REGISTER_IER = 1,  /* interrupt enable; divisor high */
	REGISTER_IIR = 2,  /* interrupt identification; written: FIFO control */
	REGISTER_LCR = 3,
	REGISTER_MCR = 4,
	REGISTER_LSR = 5,
	REGISTER_MSR = 6,
	REGISTER_SCRATCH = 7,
};

#define IER_RECEIVED 0x01u
#define IER_THRE     0x02u
#define IER_ERRORS   0x04u
#define IER_MODEM    0x08u
#define IER_MASK     0x0fu

#define IIR_NONE	0x01u
#define IIR_MODEM	0x00u
#define IIR_THRE	0x02u
#define IIR_RECEIVED	0x04u
#define IIR_ERRORS	0x06u
#define IIR_TIMEOUT	0x0cu
#define IIR_FIFO_ACTIVE 0xc0u

#define FCR_ENABLE	  0x01u
#define FCR_CLEAR_RECEIVE 0x02u
#define FCR_KEPT	  0xc9u /* enable, DMA mode, trigger level */

#define LCR_DLAB 0x80u

#define MCR_DTR	 0x01u
#define MCR_RTS	 0x02u
#define MCR_OUT1 0x04u
#define MCR_OUT2 0x08u
#define MCR_LOOP 0x10u
#define MCR_MASK 0x1fu

#define LSR_DATA    0x01u
#define LSR_OVERRUN 0x02u
#define LSR_EMPTY   0x60u /* transmitter: holding register and shift register */

#define MSR_RI_FELL 0x04u
#define MSR_CTS	    0x10u
#define MSR_DSR	    0x20u
#define MSR_RI	    0x40u
#define MSR_DCD	    0x80u
/* The other end of the cable is always there. */
#define MSR_CONNECTED (MSR_CTS | MSR_DSR | MSR_DCD)

/* 9600 baud; what the divisor is does not matter to us. */
#define DIVISOR_RESET (UART_16550_CLOCK_HZ / 16 / 9600)

#define NOTHING (-1)

/* ---- interrupts ---------------------------------------------------------------------------- */

static unsigned fifo_size(const struct uart_16550 *uart)
{
	return uart->fcr & FCR_ENABLE ? UART_16550_FIFO_BYTES : 1;
}

static unsigned trigger_level(const struct uart_16550 *uart)
{
	static const uint8_t levels[] = {1, 4, 8, 14};
	return uart->fcr & FCR_ENABLE ? levels[uart->fcr >> 6] : 1;
}

/*
 * What is pending and enabled, of the highest priority. Data below the trigger level counts
 * as timed out at once: nothing is gained by letting it wait.
 */
static uint8_t pending(const struct uart_16550 *uart)
{
	if (uart->ier & IER_ERRORS && uart->lsr_errors)
		return IIR_ERRORS;
	if (uart->ier & IER_RECEIVED && uart->fifo_count > 0)
		return uart->fifo_count >= trigger_level(uart) ? IIR_RECEIVED : IIR_TIMEOUT;
	if (uart->ier & IER_THRE && uart->is_thre_pending)
		return IIR_THRE;
	if (uart->ier & IER_MODEM && uart->msr_deltas)
		return IIR_MODEM;
	return IIR_NONE;
}

static void line_update(struct uart_16550 *uart)
{
	/* In loopback the pins are disconnected, OUT2 with them. */
	const bool is_connected = (uart->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
	const bool is_high = is_connected && pending(uart) != IIR_NONE;
	if (is_high == uart->is_line_high)
		return;
	uart->is_line_high = is_high;
	uart->callbacks.line_set(uart->callbacks.ctx, is_high);
}

/* ---- the modem's lines --------------------------------------------------------------------- */

static uint8_t modem_lines(const struct uart_16550 *uart)
{
	if (!(uart->mcr & MCR_LOOP))
		return MSR_CONNECTED;
	return (uint8_t)((uart->mcr & MCR_RTS ? MSR_CTS : 0) | (uart->mcr & MCR_DTR ? MSR_DSR : 0) |
			 (uart->mcr & MCR_OUT1 ? MSR_RI : 0) |
			 (uart->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

static void modem_update(struct uart_16550 *uart)
{
	const uint8_t now = modem_lines(uart);
	const uint8_t changed = now ^ uart->modem_lines;
	uart->msr_deltas |= (uint8_t)((changed & ~MSR_RI) >> 4);
	if (changed & MSR_RI && !(now & MSR_RI))
		uart->msr_deltas |= MSR_RI_FELL;
	uart->modem_lines = now;
}

/* ---- data ---------------------------------------------------------------------------------- */

static void fifo_push(struct uart_16550 *uart, uint8_t byte)
{
	if (uart->fifo_count == fifo_size(uart)) {
		uart->lsr_errors |= LSR_OVERRUN;
		return;
	}
	uart->fifo[(uart->fifo_head + uart->fifo_count++) % UART_16550_FIFO_BYTES] = byte;
	uart->received++;
}

static void room_tell(struct uart_16550 *uart)
{
	if (!uart->wants_room || uart->fifo_count > 0 || uart->mcr & MCR_LOOP)
		return;
	uart->wants_room = false;
	uart->callbacks.room(uart->callbacks.ctx);
}

static void fifo_clear(struct uart_16550 *uart)
{
	uart->fifo_head = uart->fifo_count = 0;
	room_tell(uart);
}

static uint8_t data_read(struct uart_16550 *uart)
{
	if (uart->fifo_count == 0)
		return 0;
	const uint8_t byte = uart->fifo[uart->fifo_head];
	uart->fifo_head = (uart->fifo_head + 1) % UART_16550_FIFO_BYTES;
	uart->fifo_count--;
	room_tell(uart);
	return byte;
}

static void data_write(struct uart_16550 *uart, uint8_t byte)
{
	uart->transmitted++;
	if (uart->mcr & MCR_LOOP)
		fifo_push(uart, byte);
	else
		uart->to_send = byte;
	uart->is_thre_pending = true; /* written, and empty again */
}

/* ---- registers ----------------------------------------------------------------------------- */

static uint8_t iir_read(struct uart_16550 *uart)
{
	const uint8_t iir = pending(uart);
	if (iir == IIR_THRE)
		uart->is_thre_pending = false;
	return uart->fcr & FCR_ENABLE ? iir | IIR_FIFO_ACTIVE : iir;
}

static uint8_t register_read(struct uart_16550 *uart, uint64_t number)
{
	uint8_t value = 0;
	switch (number) {
	case REGISTER_DATA:
		return uart->lcr & LCR_DLAB ? (uint8_t)uart->divisor : data_read(uart);
	case REGISTER_IER:
		return uart->lcr & LCR_DLAB ? (uint8_t)(uart->divisor >> 8) : uart->ier;
	case REGISTER_IIR:
		return iir_read(uart);
	case REGISTER_LCR:
		return uart->lcr;
	case REGISTER_MCR:
		return uart->mcr;
	case REGISTER_LSR:
		value = LSR_EMPTY | uart->lsr_errors | (uart->fifo_count > 0 ? LSR_DATA : 0);
		uart->lsr_errors = 0;
		return value;
	case REGISTER_MSR:
		value = uart->modem_lines | uart->msr_deltas;
		uart->msr_deltas = 0;
		return value;
	default:
		return uart->scratch;
	}
}

static void ier_write(struct uart_16550 *uart, uint8_t value)
{
	/* Enabling it tells at once of a transmitter that is empty: ours always is. */
	if (value & IER_THRE && !(uart->ier & IER_THRE))
		uart->is_thre_pending = true;
	uart->ier = value & IER_MASK;
}

static void fcr_write(struct uart_16550 *uart, uint8_t value)
{
	const bool is_switched = (value ^ uart->fcr) & FCR_ENABLE;
	uart->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
	if (is_switched || (value & FCR_ENABLE && value & FCR_CLEAR_RECEIVE))
		fifo_clear(uart);
}

static void register_write(struct uart_16550 *uart, uint64_t number, uint8_t value)
{
	switch (number) {
	case REGISTER_DATA:
		if (uart->lcr & LCR_DLAB)
			uart->divisor = (uint16_t)((uart->divisor & 0xff00u) | value);
		else
			data_write(uart, value);
		break;
	case REGISTER_IER:
		if (uart->lcr & LCR_DLAB)
			uart->divisor = (uint16_t)((uart->divisor & 0xffu) | (unsigned)value << 8);
		else
			ier_write(uart, value);
		break;
	case REGISTER_IIR:
		fcr_write(uart, value);
		break;
	case REGISTER_LCR:
		uart->lcr = value;
		break;
	case REGISTER_MCR:
		uart->mcr = value & MCR_MASK;
		modem_update(uart);
		room_tell(uart);
		break;
	case REGISTER_SCRATCH:
		uart->scratch = value;
		break;
	default: /* LSR and MSR are for reading */
		break;
	}
}

static uint64_t uart_read(void *ctx, uint64_t offset, unsigned bytes)
{
	struct uart_16550 *uart = ctx;
	uint64_t value = 0;
	pthread_mutex_lock(&uart->lock);
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)register_read(uart, offset + i) << (8 * i);
	line_update(uart);
	pthread_mutex_unlock(&uart->lock);
	return value;
}

static void uart_write(void *ctx, uint64_t offset, unsigned bytes, uint64_t value)
{
	struct uart_16550 *uart = ctx;
	int to_send;

	/* The order of bytes is that of the writes, though the lock is not held until they are out.
	 */
	pthread_mutex_lock(&uart->writing);
	pthread_mutex_lock(&uart->lock);
	uart->to_send = NOTHING;
	for (unsigned i = 0; i < bytes; i++)
		register_write(uart, offset + i, (uint8_t)(value >> (8 * i)));
	to_send = uart->to_send;
	line_update(uart);
	pthread_mutex_unlock(&uart->lock);
	if (to_send != NOTHING)
		uart->callbacks.transmit(uart->callbacks.ctx, (uint8_t)to_send);
	pthread_mutex_unlock(&uart->writing);
}

const struct io_device_ops uart_16550_ops = {
	.name = "serial port",
	.read = uart_read,
	.write = uart_write,
};

/* ---- life ---------------------------------------------------------------------------------- */

static void registers_reset(struct uart_16550 *uart)
{
	uart->ier = uart->fcr = uart->lcr = uart->mcr = 0;
	uart->lsr_errors = uart->scratch = uart->msr_deltas = 0;
	uart->modem_lines = MSR_CONNECTED;
	uart->divisor = DIVISOR_RESET;
	uart->is_thre_pending = false;
	fifo_clear(uart);
}

void uart_16550_init(struct uart_16550 *uart, const struct uart_16550_callbacks *callbacks)
{
	memset(uart, 0, sizeof *uart);
	pthread_mutex_init(&uart->lock, NULL);
	pthread_mutex_init(&uart->writing, NULL);
	uart->callbacks = *callbacks;
	registers_reset(uart);
}

void uart_16550_destroy(struct uart_16550 *uart)
{
	pthread_mutex_destroy(&uart->lock);
	pthread_mutex_destroy(&uart->writing);
}

void uart_16550_reset(struct uart_16550 *uart)
{
	pthread_mutex_lock(&uart->lock);
	registers_reset(uart);
	line_update(uart);
	pthread_mutex_unlock(&uart->lock);
}

size_t uart_16550_receive(struct uart_16550 *uart, const uint8_t *bytes, size_t count)
{
	size_t taken = 0;
	pthread_mutex_lock(&uart->lock);
	while (taken < count && !(uart->mcr & MCR_LOOP) && uart->fifo_count < fifo_size(uart))
		fifo_push(uart, bytes[taken++]);
	uart->wants_room = taken < count;
	line_update(uart);
	pthread_mutex_unlock(&uart->lock);
	return taken;
}
