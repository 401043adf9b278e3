/* JSON documents: what is read is what is there, errors say where, what is written comes back */
#include "test.h"

#include "record/json.h"

static struct js *parse(const char *text)
{
	struct err e;
	struct js *j = js_parse(text, strlen(text), "x", &e);

	if (!j)
		TEST_FAIL("%s: %s", text, e.msg);
	return j;
}

static void check_bad(const char *text, size_t n, const char *where)
{
	struct err e;

	CHECK(js_parse(text, n, "x.json", &e) == NULL);
	if (strncmp(e.msg, where, strlen(where)) != 0)
		TEST_FAIL("'%s' does not begin with '%s'", e.msg, where);
}

static void check_read(void)
{
	struct js *j = parse("{\"n\": 3, \"x\": 2.5, \"s\": \"a\\u0000b\\u00e9\", \"t\": true, \"z\": null, \"l\": [1, 2, 3], \"o\": {}}");
	struct js_iter it = js_each(j);
	const char *order[] = {"n", "x", "s", "t", "z", "l", "o"};
	size_t n, i;

	CHECK(js_is_object(j) && !js_is_array(j));
	CHECK_INT(js_size(j), 7);
	CHECK_INT(js_int(js_get(j, "n")), 3);
	CHECK(js_is_int(js_get(j, "n")) && js_is_number(js_get(j, "n")));
	CHECK(!js_is_int(js_get(j, "x")) && js_is_number(js_get(j, "x")));
	CHECK_NEAR(js_number(js_get(j, "n")), 3, 0);
	CHECK_NEAR(js_number(js_get(j, "x")), 2.5, 0);
	CHECK_INT(js_int(js_get(j, "x")), 0);
	CHECK_MEM(js_string(js_get(j, "s"), &n), 5, "a\0b\xc3\xa9", 5);
	CHECK_INT(n, 5);
	CHECK(js_bool(js_get(j, "t")));
	CHECK(js_is_null(js_get(j, "z")));
	CHECK_INT(js_size(js_get(j, "l")), 3);
	CHECK_INT(js_int(js_at(js_get(j, "l"), 2)), 3);
	CHECK(js_at(js_get(j, "l"), 3) == NULL);
	for (i = 0; js_next(&it); i++) {
		CHECK_STR(it.key, order[i]);
		CHECK(it.value == js_get(j, order[i]));
	}
	CHECK_INT(i, 7);
	CHECK(!js_next(&it));
	CHECK_STR(js_type(js_get(j, "x")), "a number");
	CHECK_STR(js_type(js_get(j, "absent")), "missing");
	js_free(j);
}

static void check_null(void)
{
	struct js_iter it = js_each(NULL);
	size_t n = 7;

	CHECK(!js_is_object(NULL) && !js_is_null(NULL) && !js_is_string(NULL) && !js_bool(NULL));
	CHECK(js_get(NULL, "x") == NULL && js_at(NULL, 0) == NULL && js_string(NULL, &n) == NULL);
	CHECK_INT(n, 0);
	CHECK_INT(js_size(NULL), 0);
	CHECK(!js_next(&it));
	CHECK(js_copy(NULL) == NULL);
	js_free(NULL);
}

static void check_errors(void)
{
	struct err e;

	check_bad("{\"a\": 1,\n \"b\": }", 15, "x.json:2:");
	check_bad("{\"a\": 1, \"a\": 2}", 16, "x.json:1:");
	check_bad("{\"a\": NaN}", 10, "x.json:1:");
	check_bad("", 0, "x.json:1:");
	check_bad("{} {}", 5, "x.json:1:");
	check_bad("\"\xff\"", 3, "x.json:1:");
	check_bad("[1,\n1\0]", 7, "x.json:2: a NUL byte");
	check_bad("\xff\xfe[\0]", 6, "x.json: it is UTF-16, not UTF-8");
	CHECK(js_read("/nonexistent/config.json", &e) == NULL);
	CHECK_STR(e.msg, "/nonexistent/config.json: No such file or directory");
}

static void check_write(void)
{
	struct js *j = js_object(), *l = js_array(), *copy;
	struct buf b = {0};

	js_set(j, "s", js_new_string("tab\t\"q\" \xe2\x82 cut \x01", 16));
	js_push(l, js_new_int(INT64_MIN));
	js_push(l, js_new_number(1));
	js_push(l, js_new_number(0.1));
	js_push(l, js_new_number(1e-06));
	js_push(l, js_new_number(1.7976931348623157e308));
	js_push(l, js_new_bool(false));
	js_push(l, js_new_null());
	js_set(j, "l", l);
	js_set(j, "empty", js_object());
	js_write(j, 0, &b);
	CHECK_STR(b.p, "{\"s\":\"tab\\t\\\"q\\\" \xef\xbf\xbd cut \\u0001\",\"l\":[-9223372036854775808,1.0,0.1,1e-6,1.7976931348623157e308,false,null],"
		"\"empty\":{}}");
	copy = js_copy(j);
	js_set(j, "s", js_new_int(1));
	CHECK(js_is_string(js_get(copy, "s")));
	js_free(j);
	buf_clear(&b);
	js_set(copy, "l", js_new_int(2));
	js_write(copy, 2, &b);
	CHECK_STR(b.p, "{\n  \"s\": \"tab\\t\\\"q\\\" \xef\xbf\xbd cut \\u0001\",\n  \"l\": 2,\n  \"empty\": {}\n}");
	js_free(copy);
	buf_free(&b);
}

int main(void)
{
	check_read();
	check_null();
	check_errors();
	check_write();
	return 0;
}
