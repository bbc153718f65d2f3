// SPDX-License-Identifier: Apache-2.0
/*
 * The VMBus ring: opening, the slow paths of the inline functions of ring.h, and
 * what happens to a peer that breaks the rules. Freestanding, no state of its own.
 *
 * Everything in here that reads a shared word validates it before use. There is one
 * way to fail: the half's status becomes the reason, its batch is dropped, and from
 * then on it neither reads nor writes shared memory other than loading indices.
 *
 * Sources: R-RING-001 .. R-RING-030, R-OPEN-008, R-OPEN-024; ring.md.
 */
#include "protocol/ring.h"

#include "protocol/errors.h"

const char *ring_status_name(enum ring_status status)
{
#define RING_NAME(constant, word) word,
	static const char *const names[] = {RING_STATUSES(RING_NAME)};
#undef RING_NAME

	return (unsigned int)status < RING_STATUS_COUNT ? names[status] : "unknown";
}

int ring_status_error(enum ring_status status)
{
	switch (status) {
	case RING_OK:
		return 0;
	case RING_EMPTY:
	case RING_FULL:
		return -VIRIDIAN_EAGAIN;
	case RING_TOO_LARGE:
		return -VIRIDIAN_EMSGSIZE;
	case RING_BUFFER_TOO_SMALL:
		return -VIRIDIAN_ENOSPC;
	case RING_BAD_HEADER:
	case RING_BAD_AREA:
		return -VIRIDIAN_EINVAL;
	default:
		return -VIRIDIAN_EPROTO;
	}
}

#define RING_MIN_PLAIN	  PACKET_DESCRIPTOR_BYTES
#define RING_MIN_EXTENDED (PACKET_DESCRIPTOR_BYTES + PACKET_UNIT_BYTES)

#define RING_NO_TYPE UINT32_MAX

const uint32_t ring_min_offset[PACKET_TYPE_COMPLETION + 1] = {
	RING_NO_TYPE,
	RING_NO_TYPE,
	RING_NO_TYPE,
	RING_NO_TYPE,
	RING_NO_TYPE,
	RING_NO_TYPE,
	[PACKET_TYPE_INBAND] = RING_MIN_PLAIN,
	[PACKET_TYPE_TRANSFER_PAGES] = RING_MIN_EXTENDED,
	RING_NO_TYPE,
	[PACKET_TYPE_GPA_DIRECT] = RING_MIN_EXTENDED,
	RING_NO_TYPE,
	[PACKET_TYPE_COMPLETION] = RING_MIN_PLAIN,
};

/* ---- indices ---------------------------------------------------------- */

/* Bytes from index `from` forward to index `to` in a ring of `size`. */
static uint32_t distance(uint32_t from, uint32_t to, uint32_t size)
{
	return to >= from ? to - from : to + size - from;
}

/* Whether a peer's index can be one at all (R-RING-022). */
static enum ring_status index_check(uint32_t index, uint32_t size)
{
	if (index >= size)
		return RING_CORRUPT_INDEX_RANGE;
	if (index % PACKET_UNIT_BYTES != 0)
		return RING_CORRUPT_INDEX_ALIGNMENT;
	return RING_OK;
}

static enum ring_status writer_fail(struct ring_writer *w, enum ring_status reason)
{
	w->status = reason;
	w->next = w->data + w->published;
	w->limit = w->next;
	w->room_end = w->next;
	w->pending = 0;
	return reason;
}

static enum ring_status reader_fail(struct ring_reader *r, enum ring_status reason)
{
	r->status = reason;
	r->limit = r->next;
	r->beyond = 0;
	r->bound = 0;
	return reason;
}

static uint32_t writer_in(const struct ring_writer *w)
{
	return (uint32_t)(w->next - w->data);
}

/* How far the fast path may go, from what is known and from what is contiguous. */
static void writer_limit(struct ring_writer *w)
{
	w->limit = w->room_end < w->contiguous ? w->room_end : w->contiguous;
	/* while a wish is pending, the next reservation has to come by and clear it */
	if (w->pending)
		w->limit = w->next;
}

/* Bytes known to be readable. */
static uint32_t reader_available(const struct ring_reader *r)
{
	return (uint32_t)(r->limit - r->next) + r->beyond;
}

/* Let `available` bytes be readable, as far as they are contiguous by the fast path. */
static void reader_limit(struct ring_reader *r, uint32_t available)
{
	size_t contiguous = (size_t)(r->contiguous - r->next);

	if (available <= contiguous) {
		r->limit = r->next + available;
		r->beyond = 0;
	} else {
		r->limit = r->contiguous;
		r->beyond = available - (uint32_t)contiguous;
	}
}

/*
 * Take a freshly loaded read index: it must lie between the last one and what we
 * have published, for a reader only moves forward and cannot pass us.
 */
enum ring_status ring_writer_note_out(struct ring_writer *w, uint32_t out)
{
	if (w->status != RING_OK)
		return w->status;

	enum ring_status status = index_check(out, w->size);
	if (status != RING_OK)
		return writer_fail(w, status);
	if (distance(w->out, out, w->size) > distance(w->out, w->published, w->size))
		return writer_fail(w, RING_CORRUPT_INDEX_BACKWARD);

	w->out = out;
	uint32_t room = w->size - distance(out, writer_in(w), w->size) - RING_RESERVED_BYTES;
	w->room_end = w->next + (room < w->max_packet ? room : w->max_packet);
	writer_limit(w);
	return RING_OK;
}

/*
 * Take a freshly loaded write index: what can be read may only have grown. Returns
 * the reader's status.
 */
static enum ring_status reader_note_in(struct ring_reader *r, uint32_t in)
{
	if (r->status != RING_OK)
		return r->status;

	enum ring_status status = index_check(in, r->size);
	if (status != RING_OK)
		return reader_fail(r, status);

	uint32_t used = distance(ring_reader_out(r), in, r->size);
	if (used < reader_available(r))
		return reader_fail(r, RING_CORRUPT_INDEX_BACKWARD);
	reader_limit(r, used);
	return RING_OK;
}

/* ---- opening ---------------------------------------------------------- */

static bool area_is_good(const struct ring_area *area)
{
	if (!area->control || !area->data)
		return false;
	if ((uintptr_t)area->control % 8 != 0 || (uintptr_t)area->data % 8 != 0)
		return false;
	if (area->data_bytes < RING_MIN_DATA_BYTES || area->data_bytes > RING_MAX_DATA_BYTES ||
		area->data_bytes % RING_PAGE_BYTES != 0)
		return false;
	if (area->is_double_mapped)
		return true;
	return area->scratch && (uintptr_t)area->scratch % 8 == 0 &&
	       area->scratch_bytes >= ring_scratch_bytes(area->data_bytes);
}

void ring_clear(const struct ring_area *area)
{
	__builtin_memset(area->control, 0, RING_CONTROL_BYTES);
}

/* Both indices of a ring, as found. */
struct found {
	uint32_t in;
	uint32_t out;
};

static enum ring_status find_indices(const struct ring_area *area, struct found *found)
{
	if (!area_is_good(area))
		return RING_BAD_AREA;

	const uint32_t *control = (const uint32_t *)(const void *)area->control;
	found->in = ring_load(&control[RING_WORD_IN], RING_SITE_OPEN);
	found->out = ring_load(&control[RING_WORD_OUT], RING_SITE_OPEN);

	enum ring_status status = index_check(found->in, area->data_bytes);
	return status != RING_OK ? status : index_check(found->out, area->data_bytes);
}

static void writer_take(
	struct ring_writer *w, const struct ring_area *area, const struct found *found)
{
	__builtin_memset(w, 0, sizeof *w);
	w->data = area->data;
	w->control = (uint32_t *)(void *)area->control;
	w->size = area->data_bytes;
	w->end = area->data + area->data_bytes;
	w->contiguous = area->is_double_mapped ? w->end + area->data_bytes : w->end;
	w->scratch = area->is_double_mapped ? NULL : area->scratch;
	w->max_packet = ring_max_packet_bytes(area->data_bytes);
	w->next = w->data + found->in;
	w->limit = w->next;
	w->room_end = w->next;
	w->published = found->in;
	w->out = found->out;
	w->start = found->in;
	w->status = RING_OK;
	ring_store(&w->control[RING_WORD_PENDING], 0, RING_SITE_OPEN);
	ring_store(&w->control[RING_WORD_FEATURES], RING_FEATURE_PENDING_SEND_SIZE, RING_SITE_OPEN);
}

static void reader_take(struct ring_reader *r, const struct ring_area *area,
	const struct found *found, enum ring_flag_policy policy)
{
	const uint64_t type_bits = 0xFFFF;
	const uint64_t unknown_flags = (uint64_t)(0xFFFF & ~PACKET_FLAG_COMPLETION_REQUESTED) << 48;

	__builtin_memset(r, 0, sizeof *r);
	r->data = area->data;
	r->control = (uint32_t *)(void *)area->control;
	r->size = area->data_bytes;
	r->end = area->data + area->data_bytes;
	r->contiguous = area->is_double_mapped ? r->end + area->data_bytes : r->end;
	r->scratch = area->is_double_mapped ? NULL : area->scratch;
	r->significant = policy == RING_FLAGS_STRICT ? type_bits | unknown_flags : type_bits;
	r->next = r->data + found->out;
	r->limit = r->next;
	r->bound = area->data_bytes;
	r->start = found->out;
	r->checked = found->out;
	r->status = RING_OK;
	ring_store(&r->control[RING_WORD_MASK], 0, RING_SITE_OPEN);
}

enum ring_status ring_writer_init(struct ring_writer *w, const struct ring_area *area)
{
	struct found found;
	enum ring_status status = find_indices(area, &found);

	if (status == RING_OK)
		writer_take(w, area, &found);
	return status;
}

enum ring_status ring_reader_init(
	struct ring_reader *r, const struct ring_area *area, enum ring_flag_policy policy)
{
	struct found found;
	enum ring_status status = find_indices(area, &found);

	if (status == RING_OK)
		reader_take(r, area, &found, policy);
	return status;
}

enum ring_status ring_open(struct ring_writer *w, const struct ring_area *outgoing,
	struct ring_reader *r, const struct ring_area *incoming, enum ring_flag_policy policy)
{
	struct found out_found;
	struct found in_found;
	enum ring_status status = find_indices(outgoing, &out_found);

	if (status == RING_OK)
		status = find_indices(incoming, &in_found);
	if (status != RING_OK)
		return status;
	writer_take(w, outgoing, &out_found);
	reader_take(r, incoming, &in_found, policy);
	return RING_OK;
}

bool ring_peer_signals_space(const struct ring_reader *r)
{
	uint32_t features = ring_load(&r->control[RING_WORD_FEATURES], RING_SITE_READ_FEATURES);

	return (features & RING_FEATURE_PENDING_SEND_SIZE) != 0;
}

/* ---- writer ----------------------------------------------------------- */

/* Whether `total` bytes fit into the room known to be free. */
static bool has_room(const struct ring_writer *w, uint64_t total)
{
	return total <= (size_t)(w->room_end - w->next);
}

/*
 * The reservation is not a fast one: it needs the reader's index, or it wraps and
 * has to be split. On RING_OK there is room, and is_split says where to write.
 */
enum ring_status ring_writer_make_room(struct ring_writer *w, uint64_t total)
{
	w->is_split = false;
	if (w->status != RING_OK)
		return w->status;
	if (total > w->max_packet)
		return RING_TOO_LARGE;

	const uint32_t wish = w->pending;
	if (wish || !has_room(w, total)) {
		w->pending = 0;
		uint32_t out = ring_load(&w->control[RING_WORD_OUT], RING_SITE_WRITE_SPACE);
		enum ring_status status = ring_writer_note_out(w, out);

		if (status != RING_OK)
			return status;
		if (!has_room(w, total)) {
			w->pending = wish;
			writer_limit(w);
			w->stalls++;
			return RING_FULL;
		}
		if (wish)
			ring_store(&w->control[RING_WORD_PENDING], 0, RING_SITE_WRITE_WANT_CLEAR);
	}
	w->is_split = total > (size_t)(w->contiguous - w->next);
	return RING_OK;
}

/*
 * The committed packet ends at or past the end of the data area: spread it there if
 * it was put together in scratch, and count on from the start. Returns the new index.
 */
uint8_t *ring_writer_wrap(struct ring_writer *w, uint8_t *packet_end)
{
	if (packet_end > w->contiguous) {
		size_t first = (size_t)(w->end - w->next);

		__builtin_memcpy(w->next, w->scratch, first);
		__builtin_memcpy(w->data, w->scratch + first, (size_t)(packet_end - w->end));
	}
	w->laps++;
	w->next = packet_end - w->size;
	w->room_end -= w->size;
	writer_limit(w);
	return w->next;
}

/*
 * Why a wake-up for space is not lost (ring.md 6.2): our pending size is visible
 * before we load `out` again. A reader has stored its `out`, visible before it
 * loads the pending size. So either we see its `out`, or it sees our wish.
 */
enum ring_status ring_writer_want(struct ring_writer *w, const struct packet_header *header)
{
	uint64_t total = packet_total_bytes(header->extended_bytes, header->payload_bytes);

	if (w->status != RING_OK)
		return w->status;
	if (header->extended_bytes & 7)
		return RING_BAD_HEADER;
	if (total > w->max_packet)
		return RING_TOO_LARGE;

	/* the reader counts from what is published, and can free no more than all */
	uint64_t wish = total + distance(w->published, writer_in(w), w->size);
	if (wish > w->size - 1)
		wish = w->size - 1;
	w->pending = (uint32_t)wish;
	writer_limit(w);
	ring_store_full(&w->control[RING_WORD_PENDING], w->pending, RING_SITE_WRITE_WANT);

	uint32_t out = ring_load(&w->control[RING_WORD_OUT], RING_SITE_WRITE_WANT_RECHECK);
	w->pending = 0;
	enum ring_status status = ring_writer_note_out(w, out);
	if (status != RING_OK)
		return status;
	if (has_room(w, total)) {
		ring_store(&w->control[RING_WORD_PENDING], 0, RING_SITE_WRITE_WANT_CLEAR);
		return RING_OK;
	}
	w->pending = (uint32_t)wish;
	writer_limit(w);
	w->waits++;
	return RING_FULL;
}

enum ring_status ring_send_pieces(struct ring_writer *w, const struct packet_header *header,
	const void *extended, const struct ring_piece *pieces, uint32_t count)
{
	struct ring_span span;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += pieces[i].bytes;
	if (sum != header->payload_bytes)
		return RING_BAD_HEADER;

	enum ring_status status = ring_reserve(w, header, &span);
	if (status != RING_OK)
		return status;
	if (header->extended_bytes)
		__builtin_memcpy(span.extended, extended, header->extended_bytes);

	uint8_t *to = span.payload;
	for (uint32_t i = 0; i < count; i++) {
		if (pieces[i].bytes)
			__builtin_memcpy(to, pieces[i].base, pieces[i].bytes);
		to += pieces[i].bytes;
	}
	ring_commit(w, &span);
	return RING_OK;
}

/* ---- reader ----------------------------------------------------------- */

/* Everything known has been read and the write index is not a plain step forward. */
enum ring_status ring_reader_refill(struct ring_reader *r, uint32_t in)
{
	enum ring_status status = reader_note_in(r, in);

	return status == RING_OK && r->limit == r->next ? RING_EMPTY : status;
}

/*
 * Put a packet that wraps together in scratch; `bytes` without the trailer. Only called if
 * the trailer ends past the data area, so that at least `first` bytes lie before its end.
 */
static const uint8_t *gather(struct ring_reader *r, uint32_t bytes)
{
	uint32_t first = (uint32_t)(r->end - r->next);

	packet_copy_in(r->scratch, r->next, first);
	packet_copy_in(r->scratch + first, r->data, bytes - first);
	return r->scratch;
}

/*
 * The descriptor at out did not pass the fast test. Find out which rule it breaks, in
 * the order in which a careful reader would look (R-RING-024, R-PKT-004, R-PKT-005),
 * so that each kind of damage has one name, and return NULL; or it breaks none and
 * merely wraps: return its contiguous bytes.
 */
const uint8_t *ring_reader_examine(struct ring_reader *r, uint64_t descriptor)
{
	uint64_t type = descriptor & r->significant;
	uint32_t offset = (uint32_t)(descriptor >> 16 & 0xFFFF) * PACKET_UNIT_BYTES;
	uint32_t length = (uint32_t)(descriptor >> 32 & 0xFFFF) * PACKET_UNIT_BYTES;
	uint32_t available = reader_available(r);
	bool is_extended = type == PACKET_TYPE_TRANSFER_PAGES || type == PACKET_TYPE_GPA_DIRECT;
	enum ring_status reason = RING_OK;

	if (available < PACKET_DESCRIPTOR_BYTES)
		reason = RING_CORRUPT_DESCRIPTOR_SHORT;
	else if (length < PACKET_DESCRIPTOR_BYTES)
		reason = RING_CORRUPT_LENGTH_SHORT;
	else if (length + PACKET_TRAILER_BYTES > available)
		reason = RING_CORRUPT_LENGTH_PAST_DATA;
	else if (offset < PACKET_DESCRIPTOR_BYTES)
		reason = RING_CORRUPT_OFFSET_SHORT;
	else if (offset > length)
		reason = RING_CORRUPT_OFFSET_PAST_LENGTH;
	else if (type > 0xFFFF)
		reason = RING_CORRUPT_FLAGS;
	else if (!is_extended && type != PACKET_TYPE_INBAND && type != PACKET_TYPE_COMPLETION)
		reason = RING_CORRUPT_TYPE;
	else if (is_extended && offset < PACKET_DESCRIPTOR_BYTES + PACKET_UNIT_BYTES)
		reason = RING_CORRUPT_EXTENDED_SHORT;

	if (reason == RING_OK)
		return gather(r, length);
	(void)reader_fail(r, reason);
	return NULL;
}

/* The released packet ends at or past the end of the data area. Returns the new index. */
const uint8_t *ring_reader_wrap(struct ring_reader *r, const uint8_t *packet_end)
{
	uint32_t available = reader_available(r) - (uint32_t)(packet_end - r->next);

	r->laps++;
	r->next = packet_end - r->size;
	reader_limit(r, available);
	return r->next;
}

/*
 * Publish out with a full barrier, then look whether a writer waits for just the
 * room that has been made since the last such look.
 *
 * Pending sizes that are not a multiple of 8 come from writers that ask for "size
 * - 1"; their low bits can be dropped because free space is a multiple of 8 and at
 * most size - 8 (R-RING-013). Sizes that can never be free never cause a signal
 * (R-RING-014).
 */
bool ring_reader_check_space(struct ring_reader *r)
{
	if (r->status != RING_OK)
		return false;
	ring_store_full(&r->control[RING_WORD_OUT], ring_reader_out(r), RING_SITE_READ_FLUSH);

	uint64_t position = ring_reader_position(r);
	uint64_t freed = position - r->checked;
	r->checked = position;

	uint32_t pending = ring_load(&r->control[RING_WORD_PENDING], RING_SITE_READ_PENDING);
	if (pending == 0)
		return false;
	uint32_t features = ring_load(&r->control[RING_WORD_FEATURES], RING_SITE_READ_FEATURES);
	if (!(features & RING_FEATURE_PENDING_SEND_SIZE))
		return false;

	/* loaded after the pending size, so that what the writer counted is counted */
	uint32_t in = ring_load(&r->control[RING_WORD_IN], RING_SITE_READ_PENDING_IN);
	if (reader_note_in(r, in) != RING_OK)
		return false;
	uint64_t free_after = r->size - reader_available(r) - RING_RESERVED_BYTES;
	uint64_t threshold = pending & ~(uint32_t)7;
	if (free_after < threshold || free_after >= threshold + freed)
		return false;
	r->signals++;
	return true;
}

bool ring_reader_arm(struct ring_reader *r)
{
	const bool was_masked = r->is_masked;

	if (r->status != RING_OK)
		return true;
	const uint32_t out = ring_reader_out(r);
	ring_store(&r->control[RING_WORD_OUT], out, RING_SITE_READ_PUBLISH);
	r->is_masked = false;
	ring_store_full(&r->control[RING_WORD_MASK], 0, RING_SITE_READ_ARM);

	uint32_t in = ring_load(&r->control[RING_WORD_IN], RING_SITE_READ_ARM_RECHECK);
	if (in == out) {
		r->waits++;
		return false;
	}
	(void)reader_note_in(r, in);
	if (was_masked)
		ring_reader_mask(r);
	return true;
}

struct ring_stats ring_writer_stats(const struct ring_writer *w)
{
	struct ring_stats stats = {
		.packets = w->packets,
		.bytes = w->laps * w->size + writer_in(w) - w->start,
		.signals = w->signals,
		.stalls = w->stalls,
		.waits = w->waits,
	};

	return stats;
}

struct ring_stats ring_reader_stats(const struct ring_reader *r)
{
	struct ring_stats stats = {
		.packets = r->packets,
		.bytes = ring_reader_position(r) - r->start,
		.signals = r->signals,
		.stalls = 0,
		.waits = r->waits,
	};

	return stats;
}
