#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "record/parquet/private.h"

#define HEAD ((size_t)1 << 10)          /* most heads are shorter than that */
#define LONGEST_HEAD ((size_t)64 << 20) /* with the smallest and the largest value in it */

int pq_column_begin(struct pq_column *c, const struct pq_input *in, const struct pq_chunk *chunk, uint64_t end, struct err *e)
{
	int64_t at = chunk->dictionary > 0 && chunk->dictionary < chunk->data ? chunk->dictionary : chunk->data;

	if (chunk->encrypted)
		return err_set(e, "is encrypted");
	if (chunk->elsewhere)
		return err_set(e, "is in a file of its own, which is not read");
	if (!chunk->there || chunk->type != (int64_t)c->type || at < 4 || (uint64_t)at > end || chunk->values < 0)
		return err_set(e, "what the footer says of it is damaged");
	c->in = in;
	c->codec = chunk->codec;
	c->at = (uint64_t)at;
	c->end = end;
	c->left = chunk->values;
	c->has_dictionary = false;
	c->page_left = 0;
	c->level_at = c->levels = c->value_at = c->values = c->due = 0;
	return 0;
}

void pq_column_free(struct pq_column *c)
{
	if (!c)
		return;
	buf_free(&c->packed);
	buf_free(&c->page);
	buf_free(&c->dictionary_page);
	buf_free(&c->assembled);
	free(c->dictionary);
	free(c->name);
	free(c);
}

/* The head at c->at, which then is behind it */
static int read_head(struct pq_column *c, struct pq_page_head *h, struct err *e)
{
	uint64_t left = c->end - c->at;
	size_t n = HEAD, length = 0;
	int rc;

	for (;; n *= 8) {
		const unsigned char *p;

		n = n < left ? n : (size_t)left;
		if (!(p = pq_bytes(c->in, c->at, n, &c->packed, e)))
			return -1;
		if ((rc = pq_page_head_read(h, p, n, &length)) != 0)
			break;
		if (n == left || n >= LONGEST_HEAD)
			return err_set(e, "the head of a page is cut off");
	}
	c->at += length;
	if (rc < 0)
		return err_set(e, "the head of a page is damaged");
	if ((uint64_t)h->packed > c->end - c->at)
		return err_set(e, "a page is cut off");
	return 0;
}

/* n packed bytes as they are or unpacked, in `room` where they are not: NULL and e */
static const unsigned char *unpacked(struct pq_column *c, const unsigned char *p, size_t n, size_t most, bool is_packed,
				     struct buf *room, struct err *e)
{
	int64_t codec = is_packed ? c->codec : 0;

	if (pq_unpack_check(codec, n, most, e) < 0)
		return NULL;
	if (!most || (codec == 0 && n == most && (c->in->bytes || room != &c->dictionary_page)))
		return p;
	buf_clear(room);
	return pq_unpack(codec, p, n, (unsigned char *)buf_room(room, most), most, e) < 0 ? NULL : (unsigned char *)room->p;
}

static int bits_of(unsigned most)
{
	int bits = 0;

	for (; most; most >>= 1)
		bits++;
	return bits;
}

/* Levels of a page of version 1: behind their length, or bits without one */
static int begin_levels(struct pq_rle *r, unsigned most, int64_t encoding, int64_t values, const unsigned char **p, size_t *n)
{
	uint64_t bytes;
	int bits = bits_of(most);
	size_t head = 4;

	if (!most)
		return 0;
	if (encoding == PQ_BIT_PACKED) {
		head = 0;
		bytes = ((uint64_t)values * (uint64_t)bits + 7) / 8;
	} else if (encoding == PQ_RLE && *n >= 4) {
		bytes = pq_le32(*p);
	} else {
		return -1;
	}
	if (bytes > *n - head)
		return -1;
	pq_rle_begin(r, *p + head, *p + head + bytes, bits);
	r->msb = encoding == PQ_BIT_PACKED;
	*p += head + bytes;
	*n -= head + bytes;
	return 0;
}

static int begin_page(struct pq_column *c, const struct pq_page_head *h, const unsigned char *p, struct err *e)
{
	size_t n = (size_t)h->unpacked;

	if (!(p = unpacked(c, p, (size_t)h->packed, n, true, &c->page, e)))
		return -1;
	if (begin_levels(&c->rep_rle, c->max_rep, h->rep_encoding, h->values, &p, &n) < 0 ||
	    begin_levels(&c->def_rle, c->max_def, h->def_encoding, h->values, &p, &n) < 0)
		return err_set(e, "a page's levels are cut off or damaged");
	return pq_values_begin(c, p, n, e);
}

/* Levels in front of what is packed, and their lengths in the head */
static int begin_page_v2(struct pq_column *c, const struct pq_page_head *h, const unsigned char *p, struct err *e)
{
	size_t levels, n;

	if (h->rep_bytes < 0 || h->def_bytes < 0 || h->rep_bytes > h->packed || h->def_bytes > h->packed - h->rep_bytes ||
	    h->rep_bytes + h->def_bytes > h->unpacked)
		return err_set(e, "a page's levels are cut off or damaged");
	levels = (size_t)(h->rep_bytes + h->def_bytes);
	n = (size_t)h->unpacked - levels;
	pq_rle_begin(&c->rep_rle, p, p + h->rep_bytes, bits_of(c->max_rep));
	pq_rle_begin(&c->def_rle, p + h->rep_bytes, p + levels, bits_of(c->max_def));
	p += levels;
	if (n && !(p = unpacked(c, p, (size_t)h->packed - levels, n, h->is_packed, &c->page, e)))
		return -1;
	return pq_values_begin(c, p, n, e);
}

static int read_dictionary(struct pq_column *c, const struct pq_page_head *h, const unsigned char *p, struct err *e)
{
	if (c->has_dictionary)
		return err_set(e, "has two dictionaries");
	if (h->encoding != PQ_PLAIN && h->encoding != PQ_PLAIN_DICTIONARY)
		return err_set(e, "its dictionary has encoding %lld, which is not known", (long long)h->encoding);
	if (!(p = unpacked(c, p, (size_t)h->packed, (size_t)h->unpacked, true, &c->dictionary_page, e)))
		return -1;
	c->has_dictionary = true;
	return pq_dictionary_read(c, p, (size_t)h->unpacked, h->values, e);
}

/* The next page with entries in it: 1; 0: there is none */
static int next_page(struct pq_column *c, struct err *e)
{
	struct pq_page_head h;

	while (!c->page_left && c->left) {
		const unsigned char *p;
		int rc = 0;

		if (read_head(c, &h, e) < 0 || !(p = pq_bytes(c->in, c->at, (size_t)h.packed, &c->packed, e)))
			return -1;
		c->at += (uint64_t)h.packed;
		if (h.has_crc && (uint32_t)h.crc != (uint32_t)crc32(crc32(0, NULL, 0), p, (uInt)h.packed))
			return err_set(e, "a page is damaged: its sum does not fit");
		if (h.type == PQ_DICTIONARY_PAGE)
			rc = read_dictionary(c, &h, p, e);
		if (h.type == PQ_DATA_PAGE || h.type == PQ_DATA_PAGE_V2) {
			if (h.values > c->left)
				return err_set(e, "its pages hold more than the footer says");
			c->left -= h.values;
			c->page_left = h.values;
			c->encoding = h.encoding;
			rc = h.type == PQ_DATA_PAGE ? begin_page(c, &h, p, e) : begin_page_v2(c, &h, p, e);
		}
		if (rc < 0)
			return -1;
	}
	return c->page_left > 0;
}

int pq_column_more(struct pq_column *c, struct err *e)
{
	int rc = next_page(c, e);
	size_t n, i;

	if (rc <= 0)
		return rc;
	n = c->page_left < PQ_BATCH ? (size_t)c->page_left : PQ_BATCH;
	if ((c->max_rep && pq_rle_get(&c->rep_rle, c->rep, n) < 0) || (c->max_def && pq_rle_get(&c->def_rle, c->def, n) < 0))
		return err_set(e, "a page's levels are cut off or damaged");
	c->page_left -= (int64_t)n;
	c->level_at = 0;
	c->levels = c->due = n;
	if (c->max_def)
		for (c->due = 0, i = 0; i < n; i++) {
			if (c->def[i] > c->max_def)
				return err_set(e, "a page's levels are damaged");
			c->due += c->def[i] == c->max_def;
		}
	c->value_at = c->values = 0;
	return 1;
}

int pq_column_values(struct pq_column *c, struct err *e)
{
	int n = pq_values_get(c, c->due, e);

	if (n < 0)
		return -1;
	c->due -= (size_t)n;
	c->value_at = 0;
	c->values = (size_t)n;
	return 0;
}
