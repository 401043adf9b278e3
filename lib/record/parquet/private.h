/* private.h - what the files of lib/record/parquet share
 *
 *     meta.c       the footer and the heads of pages, in Thrift's compact protocol
 *     schema.c     the tree of columns, and what each value is
 *     page.c       a column's pages, one after another, with their levels
 *     codec.c      what unpacks them
 *     encoding.c   values in a page
 *     value.c      a value as JSON
 *     rows.c       rows from columns
 *
 * Levels (Melnik et al. 2010, "Dremel", section 4): each entry of a column says by its definition level how far down its path
 * something is there, and by its repetition level which list it goes on with (0: a new row).
 */
#ifndef RECORD_PARQUET_PRIVATE_H
#define RECORD_PARQUET_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#define PQ_DEEPEST 64           /* fields inside one another */
#define PQ_BATCH 512            /* entries of a column that are decoded at once */
#define PQ_MOST_COLUMNS 16384

/* ---- the file ---- */

struct pq_input {
	int fd;
	const unsigned char *bytes;     /* NULL: they are read from fd */
	uint64_t n;
};

/* n bytes that lie within the file, in `room` or where they are; NULL and e if they cannot be read. */
const unsigned char *pq_bytes(const struct pq_input *in, uint64_t at, size_t n, struct buf *room, struct err *e);

uint32_t pq_le32(const unsigned char *p);
uint64_t pq_le64(const unsigned char *p);

/* ---- meta.c: numbers as they are in the file; -1 where there is none ---- */

enum pq_type { PQ_BOOLEAN, PQ_INT32, PQ_INT64, PQ_INT96, PQ_FLOAT, PQ_DOUBLE, PQ_BYTE_ARRAY, PQ_FIXED, PQ_TYPES };
enum { PQ_REQUIRED, PQ_OPTIONAL, PQ_REPEATED };
enum { PQ_UTF8, PQ_MAP, PQ_MAP_KEY_VALUE, PQ_LIST, PQ_ENUM, PQ_DECIMAL, PQ_DATE, PQ_TIME_MILLIS, PQ_TIME_MICROS, PQ_TIMESTAMP_MILLIS,
	PQ_TIMESTAMP_MICROS, PQ_UINT_8, PQ_UINT_16, PQ_UINT_32, PQ_UINT_64, PQ_INTERVAL = 21 };         /* converted types */
enum { PQ_LOGICAL_MAP = 2, PQ_LOGICAL_LIST, PQ_LOGICAL_DECIMAL = 5, PQ_LOGICAL_DATE, PQ_LOGICAL_TIME, PQ_LOGICAL_TIMESTAMP,
	PQ_LOGICAL_INTEGER = 10, PQ_LOGICAL_UNKNOWN, PQ_LOGICAL_UUID = 14, PQ_LOGICAL_FLOAT16 };
enum { PQ_PLAIN, PQ_PLAIN_DICTIONARY = 2, PQ_RLE, PQ_BIT_PACKED, PQ_DELTA_BINARY_PACKED, PQ_DELTA_LENGTH_BYTE_ARRAY,
	PQ_DELTA_BYTE_ARRAY, PQ_RLE_DICTIONARY, PQ_BYTE_STREAM_SPLIT };
enum { PQ_DATA_PAGE, PQ_INDEX_PAGE, PQ_DICTIONARY_PAGE, PQ_DATA_PAGE_V2 };

struct pq_element {             /* of the schema, which is a tree in depth-first order */
	const unsigned char *name;      /* in the footer */
	size_t name_len;
	int64_t type, length, repetition, children, converted, scale, precision;
	struct {
		int64_t kind, scale, precision, unit;   /* unit: 1 milli-, 2 micro-, 3 nanoseconds */
		bool utc, is_signed;
	} logical;
};

struct pq_chunk {               /* a column in a row group */
	int64_t type, codec, values, data, dictionary;  /* the last two: offsets of pages */
	bool there, encrypted, elsewhere;
};

struct pq_group {
	int64_t rows;
	struct pq_chunk *chunk;
	size_t n, cap;
};

struct pq_footer {
	struct buf room;
	uint64_t at;                    /* where it begins: pages lie before it */
	struct pq_element *element;
	size_t elements, elements_cap;
	struct pq_group *group;
	size_t groups, groups_cap;
};

int pq_footer_read(struct pq_footer *f, const struct pq_input *in, struct err *e);
void pq_footer_free(struct pq_footer *f);

struct pq_page_head {
	int64_t type, packed, unpacked, crc, values, encoding, def_encoding, rep_encoding;
	int64_t def_bytes, rep_bytes;   /* of version 2 */
	bool has_crc, is_packed;
};

/* The head that the n bytes begin with, and its length: 1; 0: it is longer than that; -1: it is none. */
int pq_page_head_read(struct pq_page_head *h, const unsigned char *p, size_t n, size_t *length);

/* ---- columns ---- */

struct pq_value {
	union {
		int64_t i;              /* BOOLEAN, INT32, INT64 */
		float f;
		double d;
		const unsigned char *p; /* all others; good until the next value is asked for */
	} as;
	uint32_t n;
};

struct pq_rle {                 /* runs of equal numbers, and numbers packed into bits */
	const unsigned char *p, *end;
	int bits;
	uint64_t left;                  /* numbers of the run that is under way */
	bool packed, msb;               /* msb: no runs at all, BIT_PACKED */
	uint64_t bit;                   /* packed: the next one, from p */
	const unsigned char *next;      /* packed: where the run ends */
	uint32_t value;
};

struct pq_delta {               /* DELTA_BINARY_PACKED */
	const unsigned char *p, *end;
	uint64_t left;                  /* numbers that were not given out yet */
	uint64_t per_mini, minis;
	uint64_t last, min;
	const unsigned char *width;     /* of the block's miniblocks */
	uint64_t mini, in_mini, bit;    /* the next miniblock; numbers left in the one before it; the next one's bit */
	bool first;
};

struct pq_column {
	char *name;                     /* the path, for messages */
	enum pq_type type;
	size_t size;                    /* of a value; 0: of any length */
	unsigned max_def, max_rep;
	/* what is left of the chunk */
	const struct pq_input *in;
	int64_t codec;
	uint64_t at, end;
	int64_t left;                   /* entries in pages to come */
	bool has_dictionary;
	struct buf packed, page, dictionary_page;
	struct pq_value *dictionary;
	size_t dictionary_n, dictionary_cap;
	/* what is left of the page */
	int64_t page_left;
	struct pq_rle def_rle, rep_rle;
	int64_t encoding;
	const unsigned char *p, *values_end;
	bool begun;                     /* what stands before the values was read */
	struct pq_rle index;            /* and booleans */
	struct pq_delta delta, prefix;
	size_t split, split_at;         /* BYTE_STREAM_SPLIT: values in the page, the next one */
	struct buf assembled;           /* a value whose bytes are not in one place */
	/* what is left of the batch */
	size_t level_at, levels, value_at, values;
	size_t due;                     /* values of the batch that are not decoded yet */
	uint32_t def[PQ_BATCH], rep[PQ_BATCH];
	struct pq_value value[PQ_BATCH];
};

/* page.c */
int pq_column_begin(struct pq_column *c, const struct pq_input *in, const struct pq_chunk *chunk, uint64_t end, struct err *e);
int pq_column_more(struct pq_column *c, struct err *e);         /* the next batch of levels: 1; 0: the chunk ends; -1 */
int pq_column_values(struct pq_column *c, struct err *e);       /* the next values of the batch (at least one of those due) */
void pq_column_free(struct pq_column *c);

/* codec.c: n bytes into exactly `most` of them, in `to` */
int pq_unpack(int64_t codec, const unsigned char *p, size_t n, unsigned char *to, size_t most, struct err *e);
int pq_unpack_check(int64_t codec, size_t n, size_t most, struct err *e);       /* before `to` is made: can it be? */

/* encoding.c; all return -1 where the bytes do not hold what was asked for */
void pq_rle_begin(struct pq_rle *r, const unsigned char *p, const unsigned char *end, int bits);
int pq_rle_get(struct pq_rle *r, uint32_t *to, size_t n);
int pq_values_begin(struct pq_column *c, const unsigned char *p, size_t n, struct err *e);
int pq_values_get(struct pq_column *c, size_t n, struct err *e);        /* 1..n of them into c->value: how many */
int pq_dictionary_read(struct pq_column *c, const unsigned char *p, size_t n, int64_t values, struct err *e);

/* ---- schema.c ---- */

enum pq_shape { PQ_VALUE, PQ_STRUCT, PQ_ARRAY, PQ_OBJECT, PQ_PAIRS };   /* the last two: maps */
enum pq_form { PQ_AS_BOOL, PQ_AS_INT, PQ_AS_UINT, PQ_AS_FLOAT, PQ_AS_DOUBLE, PQ_AS_STRING, PQ_AS_DECIMAL, PQ_AS_DATE, PQ_AS_TIME,
	PQ_AS_TIMESTAMP, PQ_AS_INT96, PQ_AS_FLOAT16, PQ_AS_UUID, PQ_AS_NULL };

struct pq_node {
	enum pq_shape shape;
	struct buf key;                 /* "name": */
	unsigned def;                   /* the definition level from which on it is there */
	unsigned item_def, item_rep;    /* of arrays and maps: the level from which on there is an item; that of an item behind another */
	size_t first, columns;          /* the columns in it */
	struct pq_node *child;          /* of an array: what an item is; of a map: key and value, if there is one */
	size_t n;
	/* of values */
	enum pq_form form;
	int scale;                      /* of decimals; of times the digits behind the seconds: 3, 6, 9 */
	bool utc;
};

struct pq_schema {
	struct pq_node root;
	struct pq_column **column;
	size_t columns, cap;
};

int pq_schema_make(struct pq_schema *s, const struct pq_footer *f, struct err *e);
void pq_schema_free(struct pq_schema *s);

/* value.c: 0, or -1 where it is none that the type can have */
int pq_value_put(struct buf *to, const struct pq_node *node, const struct pq_column *c, const struct pq_value *v);

#endif
