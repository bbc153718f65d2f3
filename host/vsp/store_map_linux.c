// SPDX-License-Identifier: Apache-2.0
/* An image on tmpfs, mapped. See store_map_linux.h. */
#include "host/vsp/store_map_linux.h"

#include "host/limits.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE_BYTES 4096u
#define WORD_PAGES 64u

/* ---- faults -------------------------------------------------------------- */

/* The copy that this thread is doing, for the handler, which nobody can give an argument. */
static _Thread_local sigjmp_buf *copy_under_way;

static struct sigaction handler_before;

static void on_bus_error(int number, siginfo_t *info, void *context)
{
	const ucontext_t *interrupted = context;
	(void)info;
	if (copy_under_way != NULL) {
		/* What returning would do, and the jump does not. */
		pthread_sigmask(SIG_SETMASK, &interrupted->uc_sigmask, NULL);
		siglongjmp(*copy_under_way, 1);
	}
	/* The access is tried again, and meets who was there before. */
	sigaction(number, &handler_before, NULL);
}

static void handler_set(void)
{
	struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, &handler_before);
}

/* ---- what is there ------------------------------------------------------- */

/* The pages that a range touches, as far as they are mapped: [first, end). */
static void pages_of(const struct store_map *map, uint64_t offset, uint64_t bytes, uint64_t *first,
	uint64_t *end)
{
	if (offset > map->bytes)
		offset = map->bytes;
	if (bytes > map->bytes - offset)
		bytes = map->bytes - offset;
	*first = offset / PAGE_BYTES;
	*end = bytes == 0 ? *first : (offset + bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

/* The bits of the word of page `first` that belong to [first, end). */
static uint64_t word_mask(uint64_t first, uint64_t end)
{
	const unsigned shift = (unsigned)(first % WORD_PAGES);
	const uint64_t most = WORD_PAGES - shift;
	const uint64_t count = end - first < most ? end - first : most;
	const uint64_t ones = count == WORD_PAGES ? UINT64_MAX : (UINT64_C(1) << count) - 1;
	return ones << shift;
}

static uint64_t next_word(uint64_t page)
{
	return (page / WORD_PAGES + 1) * WORD_PAGES;
}

static bool is_present(const struct store_map *map, uint64_t offset, uint64_t bytes)
{
	uint64_t first;
	uint64_t end;
	if (map->base == NULL || offset > map->bytes || bytes > map->bytes - offset)
		return false;
	pages_of(map, offset, bytes, &first, &end);
	for (uint64_t page = first; page < end; page = next_word(page)) {
		const uint64_t mask = word_mask(page, end);
		if ((map->present[page / WORD_PAGES] & mask) != mask)
			return false;
	}
	return true;
}

void store_map_note(struct store_map *map, uint64_t offset, uint64_t bytes)
{
	uint64_t first;
	uint64_t end;
	if (map->base == NULL)
		return;
	pages_of(map, offset, bytes, &first, &end);
	for (uint64_t page = first; page < end; page = next_word(page))
		map->present[page / WORD_PAGES] |= word_mask(page, end);
}

void store_map_forget(struct store_map *map, uint64_t offset, uint64_t bytes)
{
	uint64_t first;
	uint64_t end;
	if (map->base == NULL)
		return;
	pages_of(map, offset, bytes, &first, &end);
	for (uint64_t page = first; page < end; page = next_word(page))
		map->present[page / WORD_PAGES] &= ~word_mask(page, end);
}

/* Ask where there are data. What lies behind the last extent asked for stays unknown. */
static void extents_learn(struct store_map *map, int fd)
{
	off_t at = 0;
	for (unsigned i = 0; i < LIMIT_STORE_MAP_EXTENTS; i++) {
		const off_t data = lseek(fd, at, SEEK_DATA);
		const off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (hole <= data)
			return;
		store_map_note(map, (uint64_t)data, (uint64_t)(hole - data));
		at = hole;
	}
}

/* ---- life ---------------------------------------------------------------- */

void store_map_open(struct store_map *map, int fd, uint64_t bytes, bool is_writable)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	memset(map, 0, sizeof *map);
	if (bytes == 0 || bytes > LIMIT_STORE_MAP_BYTES)
		return;
	/* Touched only as far as there are data. */
	const uint64_t pages = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
	uint64_t *present = calloc(
		(size_t)((pages + WORD_PAGES - 1) / WORD_PAGES), sizeof *present);
	if (present == NULL)
		return;
	void *base = mmap(NULL, (size_t)bytes, is_writable ? PROT_READ | PROT_WRITE : PROT_READ,
		MAP_SHARED, fd, 0);
	if (base == MAP_FAILED) {
		free(present);
		return;
	}
	pthread_once(&once, handler_set);
	*map = (struct store_map){
		.base = base, .bytes = bytes, .present = present, .is_writable = is_writable};
	extents_learn(map, fd);
}

void store_map_stamp(struct store_map *map, int fd)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};
	if (map->is_changed)
		(void)futimens(fd, times);
	map->is_changed = false;
}

void store_map_close(struct store_map *map, int fd)
{
	if (map->base == NULL)
		return;
	store_map_stamp(map, fd);
	munmap(map->base, (size_t)map->bytes);
	free(map->present);
	memset(map, 0, sizeof *map);
}

/* ---- copies -------------------------------------------------------------- */

/* Of its own: nothing that it changes is looked at after a fault. */
static __attribute__((noinline)) void pieces_copy(
	uint8_t *at, bool is_write, const struct iovec *iov, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (is_write)
			memcpy(at, iov[i].iov_base, iov[i].iov_len);
		else
			memcpy(iov[i].iov_base, at, iov[i].iov_len);
		at += iov[i].iov_len;
	}
}

bool store_map_copy(struct store_map *map, bool is_write, const struct iovec *iov, unsigned count,
	uint64_t offset, uint64_t bytes)
{
	sigjmp_buf fault;
	if (!is_present(map, offset, bytes) || (is_write && !map->is_writable))
		return false;
	if (__builtin_expect(sigsetjmp(fault, 0) != 0, 0)) {
		copy_under_way = NULL;
		store_map_forget(map, offset, bytes);
		return false;
	}
	copy_under_way = &fault;
	/* The handler must find what is stored here, whatever the compiler knows of memcpy. */
	__asm__ volatile("" : : : "memory");
	pieces_copy(map->base + offset, is_write, iov, count);
	__asm__ volatile("" : : : "memory");
	copy_under_way = NULL;
	map->is_changed |= is_write;
	return true;
}
