// SPDX-License-Identifier: Apache-2.0
/*
 * Text: a small printf, the UART at 0x3f8, and the four memory functions that compilers
 * call by name.
 */
#include "guest/winhv/bare/bare_internal.h"

#include "protocol/spin.h"

#define UART	      0x3f8u
#define UART_FIFO     (UART + 2u)
#define UART_LINE     (UART + 3u)
#define UART_STATUS   (UART + 5u)
#define UART_SCRATCH  (UART + 7u)
#define UART_EMPTY    0x20u
#define UART_FIFO_MAX 16u
#define UART_PATIENCE 1000000u

void *memcpy(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

void *memcpy(void *to, const void *from, size_t bytes)
{
	void *at = to;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(bytes) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
	uint8_t *last = (uint8_t *)to + bytes - 1;
	const uint8_t *source = (const uint8_t *)from + bytes - 1;

	if ((uintptr_t)to - (uintptr_t)from >= bytes)
		return memcpy(to, from, bytes);
	__asm__ volatile("std\n"
			 "	rep movsb\n"
			 "	cld"
			 : "+D"(last), "+S"(source), "+c"(bytes)
			 :
			 : "memory");
	return to;
}

void *memset(void *to, int value, size_t bytes)
{
	void *at = to;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(value) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
	const uint8_t *x = a, *y = b;

	for (size_t i = 0; i < bytes; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

/* ---- formatting ---------------------------------------------------------------------------- */

struct text {
	char *bytes;
	size_t room, used;
};

static void put(struct text *text, char c)
{
	if (text->used + 1 < text->room)
		text->bytes[text->used] = c;
	text->used++;
}

static void put_number(struct text *text, uint64_t value, unsigned base, unsigned width, char fill)
{
	char digits[20];
	unsigned count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	for (unsigned i = count; i < width; i++)
		put(text, fill);
	while (count > 0)
		put(text, digits[--count]);
}

static void put_string(struct text *text, const char *string, unsigned width)
{
	unsigned length = 0;

	while (string[length])
		put(text, string[length++]);
	for (; length < width; length++)
		put(text, ' ');
}

int bare_format(char *bytes, size_t room, const char *format, va_list arguments)
{
	struct text text = {bytes, room, 0};

	for (; *format; format++) {
		if (*format != '%') {
			put(&text, *format);
			continue;
		}
		const char fill = format[1] == '0' ? '0' : ' ';
		unsigned width = 0, longs = 0;
		while (*++format >= '0' && *format <= '9')
			width = width * 10 + (unsigned)(*format - '0');
		for (; *format == 'l' || *format == 'z'; format++)
			longs++;
		if (*format == 's') {
			put_string(&text, va_arg(arguments, const char *), width);
		} else if (*format == 'c') {
			put(&text, (char)va_arg(arguments, int));
		} else if (*format == 'd') {
			const int64_t value = longs ? va_arg(arguments, int64_t)
						    : va_arg(arguments, int);
			if (value < 0)
				put(&text, '-');
			put_number(&text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10,
				width, fill);
		} else if (*format == 'u' || *format == 'x') {
			put_number(&text,
				longs ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned),
				*format == 'u' ? 10 : 16, width, fill);
		} else if (*format == 'p') {
			put_number(&text, (uintptr_t)va_arg(arguments, void *), 16, 16, '0');
		} else {
			put(&text, *format);
			if (!*format)
				break;
		}
	}
	if (room > 0)
		bytes[text.used < room ? text.used : room - 1] = 0;
	return (int)text.used;
}

int bare_print_to(char *text, size_t bytes, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	const int length = bare_format(text, bytes, format, arguments);
	va_end(arguments);
	return length;
}

/* ---- UART ---------------------------------------------------------------------------------- */

static uint32_t uart_lock;

void bare_uart_init(void)
{
	bare_out8(UART_LINE, 0x80); /* divisor 1: 115200 baud */
	bare_out8(UART, 1);
	bare_out8(UART + 1, 0);
	bare_out8(UART_LINE, 0x03);
	bare_out8(UART_FIFO, 0x07);
}

bool bare_uart_exists(void)
{
	bare_out8(UART_SCRATCH, 0x5a);
	if (bare_in8(UART_SCRATCH) != 0x5a)
		return false;
	bare_out8(UART_SCRATCH, 0xa5);
	return bare_in8(UART_SCRATCH) == 0xa5;
}

/* What the FIFO takes at once, so that most characters cost one access. */
static void uart_write(const char *text, size_t bytes)
{
	while (bytes > 0) {
		for (unsigned i = 0; i < UART_PATIENCE && !(bare_in8(UART_STATUS) & UART_EMPTY);
			i++)
			spin_pause();
		for (unsigned i = 0; i < UART_FIFO_MAX && bytes > 0; i++, text++, bytes--)
			bare_out8(UART, (uint8_t)*text);
	}
}

void bare_printf(const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	const int length = bare_format(text, sizeof text, format, arguments);
	va_end(arguments);
	while (__atomic_exchange_n(&uart_lock, 1, __ATOMIC_ACQUIRE))
		spin_pause();
	uart_write(text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
	__atomic_store_n(&uart_lock, 0, __ATOMIC_RELEASE);
}
