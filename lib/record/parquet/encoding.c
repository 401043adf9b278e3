#include <string.h>

#include "record/parquet/private.h"

/* The number of `bits` (at most 64) bits that begins at bit `at` of p; what lies behind the end is 0. */
static uint64_t bits_at(const unsigned char *p, const unsigned char *end, uint64_t at, int bits)
{
	const unsigned char *q = p + (at >> 3);
	int shift = (int)(at & 7);
	unsigned char room[9] = {0};
	uint64_t v;

	if (!bits)
		return 0;
	if (end - q < 9) {
		memcpy(room, q, (size_t)(end - q));
		q = room;
	}
	v = pq_le64(q) >> shift;
	if (bits + shift > 64)
		v |= (uint64_t)q[8] << (64 - shift);
	return bits == 64 ? v : v & (((uint64_t)1 << bits) - 1);
}

/* A number in 7 bits a byte, at most 64 in all: -1 where it does not end. */
static int varint(const unsigned char **p, const unsigned char *end, uint64_t *v)
{
	int shift;

	*v = 0;
	for (shift = 0; shift < 64 && *p < end; shift += 7) {
		unsigned c = *(*p)++;

		*v |= (uint64_t)(c & 127) << shift;
		if (c < 128)
			return 0;
	}
	return -1;
}

static int zigzag(const unsigned char **p, const unsigned char *end, uint64_t *v)
{
	int rc = varint(p, end, v);

	*v = *v >> 1 ^ -(*v & 1);
	return rc;
}

/* ---- RLE and BIT_PACKED ---- */

void pq_rle_begin(struct pq_rle *r, const unsigned char *p, const unsigned char *end, int bits)
{
	*r = (struct pq_rle){.p = p, .end = end, .bits = bits};
}

static int next_run(struct pq_rle *r)
{
	uint64_t head, bytes = (uint64_t)(r->bits + 7) / 8, i;

	if (r->packed)
		r->p = r->next;
	r->packed = false;
	if (varint(&r->p, r->end, &head) < 0 || head >> 32)
		return -1;
	if (head & 1) {
		uint64_t n = (head >> 1) * (uint64_t)r->bits;

		r->packed = true;
		r->bit = 0;
		r->left = (head >> 1) * 8;
		r->next = n < (uint64_t)(r->end - r->p) ? r->p + n : r->end;    /* the last one's padding may be missing */
		return 0;
	}
	r->left = head >> 1;
	if (bytes > (uint64_t)(r->end - r->p))
		return -1;
	for (r->value = 0, i = 0; i < bytes; i++)
		r->value |= (uint32_t)*r->p++ << 8 * i;
	return 0;
}

/* Most significant bits first, without runs */
static int get_msb(struct pq_rle *r, uint32_t *to, size_t n)
{
	int k;

	if ((uint64_t)n * (uint64_t)r->bits > (uint64_t)(r->end - r->p) * 8 - r->bit)
		return -1;
	for (; n; n--, to++)
		for (*to = 0, k = 0; k < r->bits; k++, r->bit++)
			*to = *to << 1 | (r->p[r->bit >> 3] >> (7 - (r->bit & 7)) & 1);
	return 0;
}

int pq_rle_get(struct pq_rle *r, uint32_t *to, size_t n)
{
	size_t k, i;

	if (r->msb)
		return get_msb(r, to, n);
	for (; n; n -= k, to += k) {
		while (!r->left)
			if (next_run(r) < 0)
				return -1;
		k = r->left < n ? (size_t)r->left : n;
		if (!r->packed) {
			for (i = 0; i < k; i++)
				to[i] = r->value;
		} else {
			if (r->bit + (uint64_t)k * (uint64_t)r->bits > (uint64_t)(r->next - r->p) * 8)
				return -1;
			for (i = 0; i < k; i++, r->bit += (uint64_t)r->bits)
				to[i] = (uint32_t)bits_at(r->p, r->end, r->bit, r->bits);
		}
		r->left -= k;
	}
	return 0;
}

/* ---- DELTA_BINARY_PACKED ---- */

static int delta_begin(struct pq_delta *d, const unsigned char *p, const unsigned char *end)
{
	uint64_t block;

	*d = (struct pq_delta){.p = p, .end = end, .first = true};
	if (varint(&d->p, end, &block) < 0 || varint(&d->p, end, &d->minis) < 0 || varint(&d->p, end, &d->left) < 0 ||
	    zigzag(&d->p, end, &d->last) < 0)
		return -1;
	if (!d->minis || !block || block > 1 << 24 || block % d->minis || block / d->minis % 8)
		return -1;
	d->per_mini = block / d->minis;
	d->mini = d->minis;
	return 0;
}

/* Makes the next miniblock the one that is read from. */
static int delta_mini(struct pq_delta *d)
{
	if (d->mini == d->minis) {
		if (zigzag(&d->p, d->end, &d->min) < 0 || d->minis > (uint64_t)(d->end - d->p))
			return -1;
		d->width = d->p;
		d->p += d->minis;
		d->mini = 0;
	}
	if (d->width[d->mini] > 64)
		return -1;
	d->in_mini = d->per_mini;
	d->bit = 0;
	return 0;
}

static void delta_mini_end(struct pq_delta *d)
{
	uint64_t bytes = d->per_mini / 8 * d->width[d->mini++];

	d->p += bytes < (uint64_t)(d->end - d->p) ? bytes : (uint64_t)(d->end - d->p);
}

static int delta_get(struct pq_delta *d, int64_t *v)
{
	int bits;

	if (!d->left)
		return -1;
	d->left--;
	if (d->first) {
		d->first = false;
		*v = (int64_t)d->last;
		return 0;
	}
	if (!d->in_mini && delta_mini(d) < 0)
		return -1;
	bits = d->width[d->mini];
	if (d->bit + (uint64_t)bits > (uint64_t)(d->end - d->p) * 8)
		return -1;
	d->last += d->min + bits_at(d->p, d->end, d->bit, bits);
	d->bit += (uint64_t)bits;
	if (!--d->in_mini)
		delta_mini_end(d);
	*v = (int64_t)d->last;
	return 0;
}

/* Where the numbers end, of which none was taken yet; NULL */
static const unsigned char *delta_end(struct pq_delta d)
{
	if (d.left)
		d.left--;
	while (d.left) {
		if (delta_mini(&d) < 0)
			return NULL;
		d.left -= d.left < d.per_mini ? d.left : d.per_mini;
		delta_mini_end(&d);
	}
	return d.p;
}

/* ---- values ---- */

static int plain(struct pq_column *c, const unsigned char **p, const unsigned char *end, struct pq_value *v)
{
	size_t size = c->size, left = (size_t)(end - *p);
	uint32_t word;
	uint64_t two;

	if (!size) {
		if (left < 4)
			return -1;
		size = pq_le32(*p);
		*p += 4;
		left -= 4;
	}
	if (size > left)
		return -1;
	switch (c->type) {
	case PQ_INT32: v->as.i = (int32_t)pq_le32(*p); break;
	case PQ_INT64: v->as.i = (int64_t)pq_le64(*p); break;
	case PQ_FLOAT:
		word = pq_le32(*p);
		memcpy(&v->as.f, &word, 4);
		break;
	case PQ_DOUBLE:
		two = pq_le64(*p);
		memcpy(&v->as.d, &two, 8);
		break;
	default: v->as.p = *p;
	}
	v->n = (uint32_t)size;
	*p += size;
	return 0;
}

static int begin_lengths(struct pq_column *c)
{
	if (delta_begin(&c->delta, c->p, c->values_end) < 0 || !(c->p = delta_end(c->delta)))
		return -1;
	return 0;
}

/* What the bytes of an encoding begin with: -1 where it is not there or the type cannot have the encoding. */
static int begin(struct pq_column *c)
{
	bool is_bytes = c->type == PQ_BYTE_ARRAY || c->type == PQ_FIXED;
	uint32_t n;

	switch (c->encoding) {
	case PQ_PLAIN:
		pq_rle_begin(&c->index, c->p, c->values_end, 1);
		c->index.packed = true;
		c->index.next = c->values_end;
		c->index.left = UINT64_MAX;
		return 0;
	case PQ_PLAIN_DICTIONARY: case PQ_RLE_DICTIONARY:
		if (c->p == c->values_end || *c->p > 32)
			return -1;
		pq_rle_begin(&c->index, c->p + 1, c->values_end, *c->p);
		return 0;
	case PQ_RLE:
		if (c->type != PQ_BOOLEAN || c->values_end - c->p < 4 || (n = pq_le32(c->p)) > (size_t)(c->values_end - c->p) - 4)
			return -1;
		pq_rle_begin(&c->index, c->p + 4, c->p + 4 + n, 1);
		return 0;
	case PQ_DELTA_BINARY_PACKED:
		return c->type == PQ_INT32 || c->type == PQ_INT64 ? delta_begin(&c->delta, c->p, c->values_end) : -1;
	case PQ_DELTA_LENGTH_BYTE_ARRAY:
		return c->type == PQ_BYTE_ARRAY ? begin_lengths(c) : -1;
	case PQ_DELTA_BYTE_ARRAY:
		buf_clear(&c->assembled);
		if (!is_bytes || begin_lengths(c) < 0)
			return -1;
		c->prefix = c->delta;
		return begin_lengths(c);
	case PQ_BYTE_STREAM_SPLIT:
		if (c->type == PQ_BOOLEAN || c->type == PQ_INT96 || !c->size || (size_t)(c->values_end - c->p) % c->size)
			return -1;
		c->split = (size_t)(c->values_end - c->p) / c->size;
		c->split_at = 0;
		return 0;
	}
	return -1;
}

int pq_values_begin(struct pq_column *c, const unsigned char *p, size_t n, struct err *e)
{
	bool dictionary = c->encoding == PQ_PLAIN_DICTIONARY || c->encoding == PQ_RLE_DICTIONARY;

	c->p = p;
	c->values_end = p + n;
	c->begun = false;
	if (c->encoding < 0 || c->encoding == 1 || c->encoding == PQ_BIT_PACKED || c->encoding > PQ_BYTE_STREAM_SPLIT)
		return err_set(e, "encoding %lld is not known", (long long)c->encoding);
	if (dictionary && !c->has_dictionary)
		return err_set(e, "its dictionary is missing");
	return 0;
}

static int get_indices(struct pq_column *c, size_t n)
{
	uint32_t index[PQ_BATCH];
	size_t i;

	if (pq_rle_get(&c->index, index, n) < 0)
		return -1;
	for (i = 0; i < n; i++) {
		if (index[i] >= c->dictionary_n)
			return -1;
		c->value[i] = c->dictionary[index[i]];
	}
	return (int)n;
}

static int get_bools(struct pq_column *c, size_t n)
{
	uint32_t bit[PQ_BATCH];
	size_t i;

	if (pq_rle_get(&c->index, bit, n) < 0)
		return -1;
	for (i = 0; i < n; i++)
		c->value[i].as.i = bit[i];
	return (int)n;
}

static int get_delta(struct pq_column *c, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (delta_get(&c->delta, &c->value[i].as.i) < 0)
			return -1;
		if (c->type == PQ_INT32)
			c->value[i].as.i = (int32_t)c->value[i].as.i;
	}
	return (int)n;
}

/* The length that comes next, and its bytes, which lie at c->p */
static int next_length(struct pq_column *c, uint32_t *n)
{
	int64_t length;

	if (delta_get(&c->delta, &length) < 0 || length < 0 || length > c->values_end - c->p)
		return -1;
	*n = (uint32_t)length;
	return 0;
}

static int get_lengths(struct pq_column *c, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (next_length(c, &c->value[i].n) < 0)
			return -1;
		c->value[i].as.p = c->p;
		c->p += c->value[i].n;
	}
	return (int)n;
}

/* One at a time, since each is made of the one before it */
static int get_prefixed(struct pq_column *c)
{
	int64_t kept;
	uint32_t n;

	if (delta_get(&c->prefix, &kept) < 0 || kept < 0 || (uint64_t)kept > c->assembled.n || next_length(c, &n) < 0)
		return -1;
	if ((uint64_t)kept + n > INT32_MAX || (c->size && (uint64_t)kept + n != c->size))
		return -1;
	c->assembled.n = (size_t)kept;
	buf_add(&c->assembled, c->p, n);
	c->p += n;
	c->value[0].as.p = (const unsigned char *)c->assembled.p;
	c->value[0].n = (uint32_t)c->assembled.n;
	return 1;
}

static int get_split(struct pq_column *c, size_t n)
{
	unsigned char room[8];
	size_t i, k;

	if (c->type == PQ_FIXED)
		n = 1;
	if (n > c->split - c->split_at)
		return -1;
	buf_clear(&c->assembled);
	for (i = 0; i < n; i++, c->split_at++) {
		unsigned char *to = c->type == PQ_FIXED ? (unsigned char *)buf_room(&c->assembled, c->size) : room;
		const unsigned char *p = to;

		for (k = 0; k < c->size; k++)
			to[k] = c->p[k * c->split + c->split_at];
		plain(c, &p, p + c->size, &c->value[i]);
	}
	return (int)n;
}

static int get_plain(struct pq_column *c, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (plain(c, &c->p, c->values_end, &c->value[i]) < 0)
			return -1;
	return (int)n;
}

int pq_values_get(struct pq_column *c, size_t n, struct err *e)
{
	int rc = -1;

	/* where all are null, there may be no bytes at all */
	if (!c->begun && begin(c) < 0)
		return err_set(e, "a page's values are damaged, or of encoding %lld, which a column of its type cannot have", (long long)c->encoding);
	c->begun = true;
	switch (c->encoding) {
	case PQ_PLAIN: rc = c->type == PQ_BOOLEAN ? get_bools(c, n) : get_plain(c, n); break;
	case PQ_PLAIN_DICTIONARY: case PQ_RLE_DICTIONARY: rc = get_indices(c, n); break;
	case PQ_RLE: rc = get_bools(c, n); break;
	case PQ_DELTA_BINARY_PACKED: rc = get_delta(c, n); break;
	case PQ_DELTA_LENGTH_BYTE_ARRAY: rc = get_lengths(c, n); break;
	case PQ_DELTA_BYTE_ARRAY: rc = get_prefixed(c); break;
	case PQ_BYTE_STREAM_SPLIT: rc = get_split(c, n); break;
	}
	return rc < 0 ? err_set(e, "a page's values are cut off or damaged") : rc;
}

int pq_dictionary_read(struct pq_column *c, const unsigned char *p, size_t n, int64_t values, struct err *e)
{
	const unsigned char *end = p + n;
	int64_t i;

	if (c->type == PQ_BOOLEAN)
		return err_set(e, "has a dictionary of booleans");
	if (values > (int64_t)(n / (c->size ? c->size : 4)))
		return err_set(e, "its dictionary is cut off");
	c->dictionary = xgrow(c->dictionary, &c->dictionary_cap, (size_t)values, sizeof *c->dictionary);
	c->dictionary_n = (size_t)values;
	for (i = 0; i < values; i++)
		if (plain(c, &p, end, &c->dictionary[i]) < 0)
			return err_set(e, "its dictionary is cut off");
	return 0;
}
