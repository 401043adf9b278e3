/* judge: what a judge said, and the questions that are put to it */
#include <string.h>

#include "base/file.h"
#include "task/judge.h"
#include "test.h"

static const char *file(void)
{
	static char name[5000];

	snprintf(name, sizeof name, "%s/judge", test_scratch());
	return name;
}

static enum said said(const char *s)
{
	return judge_said(s, strlen(s), false);
}

static void verdicts(void)
{
	static const struct {
		const char *text;
		enum said said;
	} cases[] = {
		{"<answer>yes</answer>", SAID_YES}, {"<answer> No. </answer>", SAID_NO}, {"<think>no</think> <answer>YES</answer>", SAID_YES},
		{"<answer>yes</answer> wait <answer>no</answer>", SAID_NO}, {"<answer>yes or no</answer>", SAID_NOTHING},
		{"so \\boxed{1}", SAID_FIRST}, {"\\boxed{\\text{Incorrect}}", SAID_NO},
		{"It is fine.\n\n**Verdict: correct**", SAID_YES}, {"Final verdict: [[A]]", SAID_FIRST}, {"[[B]] is my verdict", SAID_SECOND},
		{"[[C]]", SAID_TIE}, {"<answer>tie</answer>", SAID_TIE}, {"<answer>Response 2</answer>", SAID_SECOND}, {"yes\n\n", SAID_YES},
		{"No, the unit is missing.", SAID_NO}, {"Yes; the same number", SAID_YES}, {"Yes and no", SAID_NOTHING}, {"True.", SAID_YES},
{"yes\nbut I may be wrong about that", SAID_NOTHING}, {"", SAID_NOTHING}, {"\n\n", SAID_NOTHING},
		{"<think>yes", SAID_NOTHING}, {"<think><answer>yes</answer>", SAID_NOTHING}, {"is it right? not correct", SAID_NOTHING},
		{"Verdict: not correct", SAID_NO}, {"yesterday", SAID_NOTHING}, {"<answer>1.5</answer>", SAID_NOTHING},
		/* Sentences */
		{"The answer is correct.", SAID_YES}, {"The response is wrong", SAID_NO}, {"I think yes", SAID_YES}, {"I say yes", SAID_YES}, {"I think no.", SAID_NO},
		{"So the given answer is **correct**.", SAID_YES}, {"Therefore, the student's answer is not correct.", SAID_NO}, {"It is right", SAID_YES},
		{"It's wrong.", SAID_NO}, {"That is correct", SAID_YES}, {"I believe that the answer given isn\xe2\x80\x99t correct", SAID_NO}, {"They are the same", SAID_YES},
		{"The two answers are not equivalent.", SAID_NO}, {"The answer matches the reference.", SAID_YES}, {"The answer does not match the reference answer", SAID_NO},
		{"The answer is equivalent to the reference", SAID_YES}, {"The answer is wrong because the unit is missing", SAID_NO}, {"The answer is no.", SAID_NO},
		{"Verdict: the answer is correct", SAID_YES}, {"**Verdict:** No, the unit is missing", SAID_NO}, {"<answer>The answer is correct.</answer>", SAID_YES},
		{"Response 2 is better", SAID_SECOND}, {"I think that the first response is clearly better than the second", SAID_FIRST},
		{"No, the correct answer is 5", SAID_NO}, {"No - the unit is missing", SAID_NO}, {"**No**, the unit is missing", SAID_NO}, {"Yes, it is correct.", SAID_YES},
		/* What takes back what it says, or says nothing of the answer */
		{"Yes, it is not correct", SAID_NOTHING}, {"Yes, not correct", SAID_NOTHING}, {"Yes, the answer is wrong", SAID_NOTHING}, {"No, it is correct", SAID_NOTHING},
		{"Yes, but the unit is missing", SAID_NOTHING}, {"No, that's right", SAID_NOTHING}, {"The answer is correct, but the unit is wrong", SAID_NOTHING},
		{"The answer is partially correct", SAID_NOTHING}, {"The reference answer is correct", SAID_NOTHING}, {"The correct answer is 5", SAID_NOTHING},
		{"The answer is correct in part", SAID_NOTHING}, {"The answer is not wrong", SAID_NOTHING}, {"If the answer is correct", SAID_NOTHING},
		{"I doubt that the answer is correct", SAID_NOTHING}, {"I don't think the answer is correct", SAID_NOTHING}, {"Is the answer correct?", SAID_NOTHING},
		{"The answer is correct?", SAID_NOTHING}, {"The answer is no longer correct", SAID_NOTHING}, {"The answer is", SAID_NOTHING}, {"I think", SAID_NOTHING},
		{"Yes, it isn't", SAID_NOTHING}, {"Yes, it is not.", SAID_NOTHING}, {"<answer>Yes, it doesn't.</answer>", SAID_NOTHING}, {"Yes, not", SAID_NOTHING},
		{"Yes... wait, no", SAID_NOTHING}, {"Yes, that would be false", SAID_NOTHING}, {"Yes, they aren't equal", SAID_NOTHING}, {"Yes, unequal", SAID_NOTHING},
		{"Yes, it does.", SAID_YES}, {"No, it doesn't.", SAID_NO}, {"Yes, the two are equal.", SAID_YES}, {"It's a tie.", SAID_TIE},
		{"Response 1 is better, but response 2 is right", SAID_NOTHING}, {"The answer is correct, it is wrong", SAID_NOTHING},
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (said(cases[i].text) != cases[i].said)
			fprintf(stderr, "'%s'\n", cases[i].text);
		CHECK_INT(said(cases[i].text), cases[i].said);
	}
	CHECK_INT(judge_said("yes\n</think>\nno", 15, true), SAID_NO);
	CHECK_INT(judge_said("yes", 3, true), SAID_NOTHING);
}

static void fill(const char *text, bool swapped, const char *want)
{
	struct question q = {"{answer}?", "R", "A{first}", 9, 1, 8};
	struct judge_template t;
	struct buf to = {0};
	struct err e;
	FILE *f = fopen(file(), "w");

	CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
	CHECK(judge_template_read(&t, file(), &e) == 0);
	judge_template_fill(&t, &q, swapped, &to);
	CHECK_STR(to.p, want);
	buf_free(&to);
	buf_free(&t.text);
	remove(file());
}

static void bad(const char *text, const char *why)
{
	struct judge_template t;
	struct err e;
	FILE *f = fopen(file(), "w");

	CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
	CHECK(judge_template_read(&t, file(), &e) < 0);
	CHECK(!strncmp(e.msg, file(), strlen(file())));
	CHECK_STR(e.msg + strlen(file()), why);
	buf_free(&t.text);
	remove(file());
}

static void templates(void)
{
	struct judge_template t;
	struct err e;

	/* What is filled in is not looked at again; other braces are text */
	fill("P {problem} R {reference} A {answer} {x} {\n", false, "P {answer}? R R A A{first} {x} {");
	fill("{first}|{second}|{first}", false, "R|A{first}|R");
	fill("{first}|{second}", true, "A{first}|R");
	bad("{problem} {reference}", ": {answer} is not in it, nor are {first} and {second}");
	bad("", ": {answer} is not in it, nor are {first} and {second}");
	bad("{first} {second} {answer}", ": {answer} or {reference} would give away which of {first} and {second} it is");
	CHECK(judge_template_read(&t, "correct", &e) == 0 && !t.pair && t.reference);
	buf_free(&t.text);
	CHECK(judge_template_read(&t, "better", &e) == 0 && t.pair && t.reference);
	buf_free(&t.text);
}

int main(void)
{
	verdicts();
	templates();
	return 0;
}
