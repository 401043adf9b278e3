/* parquet.h - private to lib/record: the rows of an Apache Parquet file as lines of JSON
 *
 *     struct parquet *q = parquet_open(fd, NULL, size, PARQUET_LONGEST, &e);
 *     const char *text;
 *     ssize_t n = q ? 0 : -1;
 *     while (q && (n = parquet_read(q, &text, &e)) > 0)
 *             fwrite(text, 1, (size_t)n, stdout);              // whole lines
 *     parquet_close(q);
 *
 * A row is an object with the columns in the schema's order: a struct is an object, a list an array, a map an object if its keys
 * are strings (else an array of objects with `key` and `value`), null is null. Dates and times are strings as ISO 8601 has them,
 * decimals numbers with all their digits, other bytes strings (emit_string).
 *
 * Each column is read a page at a time: what is in memory is a page and a dictionary per column, as packed and as unpacked.
 * Nothing that the file says is believed before it is compared with the bytes that are there.
 *
 * Format: https://parquet.apache.org/docs/file-format/. Not read: encrypted columns, the codecs LZO, BROTLI and (Hadoop's) LZ4,
 * columns in files of their own, intervals.
 */
#ifndef RECORD_PARQUET_H
#define RECORD_PARQUET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define PARQUET_LONGEST ((size_t)256 << 20)     /* bytes of a line; a file of a few bytes can say that a list has billions of items */

struct parquet;

bool parquet_is(const char *begin, size_t n);                   /* does a file that begins so look like one? */

/* Over the n bytes there, or where they are NULL over the file fd, of that size; both are the caller's and stay. A row that is longer than
 * `longest` is an error. NULL and e. */
struct parquet *parquet_open(int fd, const char *bytes, uint64_t n, size_t longest, struct err *e);
ssize_t parquet_read(struct parquet *q, const char **text, struct err *e);      /* whole lines, until the next call; 0: the end; -1 */
void parquet_close(struct parquet *q);                          /* NULL is fine */

#endif
