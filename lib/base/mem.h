/* mem.h - memory that is there or the program dies, saying how much it wanted; an arena for what lives as long as a batch
 *
 *     struct arena a = {0};
 *     float *row = arena_alloc(&a, n * sizeof *row);   // 64-byte aligned, not cleared
 *     arena_reset(&a);                                 // all of it gone, the memory kept for the next batch
 *     arena_free(&a);
 *
 * The x functions never return NULL; what they return is freed with free().
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
void *xaligned(size_t n);                       /* 64-byte aligned, not cleared; huge pages asked for when large */
void *xreserve(size_t bytes);                   /* taken from the machine as it is written */
void xrelease(void *p, size_t bytes);           /* ... and given back, as many bytes */
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

size_t memory_peak(void);                       /* bytes of this process that were in memory at once, at most */

/* Grows an array so that it holds at least `need` items of `size` bytes: p = xgrow(p, &cap, need, sizeof *p). */
void *xgrow(void *p, size_t *cap, size_t need, size_t size);

struct arena_block;
struct arena {                                  /* all zero is an empty arena */
	struct arena_block *head, *current;
	size_t used;                            /* bytes given out since the last reset */
	size_t peak;                            /* the most `used` has ever been */
};
void *arena_alloc(struct arena *a, size_t n);
void *arena_calloc(struct arena *a, size_t n);
char *arena_strndup(struct arena *a, const char *s, size_t n);
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#endif
