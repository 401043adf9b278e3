#include "text/nfc.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "text/utf8.h"

struct nfc_range { uint32_t lo, hi, ccc; };
struct nfc_split { uint32_t c, a, b; };

#include "text/nfc_table.h"

/* Hangul syllables compose by rule (Unicode standard, 3.12). */
enum { S_BASE = 0xac00, L_BASE = 0x1100, V_BASE = 0x1161, T_BASE = 0x11a7, L_COUNT = 19, V_COUNT = 21, T_COUNT = 28,
	S_COUNT = L_COUNT * V_COUNT * T_COUNT };

#define COUNT(a) (sizeof (a) / sizeof (a)[0])

static const struct nfc_range *find_range(uint32_t c)
{
	size_t lo = 0, hi = COUNT(nfc_ranges);

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c > nfc_ranges[mid].hi)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < COUNT(nfc_ranges) && nfc_ranges[lo].lo <= c ? &nfc_ranges[lo] : NULL;
}

static unsigned combining_class(uint32_t c)
{
	const struct nfc_range *r = c < 0x300 ? NULL : find_range(c);

	return r ? r->ccc : 0;
}

static const struct nfc_split *find_split(uint32_t c)
{
	size_t lo = 0, hi = COUNT(nfc_splits);

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c > nfc_splits[mid].c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < COUNT(nfc_splits) && nfc_splits[lo].c == c ? &nfc_splits[lo] : NULL;
}

/* The character that a and b compose to; 0 if they do not. */
static uint32_t compose(uint32_t a, uint32_t b)
{
	size_t lo = 0, hi = COUNT(nfc_joins);

	if (a >= L_BASE && a < L_BASE + L_COUNT && b >= V_BASE && b < V_BASE + V_COUNT)
		return S_BASE + ((a - L_BASE) * V_COUNT + (b - V_BASE)) * T_COUNT;
	if (a >= S_BASE && a < S_BASE + S_COUNT && (a - S_BASE) % T_COUNT == 0 && b > T_BASE && b < T_BASE + T_COUNT)
		return a + (b - T_BASE);
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct nfc_split *d = &nfc_splits[nfc_joins[mid]];

		if (a > d->a || (a == d->a && b > d->b))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < COUNT(nfc_joins)) {
		const struct nfc_split *d = &nfc_splits[nfc_joins[lo]];

		if (d->a == a && d->b == b)
			return d->c;
	}
	return 0;
}

bool nfc_is_normal(const char *s, size_t n)
{
	size_t i;
	uint32_t c;

	for (i = 0; i < n;) {
		if ((unsigned char)s[i] < 0xcc) {       /* code points below U+0300: all normal */
			i += (unsigned char)s[i] < 0xc0 ? 1 : 2;
			continue;
		}
		i += utf8_decode(s + i, n - i, &c);
		if (c >= 0x300 && !(c >= 0x3400 && c <= 0x9fff) && find_range(c))
			return false;
	}
	return true;
}

struct points {
	uint32_t *c;
	size_t n, cap;
};

static void add_decomposed(struct points *p, uint32_t c)
{
	const struct nfc_split *d = c < 0xc0 ? NULL : find_split(c);

	if (d) {
		add_decomposed(p, d->a);
		if (d->b)
			add_decomposed(p, d->b);
		return;
	}
	p->c = xgrow(p->c, &p->cap, p->n + 3, sizeof *p->c);
	if (c >= S_BASE && c < S_BASE + S_COUNT) {
		uint32_t s = c - S_BASE;

		p->c[p->n++] = L_BASE + s / (V_COUNT * T_COUNT);
		p->c[p->n++] = V_BASE + s % (V_COUNT * T_COUNT) / T_COUNT;
		if (s % T_COUNT)
			p->c[p->n++] = T_BASE + s % T_COUNT;
	} else {
		p->c[p->n++] = c;
	}
}

static int by_class(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return (a > b) - (a < b);
}

/* Canonical order: each run of combining characters by class, stably. */
static void reorder(uint32_t *c, size_t n)
{
	uint64_t *key = NULL;
	size_t cap = 0, i = 0, j, k;

	while (i < n) {
		bool sorted = true;

		for (j = i; j < n && combining_class(c[j]); j++)
			if (j > i && combining_class(c[j - 1]) > combining_class(c[j]))
				sorted = false;
		if (!sorted) {
			uint32_t *run;

			/* class, place: what is sorted then is a permutation */
			key = xgrow(key, &cap, j - i, sizeof *key);
			for (k = i; k < j; k++)
				key[k - i] = (uint64_t)combining_class(c[k]) << 32 | (uint32_t)(k - i);
			qsort(key, j - i, sizeof *key, by_class);
			run = xmalloc((j - i) * sizeof *run);
			for (k = 0; k < j - i; k++)
				run[k] = c[i + (uint32_t)key[k]];
			for (k = 0; k < j - i; k++)
				c[i + k] = run[k];
			free(run);
		}
		i = j + 1;
	}
	free(key);
}

/* Composes in place (UAX #15: each character with the last starter before it, unless one of its class or higher, or another
 * starter, stands between). Returns the new count. */
static size_t compose_all(uint32_t *c, size_t n)
{
	size_t i, out = 0, starter = 0;
	bool have = false;
	unsigned last = 0;              /* class of the character before, within the starter's run */

	for (i = 0; i < n; i++) {
		unsigned ccc = combining_class(c[i]);
		uint32_t joined = have && (out == starter + 1 || (last < ccc && last > 0)) ? compose(c[starter], c[i]) : 0;

		if (joined) {
			c[starter] = joined;
			continue;
		}
		if (ccc == 0)
			starter = out, have = true;
		last = ccc;
		c[out++] = c[i];
	}
	return out;
}

void nfc_normalize(const char *s, size_t n, struct buf *to)
{
	struct points p = {0};
	size_t i;
	uint32_t c;

	for (i = 0; i < n;) {
		i += utf8_decode(s + i, n - i, &c);
		add_decomposed(&p, c);
	}
	reorder(p.c, p.n);
	p.n = compose_all(p.c, p.n);
	for (i = 0; i < p.n; i++)
		to->n += utf8_encode(p.c[i], buf_room(to, 4));
	if (to->p)
		to->p[to->n] = 0;
	free(p.c);
}
