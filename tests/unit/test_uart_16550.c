// SPDX-License-Identifier: Apache-2.0
/* The serial port, register by register, as a driver sees it. Source: PC16550D data sheet. */
#include "host/machine/uart_16550.h"
#include "tests/harness.h"

#include <pthread.h>
#include <semaphore.h>
#include <string.h>

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };

struct fixture {
	struct uart_16550 uart;
	char sent[64];
	size_t sent_count;
	unsigned rooms;
	bool is_high;
	unsigned rises;
	bool is_slow; /* the far end of the cable takes a byte when it is let */
	sem_t begun, may_end;
};

static void on_transmit(void *ctx, uint8_t byte)
{
	struct fixture *f = ctx;
	if (f->is_slow) {
		sem_post(&f->begun);
		sem_wait(&f->may_end);
	}
	if (f->sent_count < sizeof f->sent - 1)
		f->sent[f->sent_count++] = (char)byte;
}

static void on_room(void *ctx)
{
	((struct fixture *)ctx)->rooms++;
}

static void on_line(void *ctx, bool is_high)
{
	struct fixture *f = ctx;
	CU_ASSERT_NOT_EQUAL(f->is_high, is_high);
	f->is_high = is_high;
	f->rises += is_high;
}

static void start(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	const struct uart_16550_callbacks callbacks = {
		.transmit = on_transmit, .room = on_room, .line_set = on_line, .ctx = f};
	uart_16550_init(&f->uart, &callbacks);
}

static uint8_t in(struct fixture *f, unsigned offset)
{
	return (uint8_t)uart_16550_ops.read(&f->uart, offset, 1);
}

static void out(struct fixture *f, unsigned offset, uint8_t value)
{
	uart_16550_ops.write(&f->uart, offset, 1, value);
}

static size_t receive(struct fixture *f, const char *text)
{
	return uart_16550_receive(&f->uart, (const uint8_t *)text, strlen(text));
}

static void uart_sends_each_byte_and_is_always_empty(void)
{
	struct fixture f;
	start(&f);
	for (const char *c = "login:"; *c != '\0'; c++) {
		CU_ASSERT_EQUAL(in(&f, LSR), 0x60); /* holding and shift register empty */
		out(&f, DATA, (uint8_t)*c);
	}
	CU_ASSERT_STRING_EQUAL(f.sent, "login:");
	uart_16550_destroy(&f.uart);
}

static void uart_is_found_by_its_scratch_loopback_and_fifo(void)
{
	struct fixture f;
	start(&f);
	out(&f, SCR, 0xa5);
	CU_ASSERT_EQUAL(in(&f, SCR), 0xa5);
	out(&f, IER, 0xff);
	CU_ASSERT_EQUAL(in(&f, IER), 0x0f); /* the upper half does not exist */
	out(&f, IER, 0);
	out(&f, MCR, 0x1a);			   /* loop, OUT2, RTS */
	CU_ASSERT_EQUAL(in(&f, MSR) & 0xf0, 0x90); /* DCD, CTS */
	out(&f, MCR, 0x15);			   /* loop, OUT1, DTR */
	CU_ASSERT_EQUAL(in(&f, MSR) & 0xf0, 0x60); /* RI, DSR */
	out(&f, MCR, 0);
	CU_ASSERT_EQUAL(in(&f, IIR) & 0xc0, 0x00); /* FIFOs off */
	out(&f, IIR, 0x01);
	CU_ASSERT_EQUAL(in(&f, IIR), 0xc1); /* FIFOs on and working, nothing pending */
	uart_16550_destroy(&f.uart);
}

static void uart_keeps_the_divisor_apart_from_the_data(void)
{
	struct fixture f;
	start(&f);
	out(&f, LCR, 0x80);
	out(&f, DATA, 0x01);
	out(&f, IER, 0x02);
	CU_ASSERT_EQUAL(in(&f, DATA), 0x01);
	CU_ASSERT_EQUAL(in(&f, IER), 0x02);
	out(&f, LCR, 0x03);
	CU_ASSERT_EQUAL(in(&f, LCR), 0x03);
	CU_ASSERT_EQUAL(in(&f, IER), 0x00);
	CU_ASSERT_EQUAL(f.sent_count, 0);
	uart_16550_destroy(&f.uart);
}

static void uart_raises_thre_when_enabled_and_again_after_each_write(void)
{
	struct fixture f;
	start(&f);
	out(&f, MCR, 0x08); /* OUT2 */
	out(&f, IER, 0x02);
	CU_ASSERT(f.is_high);
	CU_ASSERT_EQUAL(in(&f, IIR), 0x02);
	CU_ASSERT_FALSE(f.is_high); /* reading it was the answer */
	CU_ASSERT_EQUAL(in(&f, IIR), 0x01);
	out(&f, DATA, 'x');
	CU_ASSERT(f.is_high);
	CU_ASSERT_EQUAL(in(&f, IIR), 0x02);
	out(&f, IER, 0x00);
	out(&f, IER, 0x02); /* enabling again tells again */
	CU_ASSERT_EQUAL(in(&f, IIR), 0x02);
	uart_16550_destroy(&f.uart);
}

static void uart_line_is_disconnected_without_out2_and_in_loopback(void)
{
	struct fixture f;
	start(&f);
	out(&f, IER, 0x02);
	CU_ASSERT_FALSE(f.is_high);
	out(&f, MCR, 0x08);
	CU_ASSERT(f.is_high);
	out(&f, MCR, 0x18);
	CU_ASSERT_FALSE(f.is_high);
	uart_16550_destroy(&f.uart);
}

static void uart_receives_16_and_takes_the_rest_when_they_were_read(void)
{
	struct fixture f;
	start(&f);
	out(&f, MCR, 0x08);
	out(&f, IIR, 0xc1); /* FIFOs, trigger level 14 */
	out(&f, IER, 0x01);
	CU_ASSERT_EQUAL(receive(&f, "0123456789abcdefXY"), 16);
	CU_ASSERT(f.is_high);
	CU_ASSERT_EQUAL(in(&f, IIR), 0xc4); /* at the trigger level */
	CU_ASSERT_EQUAL(in(&f, LSR) & 0x01, 0x01);
	for (unsigned i = 0; i < 15; i++)
		CU_ASSERT_EQUAL(in(&f, DATA), (uint8_t) "0123456789abcdef"[i]);
	CU_ASSERT_EQUAL(in(&f, IIR), 0xcc); /* the last one alone: timeout */
	CU_ASSERT_EQUAL(f.rooms, 0);
	CU_ASSERT_EQUAL(in(&f, DATA), 'f');
	CU_ASSERT_EQUAL(f.rooms, 1);
	CU_ASSERT_FALSE(f.is_high);
	CU_ASSERT_EQUAL(in(&f, LSR), 0x60);
	CU_ASSERT_EQUAL(receive(&f, "XY"), 2);
	CU_ASSERT_EQUAL(in(&f, DATA), 'X');
	CU_ASSERT_EQUAL(f.rooms, 1); /* nobody waits any more */
	uart_16550_destroy(&f.uart);
}

static void uart_without_fifo_holds_one_byte(void)
{
	struct fixture f;
	start(&f);
	CU_ASSERT_EQUAL(receive(&f, "ab"), 1);
	CU_ASSERT_EQUAL(in(&f, DATA), 'a');
	CU_ASSERT_EQUAL(f.rooms, 1);
	uart_16550_destroy(&f.uart);
}

static void uart_loopback_returns_data_reports_overrun_and_shuts_the_outside_out(void)
{
	struct fixture f;
	start(&f);
	out(&f, IIR, 0x01);
	out(&f, MCR, 0x10);
	CU_ASSERT_EQUAL(receive(&f, "outside"), 0);
	for (unsigned i = 0; i < 17; i++)
		out(&f, DATA, (uint8_t)('a' + i));
	CU_ASSERT_EQUAL(f.sent_count, 0);
	CU_ASSERT_EQUAL(in(&f, LSR), 0x63); /* empty, overrun, data */
	CU_ASSERT_EQUAL(in(&f, LSR), 0x61); /* read, and gone */
	CU_ASSERT_EQUAL(in(&f, DATA), 'a');
	out(&f, IIR, 0x03); /* clear the receive FIFO */
	CU_ASSERT_EQUAL(in(&f, LSR), 0x60);
	CU_ASSERT_EQUAL(f.rooms, 0);
	out(&f, MCR, 0x00);
	CU_ASSERT_EQUAL(f.rooms, 1); /* the outside may come again */
	uart_16550_destroy(&f.uart);
}

static void uart_tells_of_modem_lines_that_changed(void)
{
	struct fixture f;
	start(&f);
	CU_ASSERT_EQUAL(in(&f, MSR), 0xb0); /* the other end is there */
	out(&f, IER, 0x08);
	out(&f, MCR, 0x10);
	CU_ASSERT_EQUAL(in(&f, IIR), 0x00);
	CU_ASSERT_EQUAL(in(&f, MSR), 0x0b); /* DCD, DSR, CTS have gone */
	CU_ASSERT_EQUAL(in(&f, MSR), 0x00);
	CU_ASSERT_EQUAL(in(&f, IIR), 0x01);
	out(&f, MCR, 0x14);
	CU_ASSERT_EQUAL(in(&f, MSR), 0x40); /* RI came: no delta */
	out(&f, MCR, 0x10);
	CU_ASSERT_EQUAL(in(&f, MSR), 0x04); /* RI went: trailing edge */
	uart_16550_destroy(&f.uart);
}

static void uart_errors_come_before_data_before_thre_before_modem(void)
{
	struct fixture f;
	start(&f);
	out(&f, MCR, 0x10);
	(void)in(&f, MSR);
	out(&f, DATA, 'a');
	out(&f, DATA, 'b'); /* overrun: no FIFO */
	out(&f, MCR, 0x12);
	out(&f, IER, 0x0f);
	CU_ASSERT_EQUAL(in(&f, IIR), 0x06);
	(void)in(&f, LSR);
	CU_ASSERT_EQUAL(in(&f, IIR), 0x04);
	CU_ASSERT_EQUAL(in(&f, DATA), 'a');
	CU_ASSERT_EQUAL(in(&f, IIR), 0x02);
	CU_ASSERT_EQUAL(in(&f, IIR), 0x00);
	(void)in(&f, MSR);
	CU_ASSERT_EQUAL(in(&f, IIR), 0x01);
	uart_16550_destroy(&f.uart);
}

static void uart_reset_forgets_all_and_lowers_the_line(void)
{
	struct fixture f;
	start(&f);
	out(&f, MCR, 0x08);
	out(&f, IER, 0x03);
	out(&f, SCR, 0x55);
	receive(&f, "ab");
	CU_ASSERT(f.is_high);
	uart_16550_reset(&f.uart);
	CU_ASSERT_FALSE(f.is_high);
	CU_ASSERT_EQUAL(in(&f, IER), 0);
	CU_ASSERT_EQUAL(in(&f, SCR), 0);
	CU_ASSERT_EQUAL(in(&f, LSR), 0x60);
	CU_ASSERT_EQUAL(f.rooms, 1);
	uart_16550_destroy(&f.uart);
}

static void *send_x(void *ctx)
{
	out(ctx, DATA, 'x');
	return NULL;
}

/* The loop hands in what was typed, and reads what is sent: it must not wait for itself. */
static void uart_receives_while_a_byte_cannot_go_out(void)
{
	struct fixture f;
	pthread_t vp;
	start(&f);
	sem_init(&f.begun, 0, 0);
	sem_init(&f.may_end, 0, 0);
	f.is_slow = true;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&vp, NULL, send_x, &f), 0);
	sem_wait(&f.begun);
	CU_ASSERT_EQUAL(pthread_mutex_trylock(&f.uart.lock), 0);
	pthread_mutex_unlock(&f.uart.lock);
	CU_ASSERT_EQUAL(f.sent_count, 0);
	sem_post(&f.may_end);
	pthread_join(vp, NULL);
	CU_ASSERT_EQUAL(receive(&f, "a"), 1);
	CU_ASSERT_STRING_EQUAL(f.sent, "x");
	uart_16550_destroy(&f.uart);
}

static const struct test tests[] = {
	TEST(uart_sends_each_byte_and_is_always_empty),
	TEST(uart_is_found_by_its_scratch_loopback_and_fifo),
	TEST(uart_keeps_the_divisor_apart_from_the_data),
	TEST(uart_raises_thre_when_enabled_and_again_after_each_write),
	TEST(uart_line_is_disconnected_without_out2_and_in_loopback),
	TEST(uart_receives_16_and_takes_the_rest_when_they_were_read),
	TEST(uart_without_fifo_holds_one_byte),
	TEST(uart_loopback_returns_data_reports_overrun_and_shuts_the_outside_out),
	TEST(uart_tells_of_modem_lines_that_changed),
	TEST(uart_errors_come_before_data_before_thre_before_modem),
	TEST(uart_receives_while_a_byte_cannot_go_out),
	TEST(uart_reset_forgets_all_and_lowers_the_line),
};
TEST_MAIN("uart_16550", tests)
