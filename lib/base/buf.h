/* buf.h - a growing string of bytes (may hold NULs; always has a NUL behind its last byte)
 *
 *     struct buf b = {0};
 *     buf_printf(&b, "%d problems", n);
 *     puts(b.p);
 *     buf_free(&b);
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {                    /* all zero is an empty buffer (p is NULL until something is added) */
	char *p;
	size_t n, cap;
};

void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
char *buf_room(struct buf *b, size_t n);        /* room for n more bytes and a NUL; the caller writes there and adds to n */
void buf_clear(struct buf *b);                  /* empty, memory kept */
void buf_free(struct buf *b);

#endif
