#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record/parquet/private.h"

#define NESTED 32               /* structs inside one another that are passed over */

const unsigned char *pq_bytes(const struct pq_input *in, uint64_t at, size_t n, struct buf *room, struct err *e)
{
	if (in->bytes)
		return in->bytes + at;
	buf_clear(room);
	buf_room(room, n);
	while (room->n < n) {
		ssize_t got = pread(in->fd, room->p + room->n, n - room->n, (off_t)(at + room->n));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			err_set(e, "%s", got < 0 ? strerror(errno) : "has become shorter while it was read");
			return NULL;
		}
		room->n += (size_t)got;
	}
	return (const unsigned char *)room->p;
}

uint32_t pq_le32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t pq_le64(const unsigned char *p)
{
	return (uint64_t)pq_le32(p) | (uint64_t)pq_le32(p + 4) << 32;
}

/* ---- Thrift's compact protocol: what fails says so, and is at its end ---- */

enum { T_TRUE = 1, T_FALSE, T_BYTE, T_I16, T_I32, T_I64, T_DOUBLE, T_BINARY, T_LIST, T_SET, T_MAP, T_STRUCT, T_UUID };

struct thrift {
	const unsigned char *p, *end;
	bool cut, bad;
};

struct field {
	int id, type;
};

static void fail(struct thrift *t)
{
	t->bad = true;
	t->p = t->end;
}

static unsigned byte(struct thrift *t)
{
	if (t->p < t->end)
		return *t->p++;
	t->cut = true;
	return 0;
}

static uint64_t varint(struct thrift *t)
{
	uint64_t v = 0;
	int shift;

	for (shift = 0; shift < 64; shift += 7) {
		unsigned c = byte(t);

		v |= (uint64_t)(c & 127) << shift;
		if (c < 128)
			return v;
	}
	fail(t);
	return 0;
}

static int64_t zigzag(struct thrift *t)
{
	uint64_t v = varint(t);

	return (int64_t)(v >> 1 ^ -(v & 1));
}

/* The next field of a struct, of which f is the one before ({0} at first); false at its end. */
static bool next(struct thrift *t, struct field *f)
{
	unsigned c = byte(t);

	if (t->cut || t->bad || !c)
		return false;
	f->type = c & 15;
	if (c >> 4)
		f->id += (int)(c >> 4);
	else
		f->id = (int16_t)zigzag(t);
	if (f->id > INT16_MAX || f->type > T_UUID)
		fail(t);
	return !t->cut && !t->bad;
}

static const unsigned char *binary(struct thrift *t, int type, size_t *length)
{
	const unsigned char *p;
	uint64_t n;

	*length = 0;
	if (type != T_BINARY) {
		fail(t);
		return t->end;
	}
	n = varint(t);
	if (n > (uint64_t)(t->end - t->p)) {
		t->cut = true;
		t->p = t->end;
		return t->end;
	}
	p = t->p;
	t->p += n;
	*length = (size_t)n;
	return p;
}

static int64_t whole(struct thrift *t, int type)
{
	if (type == T_BYTE)
		return (signed char)byte(t);
	if (type == T_I16 || type == T_I32 || type == T_I64)
		return zigzag(t);
	fail(t);
	return 0;
}

static bool yes(struct thrift *t, int type)
{
	if (type != T_TRUE && type != T_FALSE)
		fail(t);
	return type == T_TRUE;
}

/* How many things a list holds, and their type: a byte each, at least. */
static uint64_t list(struct thrift *t, int type, int *of)
{
	unsigned c = type == T_LIST || type == T_SET ? byte(t) : 0;
	uint64_t n = c >> 4;

	if (type != T_LIST && type != T_SET)
		fail(t);
	*of = c & 15;
	if (n == 15)
		n = varint(t);
	if (n > (uint64_t)(t->end - t->p)) {
		t->cut = true;
		t->p = t->end;
		n = 0;
	}
	return n;
}

static void skip(struct thrift *t, int type, int depth);

static void skip_many(struct thrift *t, int type, int of, int depth)
{
	uint64_t n = list(t, type, &of);

	for (; n && !t->cut && !t->bad; n--)
		if (of == T_TRUE || of == T_FALSE)
			byte(t);        /* in a list, a bool is a byte */
		else
			skip(t, of, depth + 1);
}

static void skip_map(struct thrift *t, int depth)
{
	uint64_t n = varint(t);
	unsigned types = n ? byte(t) : 0;

	if (n > (uint64_t)(t->end - t->p))
		fail(t);
	for (; n && !t->cut && !t->bad; n--) {
		skip(t, types >> 4, depth + 1);
		skip(t, types & 15, depth + 1);
	}
}

static void skip(struct thrift *t, int type, int depth)
{
	struct field f = {0};
	size_t n;

	if (depth > NESTED) {
		fail(t);
		return;
	}
	switch (type) {
	case T_TRUE: case T_FALSE: break;
	case T_BYTE: byte(t); break;
	case T_I16: case T_I32: case T_I64: varint(t); break;
	case T_BINARY: binary(t, type, &n); break;
	case T_LIST: case T_SET: skip_many(t, type, 0, depth); break;
	case T_MAP: skip_map(t, depth); break;
	case T_STRUCT:
		while (next(t, &f))
			skip(t, f.type, depth + 1);
		break;
	case T_DOUBLE: case T_UUID:
		n = type == T_DOUBLE ? 8 : 16;
		if ((size_t)(t->end - t->p) < n) {
			t->cut = true;
			n = (size_t)(t->end - t->p);
		}
		t->p += n;
		break;
	default: fail(t);
	}
}

static void enter(struct thrift *t, int type)
{
	if (type != T_STRUCT)
		fail(t);
}

/* How many structs a list holds. */
static uint64_t structs(struct thrift *t, int type)
{
	int of;
	uint64_t n = list(t, type, &of);

	if (n)
		enter(t, of);
	return n;
}

/* ---- the footer ---- */

static void read_logical_type(struct thrift *t, struct pq_element *s)
{
	struct field f = {0}, u = {0};

	while (next(t, &f)) {
		if ((s->logical.kind == PQ_LOGICAL_DECIMAL && f.id == 1) || (s->logical.kind == PQ_LOGICAL_INTEGER && f.id == 1))
			s->logical.scale = whole(t, f.type);
		else if (s->logical.kind == PQ_LOGICAL_DECIMAL && f.id == 2)
			s->logical.precision = whole(t, f.type);
		else if (s->logical.kind == PQ_LOGICAL_INTEGER && f.id == 2)
			s->logical.is_signed = yes(t, f.type);
		else if ((s->logical.kind == PQ_LOGICAL_TIME || s->logical.kind == PQ_LOGICAL_TIMESTAMP) && f.id == 1)
			s->logical.utc = yes(t, f.type);
		else if ((s->logical.kind == PQ_LOGICAL_TIME || s->logical.kind == PQ_LOGICAL_TIMESTAMP) && f.id == 2)
			for (enter(t, f.type), u.id = 0; next(t, &u); skip(t, u.type, 1))
				s->logical.unit = u.id;
		else
			skip(t, f.type, 1);
	}
}

static void read_element(struct thrift *t, struct pq_element *s)
{
	struct field f = {0}, u = {0};

	*s = (struct pq_element){.type = -1, .repetition = -1, .converted = -1, .name = (const unsigned char *)"", .logical = {.kind = -1, .is_signed = true}};
	while (next(t, &f))
		switch (f.id) {
		case 1: s->type = whole(t, f.type); break;
		case 2: s->length = whole(t, f.type); break;
		case 3: s->repetition = whole(t, f.type); break;
		case 4: s->name = binary(t, f.type, &s->name_len); break;
		case 5: s->children = whole(t, f.type); break;
		case 6: s->converted = whole(t, f.type); break;
		case 7: s->scale = whole(t, f.type); break;
		case 8: s->precision = whole(t, f.type); break;
		case 10:
			for (enter(t, f.type), u.id = 0; next(t, &u); ) {
				s->logical.kind = u.id;
				enter(t, u.type);
				read_logical_type(t, s);
			}
			break;
		default: skip(t, f.type, 0);
		}
}

static void read_column_meta(struct thrift *t, struct pq_chunk *c)
{
	struct field f = {0};

	c->there = true;
	while (next(t, &f))
		switch (f.id) {
		case 1: c->type = whole(t, f.type); break;
		case 4: c->codec = whole(t, f.type); break;
		case 5: c->values = whole(t, f.type); break;
		case 9: c->data = whole(t, f.type); break;
		case 11: c->dictionary = whole(t, f.type); break;
		default: skip(t, f.type, 0);
		}
}

static void read_chunk(struct thrift *t, struct pq_chunk *c)
{
	struct field f = {0};
	size_t n;

	*c = (struct pq_chunk){.type = -1, .codec = -1, .values = -1, .data = -1, .dictionary = -1};
	while (next(t, &f))
		switch (f.id) {
		case 1:
			binary(t, f.type, &n);
			c->elsewhere = true;
			break;
		case 3:
			enter(t, f.type);
			read_column_meta(t, c);
			break;
		case 8:
			c->encrypted = true;
			skip(t, f.type, 0);
			break;
		default: skip(t, f.type, 0);
		}
}

static void read_group(struct thrift *t, struct pq_group *g)
{
	struct field f = {0};
	uint64_t n;

	*g = (struct pq_group){.rows = -1};
	while (next(t, &f))
		switch (f.id) {
		case 1:
			for (n = structs(t, f.type); n && !t->cut && !t->bad; n--) {
				g->chunk = xgrow(g->chunk, &g->cap, g->n + 1, sizeof *g->chunk);
				read_chunk(t, &g->chunk[g->n++]);
			}
			break;
		case 3: g->rows = whole(t, f.type); break;
		default: skip(t, f.type, 0);
		}
}

static void read_file_meta(struct thrift *t, struct pq_footer *m)
{
	struct field f = {0};
	uint64_t n;

	while (next(t, &f))
		switch (f.id) {
		case 2:
			for (n = structs(t, f.type); n && !t->cut && !t->bad; n--) {
				m->element = xgrow(m->element, &m->elements_cap, m->elements + 1, sizeof *m->element);
				read_element(t, &m->element[m->elements++]);
			}
			break;
		case 4:
			for (n = structs(t, f.type); n && !t->cut && !t->bad; n--) {
				m->group = xgrow(m->group, &m->groups_cap, m->groups + 1, sizeof *m->group);
				read_group(t, &m->group[m->groups++]);
			}
			break;
		default: skip(t, f.type, 0);
		}
}

int pq_footer_read(struct pq_footer *f, const struct pq_input *in, struct err *e)
{
	const unsigned char *p;
	struct thrift t = {0};
	uint64_t length;
	bool encrypted;

	if (in->n < 12)
		return err_set(e, "the Parquet file is cut off");
	if (!(p = pq_bytes(in, 0, 4, &f->room, e)))
		return -1;
	encrypted = !memcmp(p, "PARE", 4);
	if (!(p = pq_bytes(in, in->n - 8, 8, &f->room, e)))
		return -1;
	if (encrypted || !memcmp(p + 4, "PARE", 4))
		return err_set(e, "the Parquet file is encrypted");
	if (memcmp(p + 4, "PAR1", 4) != 0)
		return err_set(e, "begins as a Parquet file does, but does not end like one: it is cut off or damaged");
	length = pq_le32(p);
	if (length > in->n - 12)
		return err_set(e, "the Parquet file is cut off or damaged: its footer would be longer than it is");
	f->at = in->n - 8 - length;
	if (!(p = pq_bytes(in, f->at, (size_t)length, &f->room, e)))
		return -1;
	t.p = p;
	t.end = p + length;
	read_file_meta(&t, f);
	if (t.cut || t.bad)
		return err_set(e, "the Parquet file's footer is damaged");
	return 0;
}

void pq_footer_free(struct pq_footer *f)
{
	size_t i;

	for (i = 0; i < f->groups; i++)
		free(f->group[i].chunk);
	free(f->group);
	free(f->element);
	buf_free(&f->room);
}

/* ---- heads of pages ---- */

static void read_page(struct thrift *t, struct pq_page_head *h, int id)
{
	struct field f = {0};
	bool v2 = id == 8;

	while (next(t, &f))
		if (f.id == 1)
			h->values = whole(t, f.type);
		else if (f.id == (v2 ? 4 : 2))
			h->encoding = whole(t, f.type);
		else if (id == 5 && f.id == 3)
			h->def_encoding = whole(t, f.type);
		else if (id == 5 && f.id == 4)
			h->rep_encoding = whole(t, f.type);
		else if (v2 && f.id == 5)
			h->def_bytes = whole(t, f.type);
		else if (v2 && f.id == 6)
			h->rep_bytes = whole(t, f.type);
		else if (v2 && f.id == 7)
			h->is_packed = yes(t, f.type);
		else
			skip(t, f.type, 1);
}

int pq_page_head_read(struct pq_page_head *h, const unsigned char *p, size_t n, size_t *length)
{
	static const int head_of[] = {[PQ_DATA_PAGE] = 5, [PQ_DICTIONARY_PAGE] = 7, [PQ_DATA_PAGE_V2] = 8};
	struct thrift t = {p, p + n, false, false};
	struct field f = {0};
	int seen = 0;

	*h = (struct pq_page_head){.type = -1, .packed = -1, .unpacked = -1, .values = -1, .encoding = -1, .def_encoding = -1,
				   .rep_encoding = -1, .def_bytes = -1, .rep_bytes = -1, .is_packed = true};
	while (next(&t, &f))
		switch (f.id) {
		case 1: h->type = whole(&t, f.type); break;
		case 2: h->unpacked = whole(&t, f.type); break;
		case 3: h->packed = whole(&t, f.type); break;
		case 4:
			h->crc = whole(&t, f.type);
			h->has_crc = true;
			break;
		case 5: case 7: case 8:
			enter(&t, f.type);
			read_page(&t, h, f.id);
			seen = f.id;
			break;
		default: skip(&t, f.type, 0);
		}
	*length = (size_t)(t.p - p);
	if (t.bad)
		return -1;
	if (t.cut)
		return 0;
	if (h->packed < 0 || h->packed > INT32_MAX || h->unpacked < 0 || h->unpacked > INT32_MAX || h->type < 0)
		return -1;
	if (h->type > PQ_DATA_PAGE_V2 || h->type == PQ_INDEX_PAGE)
		return 1;
	return seen == head_of[h->type] && h->values >= 0 && h->values <= INT32_MAX ? 1 : -1;
}
