/* Filters: what each rejects and why, in a row, over whole groups. */
#include "test.h"

#include "task/filter.h"

enum { MOST = 16 };

struct lines {
	struct record r[MOST], *at[MOST];
	size_t n;
};

static void read_lines(struct lines *l, const char *const *line, size_t n)
{
	struct err e;
	size_t i;

	*l = (struct lines){.n = n};
	for (i = 0; i < n; i++) {
		if (record_parse(&l->r[i], line[i], strlen(line[i]), &e) < 0)
			TEST_FAIL("%s: %s", line[i], e.msg);
		l->r[i].file = "x";
		l->r[i].line = (int64_t)i + 1;
		l->at[i] = &l->r[i];
	}
}

/* What is rejected of the group that the lines are, as "I: REASON" joined by "; " */
static const char *rejected_with(struct filters *f, const char *const *line, size_t n)
{
	static struct buf out;
	struct lines l;
	struct err e;
	size_t i;

	read_lines(&l, line, n);
	for (i = 0; i < n; i++)
		if (filters_look(f, l.at[i], &e) < 0)
			TEST_FAIL("%s: %s", line[i], e.msg);
	filters_apply(f, l.at, n);
	buf_clear(&out);
	for (i = 0; i < n; i++) {
		if (record_has(l.at[i], "rejected"))
			buf_printf(&out, "%s%zu: %s", out.n ? "; " : "", i, record_string(l.at[i], "rejected", NULL, &e));
		record_free(l.at[i]);
	}
	return out.n ? out.p : "";
}

static struct filters *open_all(const char *const *specs, size_t n)
{
	struct err e;
	struct filters *f = filters_open(specs, n, 1, &e);

	if (!f)
		TEST_FAIL("%s", e.msg);
	return f;
}

static const char *rejected(const char *spec, const char *const *line, size_t n)
{
	struct filters *f = open_all(&spec, 1);
	const char *text = rejected_with(f, line, n);

	filters_close(f);
	return text;
}

static void groups(void)
{
	static const char *const same[] = {"{\"reward\":1,\"rewards\":{\"accuracy\":1,\"format\":0}}", "{\"reward\":1,\"rewards\":{\"accuracy\":0,\"format\":1}}"};
	static const char *const near[] = {"{\"reward\":1}", "{\"reward\":1.05}", "{\"reward\":1}"};
	static const char *const rate[] = {
		"{\"rewards\":{\"accuracy\":1}}", "{\"rewards\":{\"accuracy\":0}}", "{\"rewards\":{\"accuracy\":null}}", "{\"rewards\":{\"accuracy\":0.5}}"};

	CHECK_STR(rejected("no-signal", same, 2), "0: no-signal: all 2 have reward 1; 1: no-signal: all 2 have reward 1");
	CHECK_STR(rejected("no-signal,of=accuracy", same, 2), "");
	CHECK_STR(rejected("no-signal", same, 1), "0: no-signal: alone in its group");
	CHECK_STR(rejected("no-signal", near, 3), "");
	CHECK_STR(rejected("no-signal,within=0.1", near, 2),
		"0: no-signal: all 2 have reward 1 to 1.05; 1: no-signal: all 2 have reward 1 to 1.05");
	/* 1 of the 3 that were judged */
	CHECK_STR(rejected("pass-rate,min=.3,max=.34", rate, 4), "");
	CHECK_STR(rejected("pass-rate,min=.5", rate + 1, 3),
		"0: pass-rate: 0 of 2 is under 0.5; 1: pass-rate: 0 of 2 is under 0.5; 2: pass-rate: 0 of 2 is under 0.5");
	CHECK_STR(rejected("pass-rate,max=.9", rate, 1), "0: pass-rate: 1 of 1 is over 0.9");
	CHECK_STR(rejected("pass-rate,right=.5,min=1", rate + 3, 1), "");
	CHECK_STR(rejected("pass-rate", rate + 2, 1), "0: pass-rate: accuracy is null");
}

static void each(void)
{
	static const char *const c[] = {
		"{\"id\":\"a\",\"completion\":\"<think>x</think> <answer>1</answer>\",\"finish_reason\":\"stop\",\"reward\":1.1,"
		"\"rewards\":{\"accuracy\":1},\"verdict\":\"right: 1\"}",
		"{\"id\":\"a\",\"completion\":\"one two three\",\"finish_reason\":\"length\",\"reward\":0.5,"
		"\"rewards\":{\"accuracy\":0},\"verdict\":\"wrong: 2, not 1\"}",
		"{\"id\":\"a\",\"completion\":\"one two three\",\"finish_reason\":\"stop\",\"reward\":0,\"rewards\":{\"accuracy\":null}}"};

	CHECK_STR(rejected("correct", c, 3), "1: correct: wrong: 2, not 1; 2: correct: accuracy is null");
	CHECK_STR(rejected("min-reward,min=.5", c, 3), "2: min-reward: reward 0 is under 0.5");
	CHECK_STR(rejected("min-reward,of=accuracy", c, 3), "1: min-reward: accuracy 0 is under 1; 2: min-reward: accuracy is null");
	CHECK_STR(rejected("truncated", c, 3), "1: truncated: finish_reason is length");
	CHECK_STR(rejected("format", c, 3), "1: format: <think> is missing; 2: format: <think> is missing");
	CHECK_STR(rejected("length,unit=words,max=2", c, 2), "1: length: 3 words are over 2");
	CHECK_STR(rejected("length,unit=words,min=3", c, 2), "0: length: 2 words are under 3");
	CHECK_STR(rejected("duplicate", c, 3), "2: duplicate: the completion of x:2");
	CHECK_STR(rejected("at-most,k=1", c, 3), "1: at-most: 1 before it are kept; 2: at-most: 1 before it are kept");
	CHECK_STR(rejected("at-most,k=2,pick=shortest", c, 3), "0: at-most: 2 others are kept");
	CHECK_STR(rejected("at-most,k=3", c, 3), "");
}

/* State lasts from group to group: the second id that has a problem is rejected with all of its lines. */
static void problems(void)
{
	static const char *const first[] = {"{\"id\":\"a\",\"problem\":\"1 + 1\"}", "{\"id\":\"a\",\"problem\":\"1 + 1\"}"};
	static const char *const second[] = {"{\"id\":\"b\",\"problem\":\" 1  + 1\"}"};
	static const char *const third[] = {"{\"id\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":\"1 + 1\"}]}"};
	static const char *const fourth[] = {"{\"id\":\"d\",\"messages\":[{\"role\":\"user\",\"content\":\"1 + 1\"}]}"};
	const char *spec = "duplicate,of=problem";
	struct filters *f = open_all(&spec, 1);

	CHECK(!filters_grouped(f));
	CHECK_STR(rejected_with(f, first, 2), "");
	CHECK_STR(rejected_with(f, second, 1), "0: duplicate: the problem of a");
	CHECK_STR(rejected_with(f, third, 1), "");
	CHECK_STR(rejected_with(f, fourth, 1), "0: duplicate: the problem of c");
	CHECK_STR(rejected_with(f, first, 1), "");
	filters_close(f);
}

/* Each sees what those before it have kept; the counts add up; an old `rejected` goes. */
static void in_a_row(void)
{
	static const char *const specs[] = {"correct", "duplicate", "at-most,k=1"};
	static const char *const c[] = {
		"{\"id\":\"a\",\"completion\":\"x\",\"rewards\":{\"accuracy\":0}}", "{\"id\":\"a\",\"completion\":\"x\",\"rewards\":{\"accuracy\":1},\"rejected\":\"old\"}",
		"{\"id\":\"a\",\"completion\":\"x\",\"rewards\":{\"accuracy\":1}}", "{\"id\":\"a\",\"completion\":\"y\",\"rewards\":{\"accuracy\":1}}"};
	struct filters *f = open_all(specs, 3);
	int64_t count;

	CHECK(filters_grouped(f));
	CHECK_STR(rejected_with(f, c, 4), "0: correct: accuracy 0; 2: duplicate: the completion of x:2; 3: at-most: 1 before it are kept");
	CHECK_INT(filters_read(f), 4);
	CHECK_INT(filters_kept(f), 1);
	CHECK_STR(filters_rejected(f, 1, &count), "duplicate");
	CHECK_INT(count, 1);
	CHECK(!filters_rejected(f, 3, &count));
	filters_close(f);
}

/* Drawn by seed, id and sample: the same lines in any order, others under another seed or id. */
static void drawn(void)
{
	const char *spec = "at-most,k=4,pick=random";
	char text[4][MOST][64];
	const char *line[4][MOST];
	char seen[4][MOST + 1] = {{0}};
	int i, k;

	for (i = 0; i < MOST; i++) {
		snprintf(text[0][i], 64, "{\"id\":\"a\",\"sample\":%d}", i);
		snprintf(text[1][i], 64, "{\"id\":\"a\",\"sample\":%d}", (i * 5 + 3) % MOST);
		snprintf(text[2][i], 64, "{\"id\":\"b\",\"sample\":%d}", i);
		snprintf(text[3][i], 64, "{\"id\":\"a\",\"sample\":%d}", i);
	}
	for (k = 0; k < 4; k++) {
		struct err e;
		struct filters *f = filters_open(&spec, 1, k == 3 ? 2 : 1, &e);
		struct lines l;
		int kept = 0;

		for (i = 0; i < MOST; i++)
			line[k][i] = text[k][i];
		read_lines(&l, line[k], MOST);
		filters_apply(f, l.at, MOST);
		for (i = 0; i < MOST; i++) {
			int64_t sample;

			record_int(l.at[i], "sample", &sample, &e);
			seen[k][sample] = record_has(l.at[i], "rejected") ? '-' : 'x';
			kept += seen[k][sample] == 'x';
			record_free(l.at[i]);
		}
		CHECK_INT(kept, 4);
		filters_close(f);
	}
	CHECK_STR(seen[1], seen[0]);
	CHECK(strcmp(seen[2], seen[0]));
	CHECK(strcmp(seen[3], seen[0]));
}

static void bad(void)
{
	static const char *const specs[][2] = {
		{"no-signl", "there is no filter 'no-signl', only "}, {"correct:1", "correct: a weight means nothing here"},
		{"at-most", "at-most: k=N must be given"},
		{"pass-rate,min=.9,max=.1", "pass-rate: min=0.9 is more than max=0.1"},
		{"pass-rate,min=2", "pass-rate: option 'min': 2 is not between 0 and 1"},
		{"duplicate,of=answer", "duplicate: option 'of': 'answer' is none of completion|problem"},
		{"length,min=3,max=2", "length: min=3 is more than max=2"},
		{"truncated,x=1", "truncated: there is no option 'x'"}};
	static const char *const fields[][2] = {
		{"no-signal", "'reward' is missing"}, {"correct", "'rewards' is missing"}, {"truncated", "'finish_reason' is missing"},
		{"format", "'completion' is missing"}, {"length", "'completion' is missing"}, {"duplicate", "'completion' is missing"},
		{"at-most,k=1", "'id' is missing"}, {"duplicate,of=problem", "'id' is missing"}};
	struct record r = {0};
	struct err e;
	size_t i;

	for (i = 0; i < sizeof specs / sizeof *specs; i++) {
		if (filters_open(&specs[i][0], 1, 0, &e) || strncmp(e.msg, specs[i][1], strlen(specs[i][1])))
			TEST_FAIL("'%s' gives: %s", specs[i][0], e.msg);
	}
	for (i = 0; i < sizeof fields / sizeof *fields; i++) {
		struct filters *f = open_all(&fields[i][0], 1);

		CHECK(record_parse(&r, "{\"x\":1}", 7, &e) == 0);
		CHECK(filters_look(f, &r, &e) < 0);
		CHECK_STR(e.msg, fields[i][1]);
		filters_close(f);
	}
	record_free(&r);
}

int main(void)
{
	groups();
	each();
	problems();
	in_a_row();
	drawn();
	bad();
	return 0;
}
