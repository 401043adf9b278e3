/* check: each checker on pairs that are the same and pairs that are not */
#include "task/check.h"
#include "test.h"

static bool same(const char *kind, const char *got, const char *want)
{
	struct check c = {.kind = kind, .absolute = 1e-6, .relative = 1e-6};
	struct buf why = {0};
	bool ok = check_output(&c, got, strlen(got), want, strlen(want), &why);

	CHECK(ok == !why.n);
	buf_free(&why);
	return ok;
}

static void why_is(const char *kind, const char *got, const char *want, const char *text)
{
	struct check c = {.kind = kind, .absolute = 1e-6, .relative = 1e-6};
	struct buf why = {0};

	CHECK(!check_output(&c, got, strlen(got), want, strlen(want), &why));
	CHECK_STR(why.p, text);
	buf_free(&why);
}

static bool value(const char *kind, const char *got, const char *want)
{
	struct check c = {.kind = kind, .absolute = 1e-6, .relative = 1e-6};
	struct err e;
	struct js *a = js_parse(got, strlen(got), "got", &e), *b = js_parse(want, strlen(want), "want", &e);
	bool ok;

	CHECK(a && b);
	ok = check_value(&c, a, b);
	js_free(a);
	js_free(b);
	return ok;
}

static void lines(void)
{
	CHECK(same("text", "a\nb\n", "a\nb"));
	CHECK(same("text", "a  \nb\r\n\n\n", "a\nb\n"));
	CHECK(same("text", "", "\n"));
	CHECK(same("text", "", ""));
	CHECK(!same("text", "a\n", "a\nb\n"));
	CHECK(!same("text", "a\nb\nc\n", "a\nb\n"));
	CHECK(!same("text", " a\n", "a\n"));
	CHECK(!same("text", "a b\n", "a  b\n"));
	CHECK(!same("text", "a\n\nb\n", "a\nb\n"));
	CHECK(!same("text", "A\n", "a\n"));
	CHECK(!same("text", "", "a"));
	CHECK(!same("text", "ab", "a"));
	CHECK(!same("text", "a", "ab"));
	why_is("text", "1\n2\n4\n", "1\n2\n3\n", "line 3: 4, where 3 should be");
	why_is("text", "1\n2\n", "1\n2\n3\n", "line 3: the output ends, where 3 should be");
	why_is("text", "1\n2\n3\n", "1\n2\n", "line 3: 3, where it should end");
	CHECK(same("exact", "a\nb\n", "a\nb"));
	CHECK(same("exact", "", ""));
	CHECK(!same("exact", "a \nb\n", "a\nb\n"));
	CHECK(!same("exact", "a\nb\n\n", "a\nb"));
	why_is("exact", "abd", "abc", "differs from byte 3 on");
	why_is("exact", "ab", "abc", "differs from byte 3 on");
}

static void words(void)
{
	CHECK(same("tokens", "1 2\t3\n", "1\n2\n3"));
	CHECK(same("tokens", "\n\n", ""));
	CHECK(!same("tokens", "1 2", "1 2 3"));
	CHECK(!same("tokens", "1 2 3 4", "1 2 3"));
	CHECK(!same("tokens", "1.0", "1"));
	CHECK(!same("tokens", "12 3", "1 23"));
	why_is("tokens", "1\n2 5\n", "1\n2 3\n", "line 2: 5, where 3 should be");
	CHECK(same("floats", "1.0", "1"));
	CHECK(same("floats", "0.3333333", "0.33333333333"));
	CHECK(same("floats", "1000000.5", "1000000"));
	CHECK(same("floats", "1e-9", "0"));
	CHECK(same("floats", "inf -inf x", "inf -inf x"));
	CHECK(same("floats", "yes +1.50", "yes 1.5"));
	CHECK(!same("floats", "0.1", "0.2"));
	CHECK(!same("floats", "nan", "1"));
	CHECK(!same("floats", "nan", "nan"));
	CHECK(!same("floats", "NaN", "NaN"));
	CHECK(!same("floats", "inf", "-inf"));
	CHECK(!same("floats", "1e400", "1e308"));
	CHECK(same("floats", "1e400", "1e400"));
	CHECK(!same("floats", "1e400", "2e400"));
	CHECK(!same("floats", "1e400", "inf"));
	CHECK(same("floats", "0.33333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333", "0.3333333333"));
	CHECK(!same("floats", "0x10", "16"));
	CHECK(!same("floats", "1 2", "1"));
	CHECK(!same("floats", "1", "1 2"));
	CHECK(!same("floats", "1x", "1"));
	CHECK(!same("floats", "yes", "1"));
}

static void any_order(void)
{
	struct check fold = {.kind = "text", .ignore_case = true};
	struct buf why = {0};

	CHECK(same("unordered", "b\na\n", "a\nb\n"));
	CHECK(same("unordered", "b \n\na", "a\nb\n"));
	CHECK(!same("unordered", "a\na\nb\n", "a\nb\nb\n"));
	CHECK(!same("unordered", "a\n", "a\na\n"));
	CHECK(!same("unordered", "a\nb\nc\n", "a\nb\n"));
	why_is("unordered", "a\nc\n", "a\nb\n", "there is no line b");
	why_is("unordered", "a\nb\n", "a\nc\n", "the line b should not be there");
	why_is("unordered", "a\n", "a\nb\n", "there is no line b");
	why_is("unordered", "a\nb\n", "a\n", "the line b should not be there");
	CHECK(check_output(&fold, "YES\n", 4, "yes", 3, &why));
	fold.kind = "unordered";
	CHECK(check_output(&fold, "B\na\n", 4, "A\nb", 3, &why));
	fold.kind = "exact";
	CHECK(check_output(&fold, "Ab", 2, "aB", 2, &why));
	CHECK(!check_output(&fold, "Ab", 2, "aC", 2, &why));
	buf_free(&why);
}

static void values(void)
{
	CHECK(value("text", "1", "1.0"));
	CHECK(value("text", "[1,[2,\"x\"],null]", "[1,[2,\"x\"],null]"));
	CHECK(value("text", "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}"));
	CHECK(!value("text", "[1]", "1"));
	CHECK(!value("text", "[1,2]", "[1]"));
	CHECK(!value("text", "[1]", "[1,2]"));
	CHECK(!value("text", "[2,1]", "[1,2]"));
	CHECK(!value("text", "true", "1"));
	CHECK(!value("text", "\"1\"", "1"));
	CHECK(!value("text", "null", "0"));
	CHECK(!value("text", "{\"a\":1}", "{\"a\":1,\"b\":2}"));
	CHECK(!value("text", "{\"a\":1,\"b\":2}", "{\"a\":1}"));
	CHECK(!value("text", "0.30000000000000004", "0.3"));
	CHECK(value("floats", "0.30000000000000004", "0.3"));
	CHECK(value("floats", "[1000000, 0.5]", "[1000000.5, 0.5000001]"));
	CHECK(!value("floats", "0.31", "0.3"));
	CHECK(!value("text", "9007199254740993", "9007199254740992"));
}

int main(void)
{
	struct err e;

	CHECK_INT(check_kind("floats", &e), 0);
	CHECK_INT(check_kind("near", &e), -1);
	CHECK_STR(e.msg, "there is no checker 'near', only text, exact, tokens, floats, unordered");
	lines();
	words();
	any_order();
	values();
	return 0;
}
