/* Groups: found by id and step in any order, given back in the input's order as soon as those before are done */
#include "test.h"

#include "base/buf.h"
#include "record/record.h"

static struct group *add(struct groups *g, const char *text, struct err *e)
{
	struct record r = {0};
	struct group *group;

	if (record_parse(&r, text, strlen(text), e) < 0)
		TEST_FAIL("%s: %s", text, e->msg);
	group = groups_add(g, &r, e);
	if (group)
		CHECK(r.raw.p == NULL && r.n == 0);     /* taken over */
	else
		CHECK(r.n > 0);
	record_free(&r);
	return group;
}

/* The `n` fields of what groups_pop gives now */
static void check_popped(struct groups *g, const char *want)
{
	struct buf got = {0};
	struct record *r;
	struct err e;
	int64_t n;

	buf_str(&got, "");
	while ((r = groups_pop(g))) {
		CHECK_INT(record_int(r, "n", &n, &e), 0);
		buf_printf(&got, "%lld ", (long long)n);
	}
	CHECK_STR(got.p, want);
	buf_free(&got);
}

static void check_interleaved(void)
{
	struct groups g = {0};
	struct group *a, *b, *c;
	struct err e;

	CHECK(groups_pop(&g) == NULL);
	a = add(&g, "{\"id\":\"a\",\"group\":2,\"n\":1}", &e);
	b = add(&g, "{\"id\":\"b\",\"group\":2,\"n\":2}", &e);
	CHECK(a && b && a != b && !group_full(a));
	CHECK(add(&g, "{\"id\":\"b\",\"group\":2,\"n\":3}", &e) == b && group_full(b));
	groups_release(b);
	check_popped(&g, "");                   /* a's first line holds them back */
	c = add(&g, "{\"id\":\"a\",\"step\":7,\"n\":4}", &e);
	CHECK(c && c != a && c->step == 7 && a->step == -1 && c->size == 0 && !group_full(c));
	CHECK(add(&g, "{\"id\":\"a\",\"group\":2,\"n\":5}", &e) == a && group_full(a));
	CHECK_INT(a->n, 2);
	CHECK_STR(a->id, "a");
	groups_release(a);
	check_popped(&g, "1 2 3 ");
	CHECK(add(&g, "{\"id\":\"a\",\"step\":7,\"n\":6}", &e) == c);
	groups_release(c);
	check_popped(&g, "4 5 6 ");
	CHECK_INT(g.n, 3);
	CHECK(g.group[0] == a && g.group[1] == b && g.group[2] == c);

	CHECK(add(&g, "{\"id\":\"b\",\"group\":2,\"n\":7}", &e) == NULL);
	CHECK_STR(e.msg, "one line more than the 2 that 'group' tells (id b)");
	CHECK(add(&g, "{\"n\":7}", &e) == NULL);
	CHECK_STR(e.msg, "'id' is missing");
	CHECK(add(&g, "{\"id\":\"x\",\"step\":\"7\"}", &e) == NULL);
	CHECK_STR(e.msg, "'step' is a string, not a whole number (id x)");
	groups_free(&g);
}

static void check_many(void)
{
	struct groups g = {0};
	struct err e;
	char text[80];
	int i;

	for (i = 0; i < 5000; i++) {
		snprintf(text, sizeof text, "{\"id\":\"%d\",\"group\":5,\"n\":%d}", i * 7919 % 1000, i);
		CHECK(add(&g, text, &e) != NULL);
	}
	CHECK_INT(g.n, 1000);
	for (i = 0; i < 1000; i++) {
		struct group *group = g.group[i];

		CHECK(group_full(group) && group->n == 5 && atoi(group->id) == i * 7919 % 1000);
	}
	groups_free(&g);                /* also of those that were not given back */
}

int main(void)
{
	check_interleaved();
	check_many();
	return 0;
}
