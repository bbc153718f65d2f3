// SPDX-License-Identifier: Apache-2.0
/* Clock and battery-backed memory: see cmos.h. */
#include "host/machine/cmos.h"

#include <string.h>
#include <time.h>

enum {
	REGISTER_SECONDS = 0x00,
	REGISTER_MINUTES = 0x02,
	REGISTER_HOURS = 0x04,
	REGISTER_WEEKDAY = 0x06,
	REGISTER_DAY = 0x07,
	REGISTER_MONTH = 0x08,
	REGISTER_YEAR = 0x09,
	REGISTER_A = 0x0a,
	REGISTER_B = 0x0b,
	REGISTER_C = 0x0c,
	REGISTER_D = 0x0d,
	REGISTER_CENTURY = 0x32,
};

#define A_UPDATING 0x80u
#define A_RATE	   0x26u /* 32768 Hz, 1024 Hz */
#define B_BINARY   0x04u
#define B_24_HOURS 0x02u
#define B_WRITABLE (B_BINARY | B_24_HOURS)
#define D_VALID	   0x80u
#define HOURS_PM   0x80u

/* An update is announced for this long before the second ends (data sheet: 244 us). */
#define UPDATE_US 244u
#define SECOND_US 1000000u

static uint64_t host_now_us(void *ctx)
{
	struct timespec now;
	(void)ctx;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * SECOND_US + (uint64_t)now.tv_nsec / 1000;
}

static uint8_t number(const struct cmos *cmos, int value)
{
	const unsigned number = (unsigned)value;
	if (cmos->memory[REGISTER_B] & B_BINARY)
		return (uint8_t)number;
	return (uint8_t)(number / 10 << 4 | number % 10);
}

static uint8_t hours(const struct cmos *cmos, int hour)
{
	if (cmos->memory[REGISTER_B] & B_24_HOURS)
		return number(cmos, hour);
	const uint8_t twelve = number(cmos, hour % 12 == 0 ? 12 : hour % 12);
	return hour >= 12 ? twelve | HOURS_PM : twelve;
}

static uint8_t index_read(const struct cmos *cmos)
{
	const uint64_t now = cmos->now_us(cmos->ctx);
	const time_t seconds = (time_t)(now / SECOND_US);
	struct tm tm;
	gmtime_r(&seconds, &tm);
	switch (cmos->index) {
	case REGISTER_SECONDS:
		return number(cmos, tm.tm_sec);
	case REGISTER_MINUTES:
		return number(cmos, tm.tm_min);
	case REGISTER_HOURS:
		return hours(cmos, tm.tm_hour);
	case REGISTER_WEEKDAY:
		return number(cmos, tm.tm_wday + 1);
	case REGISTER_DAY:
		return number(cmos, tm.tm_mday);
	case REGISTER_MONTH:
		return number(cmos, tm.tm_mon + 1);
	case REGISTER_YEAR:
		return number(cmos, tm.tm_year % 100);
	case REGISTER_CENTURY:
		return number(cmos, (tm.tm_year + 1900) / 100);
	case REGISTER_A:
		return now % SECOND_US >= SECOND_US - UPDATE_US ? A_RATE | A_UPDATING : A_RATE;
	default:
		return cmos->memory[cmos->index];
	}
}

static void index_write(struct cmos *cmos, uint8_t value)
{
	switch (cmos->index) {
	case REGISTER_B:
		cmos->memory[REGISTER_B] = value & B_WRITABLE;
		break;
	case REGISTER_A:
	case REGISTER_C:
	case REGISTER_D:
		break;
	default: /* of the time registers: kept, and never read */
		cmos->memory[cmos->index] = value;
		break;
	}
}

static uint64_t cmos_read(void *ctx, uint64_t offset, unsigned bytes)
{
	struct cmos *cmos = ctx;
	if (offset != 1 || bytes != 1)
		return UINT64_MAX; /* the index cannot be read back */
	pthread_mutex_lock(&cmos->lock);
	const uint8_t value = index_read(cmos);
	pthread_mutex_unlock(&cmos->lock);
	return value;
}

static void cmos_write(void *ctx, uint64_t offset, unsigned bytes, uint64_t value)
{
	struct cmos *cmos = ctx;
	pthread_mutex_lock(&cmos->lock);
	for (unsigned i = 0; i < bytes; i++) {
		const uint8_t byte = (uint8_t)(value >> (8 * i));
		if (offset + i == 0)
			cmos->index = byte % CMOS_BYTES; /* bit 7 masks NMIs: there are none */
		else
			index_write(cmos, byte);
	}
	pthread_mutex_unlock(&cmos->lock);
}

const struct io_device_ops cmos_ops = {
	.name = "CMOS clock",
	.read = cmos_read,
	.write = cmos_write,
};

void cmos_init(struct cmos *cmos, uint64_t (*now_us)(void *ctx), void *ctx)
{
	memset(cmos, 0, sizeof *cmos);
	pthread_mutex_init(&cmos->lock, NULL);
	cmos->now_us = now_us ? now_us : host_now_us;
	cmos->ctx = ctx;
	cmos->memory[REGISTER_B] = B_24_HOURS;
	cmos->memory[REGISTER_D] = D_VALID;
}

void cmos_destroy(struct cmos *cmos)
{
	pthread_mutex_destroy(&cmos->lock);
}

void cmos_reset(struct cmos *cmos)
{
	pthread_mutex_lock(&cmos->lock);
	cmos->index = 0;
	pthread_mutex_unlock(&cmos->lock);
}
