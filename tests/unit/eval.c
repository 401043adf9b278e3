/* Evaluation: pass@k, majority votes and their ties, what is left out, reflection words, rows by value. */
#include "test.h"

#include "task/eval.h"
#include "task/reflect.h"

static struct eval *open_with(const char *pass, const char *cons)
{
	struct eval_options o = {
		.pass = pass, .cons = cons, .correct = "accuracy", .right = 1, .unit = "auto", .reflect = REFLECT_WORDS, .resamples = 200};
	struct err e;
	struct eval *v = eval_open(&o, &e);

	if (!v)
		TEST_FAIL("%s", e.msg);
	return v;
}

static void add_to(struct eval *v, const char *file, const char *field, const char *value, const char *line)
{
	const struct eval_sample *s;
	struct record r = {0};
	struct err e;

	if (record_parse(&r, line, strlen(line), &e) < 0 || eval_look(v, &r, &s, &e) < 0)
		TEST_FAIL("%s: %s", line, e.msg);
	eval_add(eval_row(v, file, NULL, NULL), s);
	if (field)
		eval_add(eval_row(v, file, field, value), s);
	record_free(&r);
}

/* A sample of problem `id` that answered so, right or not (-1: null) */
static void add(struct eval *v, const char *id, int sample, const char *extracted, int right)
{
	char line[256], accuracy[8], quoted[64];

	snprintf(accuracy, sizeof accuracy, right < 0 ? "null" : "%d", right);
	snprintf(quoted, sizeof quoted, extracted ? "\"%s\"" : "null", extracted);
	snprintf(line, sizeof line, "{\"id\":\"%s\",\"sample\":%d,\"completion\":\"x\",\"extracted\":%s,\"rewards\":{\"accuracy\":%s}}", id, sample,
		quoted, accuracy);
	add_to(v, NULL, NULL, NULL, line);
}

static double metric(struct eval *v, size_t row, const char *name)
{
	struct record r = {0};
	struct err e;
	double x = NAN;

	eval_record(v, eval_row_at(v, row), &r);
	if (record_has(&r, name) && record_number(&r, name, &x, &e) < 0)
		TEST_FAIL("%s", e.msg);
	record_free(&r);
	return x;
}

/* Two problems: 1 of 4 right, 3 of 4 right. */
static void pass_at_k(void)
{
	struct eval *v = open_with("1,2,4,5", NULL);
	int i;

	for (i = 0; i < 4; i++) {
		add(v, "a", i, i == 2 ? "1" : "0", i == 2);
		add(v, "b", i, i == 2 ? "0" : "1", i != 2);
	}
	eval_finish(v);
	CHECK_INT(eval_rows(v), 1);
	CHECK_NEAR(metric(v, 0, "pass@1"), .5, 1e-15);
	CHECK_NEAR(metric(v, 0, "pass@2"), (1 - 3. / 6 + 1) / 2, 1e-15);
	CHECK_NEAR(metric(v, 0, "pass@4"), 1, 1e-15);
	CHECK(isnan(metric(v, 0, "pass@5")));
	CHECK_NEAR(metric(v, 0, "cons@4"), .5, 1e-15);
	CHECK_NEAR(metric(v, 0, "problems"), 2, 0);
	CHECK_INT(eval_largest_k(v), 5);
	CHECK_INT(eval_short(eval_row_at(v, 0), 5), 2);
	CHECK_INT(eval_short(eval_row_at(v, 0), 4), 0);
	eval_close(v);
}

static double cons(const char *const *answer, const int *right, size_t n, const char *k, const char *name)
{
	struct eval *v = open_with("1", k);
	double x;
	size_t i;

	for (i = n; i-- > 0;)           /* not in the order of `sample` */
		add(v, "a", (int)i, answer[i], right[i]);
	eval_finish(v);
	x = metric(v, 0, name);
	eval_close(v);
	return x;
}

static void votes(void)
{
	static const char *const tie[] = {"5", "7", "7", "5"}, *const forms[] = {"1/2", "3", "0.50", "3"}, *const none[] = {NULL, NULL, NULL, "9"};
	static const char *const some[] = {"4", "8", "8", "4", "4"};
	static const int first[] = {0, 1, 1, 0}, half[] = {1, 0, 1, 0}, last[] = {0, 0, 0, 1}, null[] = {1, -1, -1, -1, -1}, eight[] = {0, 1, 1, 0, 0};
	static const int wrong[] = {0, 0, 0, 0};

	CHECK(cons(tie, first, 4, "4", "cons@4") == 0);         /* 5 was seen first */
	CHECK(cons(tie + 1, first + 1, 3, "3", "cons@3") == 1);
	CHECK(cons(forms, half, 4, "4", "cons@4") == 1);        /* 1/2 and 0.50 vote together, and were first */
	CHECK(cons(none, last, 4, "4", "cons@4") == 1);         /* no answer, no vote */
	CHECK(cons(none, wrong, 3, "3", "cons@3") == 0);
	CHECK(cons(some, eight, 5, "3", "cons@3") == 1);        /* the first 3 only */
	CHECK(cons(some, eight, 5, "5", "cons@5") == 0);
	CHECK(cons(some, null, 5, "1", "cons@1") == 1);         /* null does not count */
	CHECK(isnan(cons(some, null, 5, "2", "cons@2")));
}

static void figures(void)
{
	struct eval *v = open_with("1", NULL);

	add_to(v, NULL, NULL, NULL, "{\"id\":\"a\",\"completion\":\"<think>wait, so. Wait</think> <answer>wait</answer>\",\"finish_reason\":\"stop\","
		"\"reward\":1.5,\"rewards\":{\"accuracy\":1,\"format\":1}}");
	add_to(v, NULL, NULL, NULL, "{\"id\":\"b\",\"completion\":\"\\u7b49\\u7b49 and so on\",\"finish_reason\":\"length\",\"reward\":0.5,"
		"\"rewards\":{\"accuracy\":0,\"length\":-1}}");
	add_to(v, NULL, NULL, NULL, "{\"id\":\"c\",\"completion\":\"\",\"rewards\":{\"accuracy\":null}}");
	eval_finish(v);
	CHECK_NEAR(metric(v, 0, "unscored"), 1, 0);
	CHECK_NEAR(metric(v, 0, "pass@1"), .5, 1e-15);
	CHECK_NEAR(metric(v, 0, "reward"), 1, 1e-15);
	CHECK_NEAR(metric(v, 0, "rewards/format/mean"), 1, 0);
	CHECK_NEAR(metric(v, 0, "rewards/length/mean"), -1, 0);
	CHECK_NEAR(metric(v, 0, "rewards/accuracy/std"), sqrt(.5), 1e-15);
	CHECK_NEAR(metric(v, 0, "completions/mean_length"), 8. / 3, 1e-15);
	CHECK_NEAR(metric(v, 0, "completions/min_length"), 0, 0);
	CHECK_NEAR(metric(v, 0, "completions/max_length"), 4, 0);
	CHECK_NEAR(metric(v, 0, "completions/mean_terminated_length"), 4, 0);
	CHECK_NEAR(metric(v, 0, "completions/clipped_ratio"), .5, 0);
	CHECK_NEAR(metric(v, 0, "format_rate"), 1. / 3, 1e-15);
	CHECK_NEAR(metric(v, 0, "reflection_rate"), 2. / 3, 1e-15);
	CHECK_NEAR(metric(v, 0, "reflections"), 1, 1e-15);      /* two in the reasoning of one, one in another */
	CHECK_NEAR(metric(v, 0, "language_mix_rate"), 1. / 3, 1e-15);
	eval_close(v);
}

/* Rows: a file's total first, then its values, numbers before text before what is missing. */
static void rows(void)
{
	static const char *const line = "{\"id\":\"a\",\"completion\":\"x\",\"rewards\":{\"accuracy\":1}}";
	static const char *const want[] = {NULL, "2", "10", "\"b\"", "null", NULL, "2"};
	struct eval *v = open_with("1", NULL);
	struct record r = {0};
	struct buf text = {0};
	struct err e;
	size_t i;

	add_to(v, "z", "level", "null", line);
	add_to(v, "z", "level", "\"b\"", line);
	add_to(v, "z", "level", "10", line);
	add_to(v, "z", "level", "2", line);
	add_to(v, "a", "level", "2", line);
	eval_finish(v);
	CHECK_INT(eval_rows(v), 7);
	for (i = 0; i < 7; i++) {
		eval_record(v, eval_row_at(v, i), &r);
		CHECK_STR(record_string(&r, "file", NULL, &e), i < 5 ? "z" : "a");
		if (want[i] && (*want[i] == '2' || *want[i] == '1'))
			CHECK_NEAR(metric(v, i, "level"), atof(want[i]), 0);
		else
			CHECK_STR(record_type(&r, "level"), !want[i] ? "missing" : *want[i] == '"' ? "a string" : "null");
	}
	eval_table(v, &text);
	CHECK(strstr(text.p, "z level=10 "));
	record_free(&r);
	buf_free(&text);
	eval_close(v);
}

static void reflection(void)
{
	static const struct {
		const char *text;
		int count;
	} cases[] = {{"Wait, wait", 2}, {"the waiter awaits", 0}, {"WAIT", 1}, {"let me\n  check this", 1}, {"let me recheck", 1}, {"re-check", 1},
		{"\xe7\xad\x89\xe7\xad\x89\xe7\xad\x89\xe7\xad\x89", 2}, {"\xe6\x88\x91\xe9\x87\x8d\xe6\x96\xb0wait", 2}, {"", 0},
		{"wai", 0}, {"wait1", 1}};
	struct err e;
	struct reflect *w = reflect_open(REFLECT_WORDS, &e);
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++)
		if (reflect_count(w, cases[i].text, strlen(cases[i].text)) != cases[i].count)
			TEST_FAIL("'%s' has %d", cases[i].text, (int)reflect_count(w, cases[i].text, strlen(cases[i].text)));
	reflect_close(w);
	w = reflect_open("check,let me check", &e);
	CHECK_INT(reflect_count(w, "let me check", 12), 1);     /* the longest, once */
	reflect_close(w);
	CHECK(!reflect_open("wait,,so", &e));
	CHECK_STR(e.msg, "an empty word in 'wait,,so'");
	CHECK(!reflect_open("wait, so", &e));
	CHECK_STR(e.msg, "a word that begins with a blank in 'wait, so'");
}

/* Wilson's interval goes over all samples (here equally many of each problem), the bootstrap over problems; the same seed gives the same. */
static void intervals(void)
{
	struct eval_options o = {
		.pass = "1", .correct = "accuracy", .right = 1, .unit = "words", .reflect = "wait", .resamples = 500, .wilson = true};
	double low[3];
	int k, i, j;

	for (k = 0; k < 3; k++) {
		struct err e;
		struct eval *v;

		o.wilson = k == 0;
		v = eval_open(&o, &e);
		for (i = 0; i < 10; i++) {
			for (j = 0; j < 10; j++) {
				char id[8];

				snprintf(id, sizeof id, "p%d", k == 2 ? 9 - i : i);
				add(v, id, j, "1", (k == 2 ? 9 - i : i) < 5);
			}
		}
		eval_finish(v);
		CHECK_NEAR(metric(v, 0, "pass@1"), .5, 0);
		low[k] = metric(v, 0, "pass@1/low");
		eval_close(v);
	}
	CHECK_NEAR(low[0], .4038315, 1e-6);     /* 50 of 100 */
	CHECK(low[1] >= .1 && low[1] <= .3);    /* 10 problems, all or nothing: near .5 - 1.96 sqrt(.25 / 10) */
	CHECK(low[1] == low[2]);                /* whatever the order */
}

static void bad(void)
{
	static const char *const cases[][2] = {
		{"{\"completion\":\"x\",\"rewards\":{\"accuracy\":1}}", "'id' is missing"},
		{"{\"id\":\"a\",\"completion\":\"x\"}", "'rewards' is missing (id a)"},
		{"{\"id\":\"a\",\"completion\":\"x\",\"rewards\":{\"format\":1}}", "'rewards' has no 'accuracy' (id a)"},
		{"{\"id\":\"a\",\"completion\":\"x\",\"rewards\":{\"accuracy\":\"1\"}}", "'rewards..."},
		{"{\"id\":\"a\",\"rewards\":{\"accuracy\":1}}", "'completion' is missing (id a)"},
		{"{\"id\":\"a\",\"completion\":\"x\",\"extracted\":3,\"rewards\":{\"accuracy\":1}}", "'extracted' is a number, not a string (id a)"},
		{"{\"id\":\"a\",\"completion\":\"x\",\"sample\":\"0\",\"rewards\":{\"accuracy\":1}}", "'sample' is a string, not ..."}};
	struct eval_options o = {.pass = "1,0", .correct = "accuracy", .right = 1, .unit = "words", .reflect = "wait", .resamples = 10};
	struct eval *v = open_with("1", NULL);
	const struct eval_sample *s;
	struct record r = {0};
	struct err e;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t n = strcspn(cases[i][1], ".");

		CHECK(record_parse(&r, cases[i][0], strlen(cases[i][0]), &e) == 0);
		if (eval_look(v, &r, &s, &e) == 0 || strncmp(e.msg, cases[i][1], n))
			TEST_FAIL("%s gives: %s", cases[i][0], e.msg);
	}
	record_free(&r);
	eval_close(v);
	CHECK(!eval_open(&o, &e));
	CHECK_STR(e.msg, "pass@k: 0 is not between 1 and 1073741824");
}

int main(void)
{
	pass_at_k();
	votes();
	figures();
	rows();
	reflection();
	intervals();
	bad();
	return 0;
}
