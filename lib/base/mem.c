#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define ALIGN 64
#define BLOCK ((size_t)1 << 20)
#define HUGE_PAGE ((size_t)2 << 20)

static void *out_of_memory(size_t n)
{
	fprintf(stderr, "%s: out of memory: %zu bytes wanted\n", program_invocation_short_name, n);
	_exit(1);
}

void *xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	return p ? p : out_of_memory(n);
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	return p ? p : out_of_memory(n * size);
}

void *xrealloc(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	return p ? p : out_of_memory(n);
}

void *xaligned(size_t n)
{
	size_t align = n >= 2 * HUGE_PAGE ? HUGE_PAGE : ALIGN;
	size_t size = (n + align - 1) / align * align;
	void *p = aligned_alloc(align, size ? size : align);

	if (!p)
		return out_of_memory(n);
	if (align == HUGE_PAGE)
		madvise(p, size, MADV_HUGEPAGE);
	return p;
}

static size_t huge_pages(size_t n)
{
	return (n + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
}

void *xreserve(size_t bytes)
{
	const size_t n = huge_pages(bytes);
	unsigned char *p = mmap(NULL, n + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before;

	if (p == MAP_FAILED)
		return out_of_memory(n);
	before = -(uintptr_t)p % HUGE_PAGE;
	if (before)
		munmap(p, before);
	munmap(p + before + n, HUGE_PAGE - before);
	madvise(p + before, n, MADV_HUGEPAGE);
	return p + before;
}

void xrelease(void *p, size_t bytes)
{
	munmap(p, huge_pages(bytes));
}

char *xstrndup(const char *s, size_t n)
{
	char *p = xmalloc(n + 1);

	memcpy(p, s, n);
	p[n] = 0;
	return p;
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	s = xmalloc((size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}

size_t memory_peak(void)
{
	struct rusage r;

	return getrusage(RUSAGE_SELF, &r) == 0 ? (size_t)r.ru_maxrss * 1024 : 0;
}

void *xgrow(void *p, size_t *cap, size_t need, size_t size)
{
	size_t n = *cap;

	if (need <= n)
		return p;
	n = n + n / 2 + 16;
	if (n < need)
		n = need;
	if (n > SIZE_MAX / size)
		out_of_memory(SIZE_MAX);
	*cap = n;
	return xrealloc(p, n * size);
}

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	_Alignas(ALIGN) unsigned char data[];
};

void *arena_alloc(struct arena *a, size_t n)
{
	struct arena_block *b = a->current;
	void *p;

	n = (n + ALIGN - 1) / ALIGN * ALIGN;
	while (b && b->size - b->used < n && b->next)
		b = b->next, b->used = 0;
	if (!b || b->size - b->used < n) {
		size_t size = a->used > BLOCK ? a->used : BLOCK;
		struct arena_block *fresh;

		if (size < n)
			size = n;
		fresh = xaligned(sizeof *fresh + size);
		fresh->size = size;
		fresh->used = 0;
		fresh->next = NULL;
		if (b)
			b->next = fresh;
		else
			a->head = fresh;
		b = fresh;
	}
	a->current = b;
	p = b->data + b->used;
	b->used += n;
	a->used += n;
	if (a->used > a->peak)
		a->peak = a->used;
	return p;
}

void *arena_calloc(struct arena *a, size_t n)
{
	return memset(arena_alloc(a, n), 0, n);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	memcpy(p, s, n);
	p[n] = 0;
	return p;
}

void arena_reset(struct arena *a)
{
	a->current = a->head;
	if (a->head)
		a->head->used = 0;
	a->used = 0;
}

void arena_free(struct arena *a)
{
	struct arena_block *b, *next;

	for (b = a->head; b; b = next) {
		next = b->next;
		free(b);
	}
	*a = (struct arena){0};
}
