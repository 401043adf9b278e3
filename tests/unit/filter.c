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
		if (record_has(l.at[i], filter_field(l.at[i])))
			buf_printf(&out, "%s%zu: %s", out.n ? "; " : "", i, record_string(l.at[i], filter_field(l.at[i]), NULL, &e));
		record_free(l.at[i]);
	}
	return out.n ? out.p : "";
}

static struct filters *open_all(const char *const *specs, size_t n)
{
	struct tool t = {.seed = 1};
	struct err e;
	struct filters *f = filters_open(specs, n, &e);

	if (!f || filters_begin(f, &t, &e) < 0)
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
		struct tool t = {.seed = k == 3 ? 2 : 1};
		struct err e;
		struct filters *f = filters_open(&spec, 1, &e);
		struct lines l;
		int kept = 0;

		CHECK(f && filters_begin(f, &t, &e) == 0);
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

static void set_of(const char *path, const char *const *line, size_t n)
{
	FILE *f = fopen(path, "w");
	size_t i;

	for (i = 0; i < n; i++)
		fprintf(f, "%s\n", line[i]);
	fclose(f);
}

/* What `options` reject of one line that has this text as the field */
static const char *overlaps(const char *path, const char *options, const char *field, const char *text)
{
	char spec[512], line[1024];
	const char *at = line;

	snprintf(spec, sizeof spec, "overlap,with=%s%s", path, options);
	snprintf(line, sizeof line, "{\"%s\":\"%s\"}", field, text);
	return rejected(spec, &at, 1);
}

static void overlap(void)
{
	static const char *const set[] = {
		"{\"id\":\"q1\",\"problem\":\"One two three. Four, five six?\",\"solution\":\"seven eight nine ten\",\"answer\":\"20\"}",
		"{\"id\":\"q2\",\"problem\":\"Compute $2 + 2$.\",\"answer\":\"four\"}",
		"{\"id\":\"q3\",\"messages\":[{\"role\":\"system\",\"content\":\"a b c d e f\"},{\"role\":\"user\",\"content\":\"求三角形的面积\"}]}",
		"{\"problem\":\"ÉTÉ été Ärger СОН\",\"answer\":null}", "{\"id\":\"again\",\"problem\":\"one two three four five six\"}"};
	char path[300];

	snprintf(path, sizeof path, "%s/set.jsonl", test_scratch());
	set_of(path, set, sizeof set / sizeof *set);
	/* At the start, at the end, across the end of a sentence; one word too few */
	CHECK_STR(overlaps(path, ",n=4", "problem", "ONE-TWO-THREE-FOUR!"), "0: overlap: 4 words of the problem of q1: \"one two three four\"");
	CHECK_STR(overlaps(path, ",n=4", "problem", "zero three four five six"), "0: overlap: 4 words of the problem of q1: \"three four five six\"");
	CHECK_STR(overlaps(path, ",n=4", "completion", "x two three\\n\\nfour $five$ y"), "0: overlap: 4 words of the problem of q1: \"two three four five\"");
	CHECK_STR(overlaps(path, ",n=4", "problem", "one two three, 4 four five six"), "");
	CHECK_STR(overlaps(path, ",n=4", "problem", "two three four"), "");
	CHECK_STR(overlaps(path, ",n=4", "problem", "six five four three two one"), "");
	CHECK_STR(overlaps(path, ",n=4", "problem", "onetwo three four five"), "");
	CHECK_STR(overlaps(path, ",n=4", "problem", ""), "");
	/* Exactly as many as the problem has, and one more */
	CHECK_STR(overlaps(path, ",n=6", "problem", "one two three four five six"), "0: overlap: 6 words of the problem of q1: \"one two three four five six\"");
	CHECK_STR(overlaps(path, ",n=7", "problem", "one two three: four, five six"), "0: overlap: the problem of q1: \"one two three four five six\"");
	CHECK_STR(overlaps(path, ",n=7", "problem", "so one two three: four, five six and"), "0: overlap: the problem of q1: \"one two three four five six\"");
	CHECK_STR(overlaps(path, ",n=7", "problem", "so one two three: four, five, and six"), "");
	/* Nothing goes over from one text into the next */
	CHECK_STR(overlaps(path, ",n=4", "problem", "five six seven eight"), "");
	CHECK_STR(overlaps(path, ",n=4", "completion", "it is seven, eight; nine: ten"), "0: overlap: 4 words of the solution of q1: \"seven eight nine ten\"");
	CHECK_STR(overlaps(path, ",n=4,solutions=no", "completion", "it is seven, eight; nine: ten"), "");
	CHECK_STR(overlaps(path, ",n=4", "problem", "a b c d e f"), "");
	/* Shorter than n-grams: as a whole or a line of what is asked, with its signs */
	CHECK_STR(overlaps(path, "", "problem", "compute 2+2"), "0: overlap: the problem of q2: \"compute 2 + 2\"");
	CHECK_STR(overlaps(path, "", "problem", "Compute \\\\(2 + 2\\\\)\\n\\nThink first."), "0: overlap: the problem of q2: \"compute 2 + 2\"");
	CHECK_STR(overlaps(path, "", "problem", "Compute 2 - 2"), "");
	CHECK_STR(overlaps(path, "", "problem", "Compute 2 + 2 + 2"), "");
	CHECK_STR(overlaps(path, "", "completion", "Compute 2 + 2"), "");
	CHECK_STR(overlaps(path, "", "problem", "four"), "");
	/* Characters that are words; case and accents of others */
	CHECK_STR(overlaps(path, ",n=4", "problem", "这个三角形的高"), "0: overlap: 4 words of the problem of q3: \"三 角 形 的\"");
	snprintf(path, sizeof path, "%s/set.jsonl", test_scratch());
	CHECK(strstr(overlaps(path, ",n=4", "problem", "e\xcc\x81t\xc3\xa9 ÉTE\xcc\x81 äRGER\xe3\x80\x80сон"), "set.jsonl:4: \"été été ärger сон\""));
}

/* Problems shorter than n-grams within a text, apart from longer formulas; and LaTeX as different people write it */
static void overlap_within(void)
{
	static const char *const set[] = {
		"{\"id\":\"sum\",\"problem\":\"Compute the sum $2 + 2$.\"}", "{\"id\":\"half\",\"problem\":\"What is $\\\\left(\\\\frac{1}{2}\\\\right)^2$?\"}",
		"{\"id\":\"numbers\",\"problem\":\"2 + 2 = 4 + 0\"}", "{\"id\":\"root\",\"problem\":\"x^2 = 9, so x is\"}"},
		sum[] = "0: overlap: the problem of sum: \"compute the sum 2 + 2\"", half[] = "0: overlap: the problem of half: \"what is ( frac 1 2 ) ^ 2\"",
		root[] = "0: overlap: the problem of root: \"x ^ 2 = 9 so x is\"";
	static const char *const found[][2] = {
		{sum, "Question: Compute the sum $2 + 2$."}, {sum, "compute the sum 2+2. Put your answer in a box."}, {sum, "<|im_start|>user\\nCompute the sum $2+2$<|im_end|>\\n"},
		{sum, "**Compute the sum 2 + 2**\\nThink."}, {sum, "3 + 4. Compute the sum 2 + 2, and think"}, {sum, "[INST] compute the sum 2 + 2 [/INST]"},
		{sum, "How would I compute the sum 2 + 2?"}, {sum, "compute the sum 2 + 2 + 3, or compute the sum 2 + 2"}, {sum, "compute the sum 2 + 2: it is"},
		{half, "Say: what is $\\\\bigl(\\\\dfrac{1}{2}\\\\bigr)^2$?"}, {half, "Tell me what is $\\\\displaystyle (\\\\tfrac12)^2\\\\,$ then."},
		{root, "Well, x^2=9, so x is"}, {root, "y = 1. x^2=9, so x is"}},
		*const other[] = {
		"compute the sum 2 + 2 + 3", "compute the sum 2 + 2 3", "compute the sum 2 + 2x", "compute the sum 2 + 2 \\\\cdot 3", "compute the sum 2 + 2, 4", "compute the sum 2 - 2 now",
		"compute the sum 2 + 2 x", "compute the sum 2 + 2.5", "so 2 + 2 = 4 + 0 it is", "y = x^2 = 9, so x is", "the sum 2 + 2"};
	char path[300];
	size_t i;

	snprintf(path, sizeof path, "%s/within.jsonl", test_scratch());
	set_of(path, set, 4);
	for (i = 0; i < sizeof found / sizeof *found; i++) {
		CHECK_STR(overlaps(path, "", "problem", found[i][1]), found[i][0]);
		CHECK_STR(overlaps(path, "", "completion", found[i][1]), found[i][0]);
	}
	for (i = 0; i < sizeof other / sizeof *other; i++)
		CHECK_STR(overlaps(path, "", "completion", other[i]), "");
}

/* Answers elsewhere than in a completion */
static void overlap_answers(void)
{
	static const char *const set[] = {"{\"id\":\"a\",\"problem\":\"a b c d e\"}"}, *const c[] = {
		"{\"prompt\":\"x\",\"chosen\":\"a b\",\"rejected\":\"x\"}", "{\"prompt\":\"x\",\"chosen\":\"x\",\"rejected\":\"c d\"}",
		"{\"prompt\":\"x\",\"rejected\":\"a b\",\"completion\":\"x\"}", "{\"problem\":\"x\",\"solution\":\"d e\",\"completion\":\"x\"}",
		"{\"chosen\":[{\"role\":\"user\",\"content\":\"b c\"},{\"role\":\"assistant\",\"content\":\"x\"}],\"rejected\":[{\"role\":\"assistant\",\"content\":\"c d\"}]}",
		"{\"text\":\"a b\",\"solution\":null}", "{\"text\":\"a b\",\"solution\":\"x\"}"};
	char path[300], spec[400];

	snprintf(path, sizeof path, "%s/answers.jsonl", test_scratch());
	set_of(path, set, 1);
	snprintf(spec, sizeof spec, "overlap,with=%s,n=2,of=completion", path);
	CHECK_STR(rejected(spec, c, 7), "0: overlap: 2 words of the problem of a: \"a b\"; 1: overlap: 2 words of the problem of a: \"c d\"; "
		"3: overlap: 2 words of the problem of a: \"d e\"; 4: overlap: 2 words of the problem of a: \"c d\"; "
		"5: overlap: 2 words of the problem of a: \"a b\"; 6: overlap: 2 words of the problem of a: \"a b\"");
	snprintf(spec, sizeof spec, "overlap,with=%s,n=2,of=problem", path);
	CHECK_STR(rejected(spec, c + 4, 1), "0: overlap: 2 words of the problem of a: \"b c\"");
	CHECK_STR(rejected(spec, c, 4), "");
}

/* Which part of a record is looked at, and how much of it is too much */
static void overlap_of(void)
{
	static const char *const set[] = {"{\"id\":\"a\",\"problem\":\"a b c d e\"}", "{\"id\":\"b\",\"problem\":\"b c d e f g h\"}"};
	static const char *const c[] = {
		"{\"problem\":\"a b\",\"completion\":\"c d e\"}", "{\"problem\":\"b c\",\"completion\":\"x\"}",
		"{\"messages\":[{\"role\":\"system\",\"content\":\"a b c d e\"},{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\",\"content\":\"d e\"}]}",
		"{\"prompt\":\"a b\",\"completion\":\"f g h\"}"};
	static const char *const text[] = {"{\"text\":\"... d e ...\"}", "{\"prompt\":\"d e\",\"text\":\"x\"}"};
	char path[300], spec[400];

	snprintf(path, sizeof path, "%s/parts.jsonl", test_scratch());
	set_of(path, set, 2);
	snprintf(spec, sizeof spec, "overlap,with=%s,n=2,of=problem", path);
	CHECK_STR(rejected(spec, c, 4), "0: overlap: 2 words of the problem of a: \"a b\"; 1: overlap: 2 words of the problem of a: \"b c\"; "
		"3: overlap: 2 words of the problem of a: \"a b\"");
	snprintf(spec, sizeof spec, "overlap,with=%s,n=2,of=completion", path);
	CHECK_STR(rejected(spec, c, 4), "0: overlap: 3 words of the problem of a: \"c d\"; 2: overlap: 2 words of the problem of a: \"d e\"; "
		"3: overlap: 3 words of the problem of b: \"f g\"");
	CHECK_STR(rejected(spec, text, 1), "0: overlap: 2 words of the problem of a: \"d e\"");
	/* 3 of a's 4 and 2 of b's 6; 1 and 1; 1 and 1; 1 and 2. One that is there twice counts once. */
	snprintf(spec, sizeof spec, "overlap,with=%s,n=2,share=.5", path);
	CHECK_STR(rejected(spec, c, 4), "0: overlap: 75 % of the problem of a: \"a b\"");
	snprintf(spec, sizeof spec, "overlap,with=%s,n=2,share=.3", path);
	CHECK_STR(rejected(spec, c, 4), "0: overlap: 75 % of the problem of a: \"a b\"; 3: overlap: 33 % of the problem of b: \"f g\"");
	CHECK_STR(overlaps(path, ",n=2,share=.5", "problem", "a b, a b, a b, a b"), "");
	CHECK_STR(overlaps(path, ",n=2,share=1", "problem", "d e a b c d"), "0: overlap: 100 % of the problem of a: \"d e\"");
	CHECK_STR(overlaps(path, ",n=2", "prompt", "d e"), "0: overlap: 2 words of the problem of a: \"d e\"");
}

/* What all that is evaluated is asked with is no sign of anything. */
static void overlap_common(void)
{
	static const char *const set[] = {
		"{\"id\":\"a\",\"problem\":\"p q r s. Think step by step.\"}", "{\"id\":\"b\",\"problem\":\"t u v. Think step by step.\"}",
		"{\"id\":\"b again\",\"problem\":\"T U V. Think step by step.\"}"};
	char path[300];

	snprintf(path, sizeof path, "%s/common.jsonl", test_scratch());
	set_of(path, set, 3);
	CHECK_STR(overlaps(path, ",n=3", "problem", "x y. Think step by step."), "0: overlap: 4 words of the problem of a: \"think step by\"");
	CHECK_STR(overlaps(path, ",n=3,common=1", "problem", "x y. Think step by step."), "");
	CHECK_STR(overlaps(path, ",n=3,common=2", "problem", "x y. Think step by step."), "0: overlap: 4 words of the problem of a: \"think step by\"");
	CHECK_STR(overlaps(path, ",n=3,common=1", "problem", "u v. Think step by step."), "0: overlap: 6 words of the problem of b: \"u v think\"");
	/* 2 of a's 4 that count */
	CHECK_STR(overlaps(path, ",n=3,common=1,share=.5", "problem", "p q r s. By step."), "0: overlap: 50 % of the problem of a: \"p q r\"");
	CHECK_STR(overlaps(path, ",n=3,common=1,share=.51", "problem", "p q r s. By step."), "");
}

static void overlap_bad(void)
{
	static const char *const set[] = {"{\"problem\":\"a b\"}", "{\"answer\":\"c\"}", "{\"problem\":\"c d\"}"}, *const none[] = {"{\"problem\":\" ... \"}"};
	char path[300], spec[400], want[400];
	const char *at = spec;
	struct tool t = {.skip_bad = false};
	struct filters *f;
	struct err e;

	snprintf(spec, sizeof spec, "overlap,with=no/such/file");
	CHECK((f = filters_open(&at, 1, &e)) && filters_begin(f, &t, &e) < 0);
	CHECK_STR(e.msg, "overlap: option 'with': no/such/file: No such file or directory");
	filters_close(f);
	snprintf(path, sizeof path, "%s/none.jsonl", test_scratch());
	set_of(path, none, 1);
	snprintf(spec, sizeof spec, "overlap,with=%s", path);
	CHECK((f = filters_open(&at, 1, &e)) && filters_begin(f, &t, &e) < 0);
	snprintf(want, sizeof want, "overlap: option 'with': %s: there are no problems in it", path);
	CHECK_STR(e.msg, want);
	filters_close(f);
	set_of(path, set, 3);
	CHECK((f = filters_open(&at, 1, &e)) && filters_begin(f, &t, &e) < 0);
	snprintf(want, sizeof want, "overlap: option 'with': %s:2: there is none of 'problem', 'messages' and 'text'", path);
	CHECK_STR(e.msg, want);
	filters_close(f);
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
		{"truncated,x=1", "truncated: there is no option 'x'"},
		{"overlap", "overlap: with=FILE must be given"},
		{"overlap,with=", "overlap: option 'with': a name is empty"},
		{"overlap,with=a,,b", "overlap: option 'with': a name is empty"},
		{"overlap,with=a,-", "overlap: option 'with': the evaluation set is a file, not standard input"},
		{"overlap,with=a,n=0", "overlap: option 'n': 0 is not between 1 and 1000"},
		{"overlap,with=a,share=1.5", "overlap: option 'share': 1.5 is not between 0 and 1"},
		{"overlap,with=a,of=answer", "overlap: option 'of': 'answer' is none of problem|completion|both"}};
	static const char *const fields[][2] = {
		{"no-signal", "'reward' is missing"}, {"correct", "'rewards' is missing"}, {"truncated", "'finish_reason' is missing"},
		{"format", "'completion' is missing"}, {"length", "'completion' is missing"}, {"duplicate", "'completion' is missing"},
		{"at-most,k=1", "'id' is missing"}, {"duplicate,of=problem", "'id' is missing"}};
	struct record r = {0};
	struct err e;
	size_t i;

	for (i = 0; i < sizeof specs / sizeof *specs; i++) {
		if (filters_open(&specs[i][0], 1, &e) || strncmp(e.msg, specs[i][1], strlen(specs[i][1])))
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
	overlap();
	overlap_within();
	overlap_answers();
	overlap_of();
	overlap_common();
	overlap_bad();
	bad();
	return 0;
}
