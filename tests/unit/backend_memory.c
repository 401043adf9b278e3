/* What goes to a backend's memory and comes back: of every size, more than any buffer on the way holds, in the order of the calls. */
#include "backend_util.h"

/* Bytes that tell their place and their round */
static void fill(unsigned char *p, size_t n, unsigned round)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (unsigned char)(i * 7 + i / 253 + round * 31);
}

static void there_and_back(struct backend *be, size_t n)
{
	unsigned char *host = xmalloc(n), *back = xmalloc(n + 1), *p = be->alloc(be, n), *q = be->alloc(be, n);
	unsigned round;

	for (round = 0; round < 2; round++) {
		fill(host, n, round);
		be->upload(be, p, host, n);
		memset(host, 0, n);             /* it was taken at once */
		be->copy(be, q, p, n);
		be->zero(be, p, n);
		be->download(be, back + 1, q, n);
		fill(host, n, round);
		CHECK_MEM((char *)back + 1, n, (char *)host, n);
		be->download(be, back + 1, p, n);
		memset(host, 0, n);
		CHECK_MEM((char *)back + 1, n, (char *)host, n);
	}
	be->free(be, p), be->free(be, q);
	free(host), free(back);
}

/* Nobody waits between them: together they are more than what is kept for uploads. */
static void many(struct backend *be)
{
	enum { N = 30, SIZE = 1 << 20 };
	unsigned char *host = xmalloc(SIZE), *back = xmalloc(SIZE), *p[N];
	unsigned i;

	for (i = 0; i < N; i++) {
		p[i] = be->alloc(be, SIZE);
		fill(host, SIZE, i);
		be->upload(be, p[i], host, SIZE);
	}
	for (i = 0; i < N; i++) {
		be->download(be, back, p[i], SIZE);
		fill(host, SIZE, i);
		CHECK_MEM((char *)back, SIZE, (char *)host, SIZE);
		be->free(be, p[i]);
	}
	free(host), free(back);
}

int main(void)
{
	static const size_t size[] = {1, 4, 255, 257, 4096, 100001, (1 << 20) + 3, 5 << 20, (70 << 20) + 12};
	struct backend *be;

	EACH_BACKEND(be) {
		size_t i;

		for (i = 0; i < sizeof size / sizeof *size - (exact(be) ? 2 : 0); i++)  /* the CPU has no buffers on the way */
			there_and_back(be, size[i]);
		if (!exact(be) || be_i == 0)
			many(be);
		backend_close(be);
	}
	return 0;
}
