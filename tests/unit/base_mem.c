/* Memory, buffers, maps, errors */
#include "test.h"

#include <errno.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"

static void check_arena(void)
{
	struct arena a = {0};
	char *first, *p;
	size_t i;

	first = arena_alloc(&a, 100);
	for (i = 0; i < 1000; i++) {
		p = arena_alloc(&a, i * 7);
		CHECK_INT((size_t)p % 64, 0);
		memset(p, (int)i, i * 7);
	}
	p = arena_calloc(&a, 5 << 20);
	CHECK(p[0] == 0 && p[(5 << 20) - 1] == 0);
	CHECK_STR(arena_strndup(&a, "abcdef", 3), "abc");
	CHECK(a.peak >= a.used && a.used > (size_t)5 << 20);
	arena_reset(&a);
	CHECK_INT(a.used, 0);
	CHECK(arena_alloc(&a, 100) == first);
	for (i = 0; i < 40; i++)                /* through all blocks again */
		memset(arena_alloc(&a, 200000), 1, 200000);
	arena_free(&a);
	CHECK(!a.head && !a.used);
}

static void check_buf(void)
{
	struct buf b = {0};
	int i;

	buf_add(&b, NULL, 0);
	CHECK_STR(b.p, "");
	buf_printf(&b, "%d-%s", 12, "x");
	buf_char(&b, 0);
	buf_str(&b, "yz");
	CHECK_MEM(b.p, b.n + 1, "12-x\0yz", 8);
	buf_clear(&b);
	CHECK(b.n == 0 && b.p[0] == 0);
	for (i = 0; i < 10000; i++)
		buf_printf(&b, "%04d", i);
	CHECK_INT(b.n, 40000);
	CHECK(!strncmp(b.p + 4 * 9999, "9999", 5));
	buf_free(&b);
	CHECK(!b.p && !b.n);
}

static void check_map(void)
{
	struct map m = {0};
	char key[20];
	int64_t *v;
	int i, round;

	CHECK(map_get(&m, "x", 1) == NULL);
	for (round = 0; round < 2; round++)
		for (i = 0; i < 10000; i++) {
			v = map_put(&m, key, (size_t)snprintf(key, sizeof key, "%d", i));
			CHECK_INT(*v, round * i);
			*v += i;
		}
	CHECK_INT(m.n, 10000);
	CHECK_STR(m.entry[77].key, "77");
	CHECK_INT(m.entry[77].value, 154);
	CHECK(map_get(&m, "10000", 5) == NULL);
	*map_put(&m, "a\0b", 3) = 1;
	*map_put(&m, "", 0) = 2;
	CHECK(map_get(&m, "a\0c", 3) == NULL && map_get(&m, "a", 1) == NULL);
	CHECK(*map_get(&m, "a\0b", 3) == 1 && *map_get(&m, "", 0) == 2);
	map_free(&m);
	CHECK(!m.n && map_get(&m, "1", 1) == NULL);
}

static void check_err(void)
{
	struct err e;
	char big[3000];
	int i;

	CHECK_INT(err_set(&e, "%d apples", 3), -1);
	CHECK_STR(e.msg, "3 apples");
	CHECK_INT(err_prefix(&e, "bag %s", "a"), -1);
	CHECK_STR(e.msg, "bag a: 3 apples");
	errno = ENOENT;
	CHECK_INT(err_errno(&e, "%s", "x.json"), -1);
	CHECK_STR(e.msg, "x.json: No such file or directory");
	CHECK_INT(err_set(NULL, "nobody asks"), -1);
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = 0;
	err_set(&e, "%s", big);
	CHECK_INT(strlen(e.msg), sizeof e.msg - 1);
	for (i = 0; i < 3; i++)
		err_prefix(&e, "%s", big);
	CHECK_INT(strlen(e.msg), sizeof e.msg - 1);
}

static void check_grow(void)
{
	size_t cap = 0, i;
	int *v = NULL;

	for (i = 0; i < 1000; i++) {
		v = xgrow(v, &cap, i + 1, sizeof *v);
		CHECK(cap > i);
		v[i] = (int)i;
	}
	CHECK(v[999] == 999 && cap < 2000);
	free(v);
}

int main(void)
{
	check_arena();
	check_buf();
	check_map();
	check_err();
	check_grow();
	return 0;
}
