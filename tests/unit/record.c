/* Records in memory: what is accepted, what the getters say, what is written back */
#include "test.h"

#include "base/mem.h"
#include "record/record.h"

static void parse(struct record *r, const char *text)
{
	struct err e;

	if (record_parse(r, text, strlen(text), &e) < 0)
		TEST_FAIL("%s: %s", text, e.msg);
}

static void check_written(const struct record *r, const char *want)
{
	struct buf b = {0};

	record_write(r, &b);
	CHECK_STR(b.p, want);
	buf_free(&b);
}

/* Each text is refused, with that message. */
static void check_refused(void)
{
	static const struct {
		const char *text, *msg;
	} bad[] = {
		{"", "not a JSON object"},
		{"[1]", "not a JSON object"},
		{"hello", "not a JSON object"},
		{"{", "an object that does not end (byte 2)"},
		{"{\"a\"", "no ':' behind a name (byte 5)"},
		{"{\"a\":", "the end of the line where a value should be (byte 6)"},
		{"{\"a\":1", "an object that does not end (byte 7)"},
		{"{\"a\":1,", "an object that does not end (byte 8)"},
		{"{\"a\":1,}", "no name where one should be (byte 8)"},
		{"{\"a\":1]", "no ',' between fields (byte 7)"},
		{"{\"a\":\"b", "a string that does not end (byte 8)"},
		{"{\"a\":[1,2", "a value that does not end (byte 10)"},
		{"{\"a\":[1,2}}", "no ',' between values (byte 10)"},
		{"{\"a\":[1,]}", "no value (byte 9)"},
		{"{\"a\":01}", "no ',' between fields (byte 7)"},
		{"{\"a\":1.}", "no value (byte 6)"},
		{"{\"a\":.5}", "no value (byte 6)"},
		{"{\"a\":+5}", "no value (byte 6)"},
		{"{\"a\":1e}", "no value (byte 6)"},
		{"{\"a\":-}", "no value (byte 6)"},
		{"{\"a\":NaN}", "NaN or Infinity, which JSON does not have (byte 6)"},
		{"{\"a\":[1.5,-Infinity]}", "NaN or Infinity, which JSON does not have (byte 11)"},
		{"{\"a\":nul}", "no value (byte 6)"},
		{"{\"a\":\"\t\"}", "a control character in a string (byte 7)"},
		{"{\"a\":\"\\x\"}", "an unknown escape (byte 7)"},
		{"{\"a\":\"\\u12g4\"}", "an escape without four hexadecimal digits (byte 7)"},
		{"{\"a\":\"\\ud800\"}", "half of a surrogate pair (byte 7)"},
		{"{\"a\":\"\\udc00\"}", "half of a surrogate pair (byte 7)"},
		{"{\"a\":\"\xff\"}", "bytes that are no UTF-8 (byte 7)"},
		{"{\"a\":\"\xc0\x80\"}", "bytes that are no UTF-8 (byte 7)"},
		{"{\"a\":\"ok\xed\xa0\x80\"}", "bytes that are no UTF-8 (byte 9)"},
		{"{\"a\\u0000b\":1}", "a NUL in a name (byte 2)"},
		{"{\"o\":{\"a\\u0000b\":1}}", "a NUL in a name (byte 7)"},
		{"{\"a\":1} x", "more text behind the object (byte 9)"},
		{"{\"a\":1}{}", "more text behind the object (byte 8)"},
		{"{\"a\":1,\"b\":2,\"a\":3}", "'a' is there twice"},
		{"{\"a\":1,\"\\u0061\":3}", "'a' is there twice"},
	};
	struct record r = {0};
	struct err e;
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		e.msg[0] = 0;
		if (record_parse(&r, bad[i].text, strlen(bad[i].text), &e) == 0)
			TEST_FAIL("accepted: %s", bad[i].text);
		CHECK_STR(e.msg, bad[i].msg);
	}
	CHECK(record_parse(&r, "{\"a\":\"x\0y\"}", 11, &e) < 0);
	CHECK_STR(e.msg, "a control character in a string (byte 8)");
	record_free(&r);
}

/* Values inside one another: 2,048 are fine (the record is the first), one more is not. */
static void check_depth(void)
{
	struct record r = {0};
	struct buf b = {0};
	struct err e;
	int n, i;

	for (n = 2047; n <= 2048; n++) {
		buf_clear(&b);
		buf_str(&b, "{\"a\":");
		for (i = 0; i < n; i++)
			buf_char(&b, '[');
		for (i = 0; i < n; i++)
			buf_char(&b, ']');
		buf_char(&b, '}');
		CHECK_INT(record_parse(&r, b.p, b.n, &e), n == 2047 ? 0 : -1);
		if (n == 2047)
			CHECK(record_js(&r, "a", &e) != NULL);
	}
	CHECK_STR(e.msg, "values too deep inside one another (byte 2053)");
	buf_free(&b);
	record_free(&r);
}

static void check_many_names(void)
{
	struct record r = {0};
	struct buf b = {0};
	struct err e;
	int i;
	int64_t v;

	buf_char(&b, '{');
	for (i = 0; i < 5000; i++)
		buf_printf(&b, "%s\"k%d\":%d", i ? "," : "", i, i);
	buf_char(&b, '}');
	CHECK_INT(record_parse(&r, b.p, b.n, &e), 0);
	CHECK_INT(record_int(&r, "k4321", &v, &e), 0);
	CHECK_INT(v, 4321);
	b.n--;
	buf_str(&b, ",\"k77\":1}");
	CHECK_INT(record_parse(&r, b.p, b.n, &e), -1);
	CHECK_STR(e.msg, "'k77' is there twice");
	buf_free(&b);
	record_free(&r);
}

static void check_getters(void)
{
	struct record r = {0};
	struct err e;
	struct named *v;
	int64_t i;
	double x;
	bool b;
	size_t n;
	int32_t *ids;
	float *f;

	parse(&r, "{\"s\": \"a\\n\\u00e9\\ud83d\\ude00\\u0000\\/z\", \"i\": -42, \"f\": 3.0, \"h\": 2.5, \"big\": 99999999999999999999, "
		"\"huge\": 1e999, \"t\": true, \"no\": false, \"null\": null, \"ids\": [1, -2,3.0 , 151935], \"none\": [ ], "
		"\"lp\": [-0.1, 0, 1e-3, -12.5], \"mixed\": [1, \"x\"], \"o\": {\"a\": 1, \"b\": 0.5, \"c\": null}, \"wide\": [3000000000], "
		"\"half\": [0.5], \"max\": 9223372036854775807, \"\\u0065sc\": 7}");
	CHECK_MEM(record_string(&r, "s", &n, &e), 11, "a\n\xc3\xa9\xf0\x9f\x98\x80\0/z", 11);
	CHECK_INT(n, 11);
	CHECK(record_int(&r, "i", &i, &e) == 0 && i == -42);
	CHECK(record_int(&r, "f", &i, &e) == 0 && i == 3);
	CHECK(record_int(&r, "max", &i, &e) == 0 && i == INT64_MAX);
	CHECK(record_int(&r, "esc", &i, &e) == 0 && i == 7);
	CHECK(record_number(&r, "h", &x, &e) == 0 && x == 2.5);
	CHECK(record_number(&r, "i", &x, &e) == 0 && x == -42);
	CHECK(record_number(&r, "big", &x, &e) == 0 && x == 1e20);
	CHECK(record_bool(&r, "t", &b, &e) == 0 && b);
	CHECK(record_bool(&r, "no", &b, &e) == 0 && !b);
	CHECK(record_has(&r, "s") && !record_has(&r, "null") && !record_has(&r, "nothing"));
	CHECK_STR(record_type(&r, "null"), "null");
	CHECK_STR(record_type(&r, "nothing"), "missing");
	ids = record_ints(&r, "ids", &n, &e);
	CHECK(ids && n == 4 && ids[0] == 1 && ids[1] == -2 && ids[2] == 3 && ids[3] == 151935);
	CHECK(record_ints(&r, "none", &n, &e) && n == 0);
	f = record_floats(&r, "lp", &n, &e);
	CHECK(f && n == 4 && f[0] == -0.1f && f[1] == 0 && f[2] == 1e-3f && f[3] == -12.5f);
	v = record_named(&r, "o", &n, &e);
	CHECK(v && n == 3 && !strcmp(v[1].name, "b") && v[1].value == 0.5 && isnan(v[2].value));
	CHECK_INT(js_size(record_js(&r, "mixed", &e)), 2);

	CHECK(record_int(&r, "h", &i, &e) < 0);
	CHECK_STR(e.msg, "'h' is 2.5, not a whole number of 64 bits");
	CHECK(record_int(&r, "big", &i, &e) < 0);
	CHECK_STR(e.msg, "'big' is 99999999999999999999, not a whole number of 64 bits");
	CHECK(record_number(&r, "huge", &x, &e) < 0);
	CHECK_STR(e.msg, "'huge' is 1e999, too large");
	CHECK(record_string(&r, "i", NULL, &e) == NULL);
	CHECK_STR(e.msg, "'i' is a number, not a string");
	CHECK(record_string(&r, "null", NULL, &e) == NULL);
	CHECK_STR(e.msg, "'null' is null, not a string");
	CHECK(record_string(&r, "nothing", NULL, &e) == NULL);
	CHECK_STR(e.msg, "'nothing' is missing");
	CHECK(record_bool(&r, "s", &b, &e) < 0);
	CHECK_STR(e.msg, "'s' is a string, not true or false");
	CHECK(record_ints(&r, "mixed", &n, &e) == NULL);
	CHECK_STR(e.msg, "'mixed'[1] is a string, not a whole number of 32 bits");
	CHECK(record_ints(&r, "wide", &n, &e) == NULL);
	CHECK_STR(e.msg, "'wide'[0] is 3000000000, not a whole number of 32 bits");
	CHECK(record_ints(&r, "half", &n, &e) == NULL);
	CHECK_STR(e.msg, "'half'[0] is 0.5, not a whole number of 32 bits");
	CHECK(record_floats(&r, "o", &n, &e) == NULL);
	CHECK_STR(e.msg, "'o' is an object, not an array of numbers");
	CHECK(record_named(&r, "lp", &n, &e) == NULL);
	CHECK_STR(e.msg, "'lp' is an array, not an object of numbers");
	record_free(&r);
}

/* Every byte that was not set stays, whatever its white space. */
static void check_pass_through(void)
{
	static const char *const text[] = {
		"{}", " { } ", "{\"a\":1}", "\t{ \"a\" : 1.50e+00 ,\t\"b\":[ 1 ,2 ] }\r", "{\"z\":\"\\u0041\\/\",\"a\":{\"x\":{\"x\":1}}}",
		"{\"dup\":{\"x\":1,\"x\":2}}",
	};
	struct record r = {0}, copy = {0};
	size_t i;

	for (i = 0; i < sizeof text / sizeof *text; i++) {
		parse(&r, text[i]);
		check_written(&r, text[i]);
		record_copy(&copy, &r);
		check_written(&copy, text[i]);
	}
	record_free(&r);
	record_free(&copy);
}

static void check_set(void)
{
	struct record r = {0}, copy = {0};
	struct err e;
	double x;

	parse(&r, "{\"a\": 1, \"b\": [1, 2], \"c\": \"x\"}");
	record_set_int(&r, "b", 7);
	record_set_number(&r, "d", 0.1);
	record_set_str(&r, "e", "q\"\xff");
	check_written(&r, "{\"a\": 1, \"b\": 7, \"c\": \"x\", \"d\": 0.1, \"e\": \"q\\\"\xef\xbf\xbd\"}");
	CHECK(record_number(&r, "d", &x, &e) == 0 && x == 0.1);
	CHECK(record_number(&r, "b", &x, &e) == 0 && x == 7);
	record_set_bool(&r, "d", true);
	record_set_null(&r, "a");
	check_written(&r, "{\"a\": null, \"b\": 7, \"c\": \"x\", \"d\": true, \"e\": \"q\\\"\xef\xbf\xbd\"}");
	record_copy(&copy, &r);
	record_remove(&r, "a");
	record_remove(&r, "c");
	record_remove(&r, "absent");
	check_written(&r, "{ \"b\": 7, \"d\": true, \"e\": \"q\\\"\xef\xbf\xbd\"}");
	record_remove(&r, "b");
	check_written(&r, "{\"d\": true, \"e\": \"q\\\"\xef\xbf\xbd\"}");
	record_set_int(&r, "b", 1);
	check_written(&r, "{\"d\": true, \"e\": \"q\\\"\xef\xbf\xbd\", \"b\": 1}");
	check_written(&copy, "{\"a\": null, \"b\": 7, \"c\": \"x\", \"d\": true, \"e\": \"q\\\"\xef\xbf\xbd\"}");

	parse(&r, "{\"a\":1,\"b\":2,\"c\":3 }");
	record_remove(&r, "c");
	record_set_int(&r, "d", 4);
	check_written(&r, "{\"a\":1,\"b\":2,\"d\":4}");
	parse(&r, " { } ");
	record_set_int(&r, "a", 1);
	check_written(&r, " {\"a\":1 } ");
	parse(&r, "{\"a\":1,\"b\":2}");
	record_remove(&r, "b");
	record_remove(&r, "a");
	check_written(&r, "{}");
	record_set_int(&r, "c", 1);
	check_written(&r, "{\"c\":1}");
	record_free(&r);
	record_free(&copy);
}

static void check_made(void)
{
	static const float lp[] = {-0.1f, 0, -1, -1e-7f};
	static const int32_t ids[] = {5, -1, 151643};
	static const struct named rewards[] = {{"accuracy", 1}, {"format", 0.5}, {"length", NAN}};
	struct record r = {0};
	struct js *l = js_array();

	check_written(&r, "{}");
	record_set_str(&r, "id", "x");
	record_set_floats(&r, "logprobs", lp, 4);
	record_set_ints(&r, "ids", ids, 3);
	record_set_ints(&r, "none", NULL, 0);
	record_set_named(&r, "rewards", rewards, 3);
	record_set_number(&r, "loss", NAN);
	record_set_uint(&r, "seed", UINT64_MAX);
	js_push(l, js_new_int(1));
	record_set_js(&r, "l", l);
	js_free(l);
	check_written(&r, "{\"id\":\"x\",\"logprobs\":[-0.1,0.0,-1.0,-1e-7],\"ids\":[5,-1,151643],\"none\":[],"
		"\"rewards\":{\"accuracy\":1.0,\"format\":0.5,\"length\":null},\"loss\":null,\"seed\":18446744073709551615,\"l\":[1]}");
	record_clear(&r);
	check_written(&r, "{}");
	record_free(&r);
}

static void check_errors(void)
{
	struct record r = {0};
	struct err e;
	struct buf b = {0};
	int i;

	parse(&r, "{\"id\": \"gsm8k-17\", \"completion\": 3}");
	r.file = "rollouts.jsonl";
	r.line = 1042;
	CHECK(record_string(&r, "completion", NULL, &e) == NULL);
	CHECK_STR(e.msg, "rollouts.jsonl:1042: 'completion' is a number, not a string (id gsm8k-17)");
	parse(&r, "{\"id\": 17}");
	CHECK_INT(record_error(&r, &e, "no good"), -1);
	CHECK_STR(e.msg, "no good (id 17)");
	parse(&r, "{\"id\": \"a\\nb\"}");
	record_error(&r, &e, "no good");
	CHECK_STR(e.msg, "no good (id a\\nb)");
	/* a long id is cut between characters */
	buf_str(&b, "{\"id\": \"x");
	for (i = 0; i < 100; i++)
		buf_str(&b, "\xc3\xa9");
	buf_str(&b, "\"}");
	parse(&r, b.p);
	record_error(&r, &e, "no good");
	CHECK_INT(strlen(e.msg), strlen("no good (id x)") + 62);
	buf_free(&b);
	record_free(&r);
}

int main(void)
{
	check_refused();
	check_depth();
	check_many_names();
	check_getters();
	check_pass_through();
	check_set();
	check_made();
	check_errors();
	return 0;
}
