/* Rewards through their specs: weights and options, what is written into the record, hand-computed penalties, bad records. */
#include "test.h"

#include "task/reward.h"

static struct rewards *open_one(const char *spec)
{
	struct err e;
	struct rewards *w = rewards_open(&spec, 1, &e);

	if (!w)
		TEST_FAIL("%s: %s", spec, e.msg);
	return w;
}

/* The record after scoring it with these specs, as text */
static const char *scored(const char *const *specs, size_t n, const char *line)
{
	static struct buf out;
	struct record r = {0};
	struct err e;
	struct rewards *w = rewards_open(specs, n, &e);

	if (!w || record_parse(&r, line, strlen(line), &e) < 0 || rewards_score(w, &r, NULL, &e) < 0)
		TEST_FAIL("%s: %s", line, e.msg);
	buf_clear(&out);
	record_write(&r, &out);
	record_free(&r);
	rewards_close(w);
	return out.p;
}

/* The one reward of this spec; NaN for null */
static double value(const char *spec, const char *line)
{
	struct rewards *w = open_one(spec);
	struct record r = {0};
	struct named *x;
	struct err e;
	double v;
	size_t n;

	if (record_parse(&r, line, strlen(line), &e) < 0 || rewards_score(w, &r, NULL, &e) < 0 || !(x = record_named(&r, "rewards", &n, &e)))
		TEST_FAIL("%s: %s", line, e.msg);
	CHECK_INT(n, 1);
	v = x[0].value;
	record_free(&r);
	rewards_close(w);
	return v;
}

static void written(void)
{
	static const char *const specs[] = {"accuracy", "format:0.1"};

	CHECK_STR(scored(specs, 2, "{\"id\":\"a\",\"answer\":\"42\",\"completion\":\"<think>x</think> <answer>42</answer>\"}"),
		"{\"id\":\"a\",\"answer\":\"42\",\"completion\":\"<think>x</think> <answer>42</answer>\",\"rewards\":{\"accuracy\":1.0,\"format\":1.0},"
		"\"reward\":1.1,\"extracted\":\"42\",\"verdict\":\"right: 42\"}");
	CHECK_STR(scored(specs, 2, "{\"answer\":\"42\",\"completion\":\"\\\\boxed{41}\",\"reward\":9}"),
		"{\"answer\":\"42\",\"completion\":\"\\\\boxed{41}\",\"reward\":0.0,\"rewards\":{\"accuracy\":0.0,\"format\":0.0},"
		"\"extracted\":\"41\",\"verdict\":\"wrong: 41, not 42; format: <think> is missing\"}");
	CHECK_STR(scored(specs, 2, "{\"completion\":\"\\\\boxed{41}\"}"),
		"{\"completion\":\"\\\\boxed{41}\",\"rewards\":{\"accuracy\":null,\"format\":0.0},\"reward\":0.0,\"extracted\":\"41\","
		"\"verdict\":\"no reference answer; format: <think> is missing\"}");
	CHECK_STR(scored(specs, 1, "{\"answer\":\"1\",\"type\":\"unheard-of\",\"completion\":\"\"}"),
		"{\"answer\":\"1\",\"type\":\"unheard-of\",\"completion\":\"\",\"rewards\":{\"accuracy\":null},\"reward\":0.0,\"extracted\":null,"
		"\"verdict\":\"no verifier for type 'unheard-of'\"}");
	CHECK_STR(scored(specs, 1, "{\"answer\":\"1\",\"prompt\":\"<think>\",\"completion\":\"1\"}"),
		"{\"answer\":\"1\",\"prompt\":\"<think>\",\"completion\":\"1\",\"rewards\":{\"accuracy\":0.0},\"reward\":0.0,\"extracted\":null,"
		"\"verdict\":\"no answer found: <think> is not closed\"}");
}

static void accuracy(void)
{
	CHECK(value("accuracy", "{\"answer\":\"1/2\",\"completion\":\"<answer>0.50</answer>\"}") == 1);
	CHECK(value("accuracy", "{\"answer\":\"7\",\"completion\":\"so 7.\"}") == 0);
	CHECK(value("accuracy,extract=answer,last-number", "{\"answer\":\"7\",\"completion\":\"so 7.\"}") == 1);
	CHECK(value("accuracy,extract=all", "{\"answer\":\"7\",\"completion\":\" 7. \"}") == 1);
	CHECK(value("accuracy", "{\"answer\":\"7\",\"type\":\"text\",\"completion\":\"\\\\boxed{7.0}\"}") == 0);
	CHECK(value("accuracy,type=math", "{\"answer\":\"7\",\"type\":\"text\",\"completion\":\"\\\\boxed{7.0}\"}") == 1);
	CHECK(isnan(value("accuracy", "{\"answer\":null,\"completion\":\"\\\\boxed{7}\"}")));
}

/* Yu et al.'s penalty for a longest length of 100 and a buffer of 20 */
static void length(void)
{
	static const struct {
		int n;
		double want;
	} cases[] = {{0, 0}, {50, 0}, {80, 0}, {81, -.05}, {90, -.5}, {100, -1}, {110, -1}};
	size_t i;
	int j;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b = {0};

		buf_str(&b, "{\"completion\":\"\",\"completion_ids\":[");
		for (j = 0; j < cases[i].n; j++)
			buf_printf(&b, "%s%d", j ? "," : "", j);
		buf_str(&b, "]}");
		CHECK_NEAR(value("length,max=100,buffer=20", b.p), cases[i].want, 1e-15);
		buf_free(&b);
	}
	CHECK_NEAR(value("length,max=4,buffer=2,unit=words", "{\"completion\":\" one  two\\nthree \"}"), -.5, 0);
	CHECK_NEAR(value("length,max=2,unit=characters", "{\"completion\":\"\\u7b49\\u7b49\"}"), 0, 0);
	CHECK_NEAR(value("length,max=2,unit=characters", "{\"completion\":\"\\u7b49\\u7b49x\"}"), -1, 0);
}

/* max = 100: cos(pi/3) = 1/2, cos(pi/2) = 0, cos(2 pi/3) = -1/2 */
static void cosine(void)
{
	static const struct {
		const char *more;
		int n;
		double right, wrong;
	} cases[] = {
		{"", 0, 1, -1}, {"", 50, .75, -.75}, {"", 100, .5, -.5}, {"", 150, .5, -.5}, {",over=-10", 99, .5001233, -.5001233}, {",over=-10", 100, -10, -10},
		{",right-short=2,right-long=1,wrong-short=-10,wrong-long=0", 50, 1.5, -5}, {",right-short=0,right-long=4", 25, .5857864376, -.926776695},
	};
	size_t i;
	int j, right;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (right = 0; right < 2; right++) {
			struct buf b = {0}, spec = {0};

			buf_printf(&b, "{\"answer\":\"1\",\"completion\":\"<answer>%d</answer>\",\"completion_ids\":[", right);
			for (j = 0; j < cases[i].n; j++)
				buf_printf(&b, "%s%d", j ? "," : "", j);
			buf_str(&b, "]}");
			buf_printf(&spec, "cosine,max=100%s", cases[i].more);
			CHECK_NEAR(value(spec.p, b.p), right ? cases[i].right : cases[i].wrong, 1e-7);
			buf_free(&b);
			buf_free(&spec);
		}
	}
	/* Four of eight characters; not right by the usual extraction, right by that of the accuracy before it */
	CHECK_NEAR(value("cosine,max=8,unit=characters", "{\"answer\":\"7\",\"completion\":\"so 7\"}"), -.75, 1e-15);
	CHECK(isnan(value("cosine,max=8,unit=characters", "{\"completion\":\"so 7\"}")));
	{
		static const char *const specs[] = {"accuracy,extract=last-number", "cosine,max=8,unit=characters"};

		CHECK_STR(scored(specs, 2, "{\"answer\":\"7\",\"completion\":\"so 7\"}"), "{\"answer\":\"7\",\"completion\":\"so 7\",\"rewards\":"
			"{\"accuracy\":1.0,\"cosine\":0.75},\"reward\":1.75,\"extracted\":\"7\",\"verdict\":\"right: 7; cosine: right in 4 of 8 characters\"}");
	}
}

static void steps(void)
{
	static const struct {
		const char *completion;
		double want;
	} cases[] = {
		{"", 0}, {"<think>Step 1: a Step 2: b</think>Step 3: c", 2. / 3}, {"1. a\\n2. b\\n3. c\\n4. d", 1}, {"1.a 2.b", 1. / 3},
		{"- a\\n- b\\n* c", 2. / 3}, {"First, a. Next, b. Finally, c.", 1}, {"First of all", 0}, {"Step one: a, step 2: b", 0}, {"1 - 2 * 3 = -5", 0},
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b = {0};

		buf_printf(&b, "{\"completion\":\"%s\"}", cases[i].completion);
		CHECK_NEAR(value("steps", b.p), cases[i].want, 1e-15);
		buf_free(&b);
	}
	CHECK_NEAR(value("steps,n=2", "{\"completion\":\"Step 1: a\"}"), .5, 0);
}

static void repetition(void)
{
	CHECK_NEAR(value("repetition,n=2", "{\"completion\":\"this this this this this\"}"), -.75, 1e-15);
	CHECK_NEAR(value("repetition,n=3", "{\"completion\":\"A B C A B C\"}"), -.25, 1e-15);
	CHECK_NEAR(value("repetition,n=3", "{\"completion\":\"A B C C B A\"}"), 0, 0);
	CHECK_NEAR(value("repetition,n=3", "{\"completion\":\"A B\"}"), 0, 0);
	CHECK_NEAR(value("repetition,n=1,penalty=-4", "{\"completion\":\"Go go\\tGO stop\"}"), -2, 1e-15);
	CHECK_NEAR(value("repetition,n=2", "{\"completion\":\"\\u7b49\\u7b49\\u7b49\"}"), -.5, 1e-15);
	CHECK_NEAR(value("repetition,n=2,unit=tokens", "{\"completion\":\"\",\"completion_ids\":[1,2,1,2,3]}"), -.25, 1e-15);
}

static void language(void)
{
	const char *mixed = "{\"language\":\"en\",\"completion\":\"<think>so we wait \\u7b49\\u7b49 x = 3</think> \\u7b49\\u7b49\"}";

	CHECK_NEAR(value("language", mixed), .75, 1e-15);
	CHECK_NEAR(value("language,target=zh-Hans", mixed), .25, 1e-15);
	CHECK_NEAR(value("language,target=en", "{\"completion\":\"<think>We have two and so on. Das ist aber nicht so.</think>\"}"), .5, .1);
	CHECK_NEAR(value("language,target=sv", "{\"completion\":\"<think>We have two and so on. Das ist aber nicht so.</think>\"}"), 1, 0);
	CHECK(isnan(value("language", "{\"completion\":\"words\"}")));
	CHECK(isnan(value("language", "{\"language\":\"xx\",\"completion\":\"words\"}")));
	CHECK(value("language,target=en", "{\"completion\":\"1 + 1 = 2\"}") == 1);
	CHECK(value("language,target=en", "{\"completion\":\"<think> </think> hello\"}") == 0);
}

/* A weight of 0 is only looked at; null counts nothing; one reward may stand twice under two names. */
static void weights(void)
{
	static const char *const specs[] = {"accuracy:2", "repetition:0,n=2,as=two", "repetition:-0.5,n=1,as=one", "language:7"};
	static const char *const line = "{\"answer\":\"5\",\"completion\":\"x x \\\\boxed{5}\"}";
	struct rewards *w;
	struct reward_mean mean[8];
	struct record r = {0};
	struct err e;
	double sum, value[8];

	w = rewards_open(specs, 4, &e);
	CHECK(w && record_parse(&r, line, strlen(line), &e) == 0 && rewards_score(w, &r, NULL, &e) == 0);
	CHECK(record_number(&r, "reward", &sum, &e) == 0);
	CHECK_NEAR(sum, 2 + .5 / 3, 1e-15);
	CHECK_INT(rewards_last(w, value, 8), 5);
	CHECK_NEAR(value[0], sum, 0);
	rewards_count(w, value);
	CHECK_INT(rewards_means(w, mean, 8), 5);
	CHECK_STR(mean[0].name, "reward");
	CHECK_NEAR(mean[0].mean, sum, 0);
	CHECK_STR(mean[3].name, "one");
	CHECK_NEAR(mean[3].mean, -1. / 3, 1e-15);
	CHECK(isnan(mean[4].mean) && mean[4].count == 0);
	record_free(&r);
	rewards_close(w);
}

static void bad_specs(void)
{
	static const char *const cases[][2] = {
		{"accurcy", "there is no reward 'accurcy', only "},
		{"", "there is no reward '', only "},
		{"accuracy:x", "accuracy: weight: 'x' is not a number"},
		{"accuracy:", "accuracy: weight: '' is not a number"},
		{"accuracy,", "accuracy: '' should be OPTION=VALUE"},
		{"accuracy,extract=nowhere", "accuracy: 'nowhere' is none of answer, boxed, answer-is, last-number, all"},
		{"accuracy,where=answer", "accuracy: there is no option 'where'"},
		{"accuracy,boxed", "accuracy: 'boxed' should be OPTION=VALUE"},
		{"accuracy,type=poem", "accuracy: no verifier for type 'poem'"},
		{"length", "length: max=N must be given"},
		{"length,max=10,buffer=20", "length: buffer=20 is more than max=10"},
		{"length,max=10,unit=pages", "length: option 'unit': 'pages' is none of tokens|words|characters"},
		{"length,max=0", "length: option 'max': 0 is not between 1 and 1000000000"},
		{"language,target=klingon", "language: the script of language 'klingon' is not known"},
		{"accuracy,as=", "accuracy: as= needs a name"}};
	static const char *const twice[] = {"length,max=9", "length,max=8"};
	struct err e;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rewards *w = rewards_open(&cases[i][0], 1, &e);

		if (w || strncmp(e.msg, cases[i][1], strlen(cases[i][1])))
			TEST_FAIL("'%s' gives: %s", cases[i][0], w ? "no error" : e.msg);
	}
	CHECK(!rewards_open(twice, 2, &e));
	CHECK_STR(e.msg, "two rewards would be written as 'length': as=NAME gives one another name");
}

static void bad_records(void)
{
	static const char *const cases[][3] = {
		{"accuracy", "{\"id\":\"a\"}", "'completion' is missing (id a)"},
		{"accuracy", "{\"id\":\"a\",\"completion\":7}", "'completion' is a number, not a string (id a)"},
		{"accuracy", "{\"id\":\"a\",\"completion\":\"\",\"answer\":7}", "'answer' is a number, not a string (id a)"},
		{"accuracy", "{\"completion\":\"\",\"answer\":\"7\",\"type\":[]}", "'type' is an array, not a string"},
		{"format", "{\"completion\":\"\",\"prompt\":[]}", "'prompt' is an array, not a string"},
		{"length,max=9", "{\"id\":\"a\",\"completion\":\"\"}", "'completion_ids' is missing (id a)"},
		{"repetition,unit=tokens", "{\"completion\":\"\",\"completion_ids\":[1.5]}", "'completion_ids'..."},
		{"language", "{\"completion\":\"\",\"language\":1}", "'language' is a number, not a string"}};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rewards *w = open_one(cases[i][0]);
		struct record r = {0};
		struct err e;
		const char *want = cases[i][2];
		size_t n = strlen(want);

		CHECK(record_parse(&r, cases[i][1], strlen(cases[i][1]), &e) == 0);
		CHECK(rewards_score(w, &r, NULL, &e) < 0);
		if (strstr(want, "..."))
			n -= 3;
		if (!strstr(e.msg, want) && strncmp(e.msg, want, n))
			TEST_FAIL("%s gives: %s", cases[i][1], e.msg);
		CHECK(!record_has(&r, "reward"));
		record_free(&r);
		rewards_close(w);
	}
}

int main(void)
{
	written();
	accuracy();
	length();
	cosine();
	steps();
	repetition();
	language();
	weights();
	bad_specs();
	bad_records();
	return 0;
}
