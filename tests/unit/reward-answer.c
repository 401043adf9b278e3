/* Answers: numbers compared exactly, notation taken off, extraction from the part behind the reasoning, the paper's format. */
#include "test.h"

#include "base/buf.h"
#include "task/answer.h"
#include "task/format.h"
#include "task/number.h"
#include "task/verifier.h"

static int same(const char *a, const char *b)
{
	struct err e;
	const struct verifier *v = verifier_find(NULL, &e);
	int ab = v->same(a, strlen(a), b, strlen(b), NULL, NULL), ba = v->same(b, strlen(b), a, strlen(a), NULL, NULL);

	if (ab != ba)
		TEST_FAIL("'%s' and '%s': not the same both ways", a, b);
	return ab;
}

static void equal(void)
{
	static const char *const pairs[][2] = {
		{"1,234", "1234"}, {"1,234,567.80", "1234567.8"}, {"+7", "7"}, {"007", "7"}, {"3.50", "3.5"}, {"1/2", "0.5"},
		{"-0", "0"}, {"0.0", "0"},
		{".5", "0.50"}, {"5.", "5"}, {"2/4", "1/2"}, {"-1/2", "-.5"}, {"1e3", "1000"}, {"2.5E-3", "0.0025"}, {"6/3", "2"}, {"0/5", "0"},
		{"\\frac{1}{2}", "1/2"}, {"\\dfrac12", ".5"}, {"\\tfrac{10}{4}", "2.5"}, {"\\frac{-11}{4}", "-2.75"},
		{"-\\frac{1}{-2}", "0.5"}, {"$18", "18"}, {"\\$1,000", "1000"}, {"$-5", "-5"}, {"-$5", "-5"},
		{"50%", "50"}, {"50\\%", "50"}, {"1{,}234", "1234"}, {"10\\,000", "10000"}, {"1,\\!234", "1234"}, {"\xe2\x88\x92" "3", "-3"},
		{"\xef\xbc\x94\xef\xbc\x92", "42"}, {"$42$", "42"}, {"\\(42\\)", "42"}, {"42.", "42"}, {" 42 \n", "42"}, {"**42**", "42"},
		{"\\boxed{42}", "42"}, {"\\text{Even}", "even"}, {"Blue", "blue"}, {"a  b\nc", "A b c"}, {"\"yes\"", "Yes."},
		{"\\left(3, 4\\right)", "(3, 4)"},
		{"12345678901234567890123456789", "12,345,678,901,234,567,890,123,456,789"}, {"(C)", "(c)"}, {"\\textbf{(073) }", "73"},
		{"\xe7\xad\x89\xe3\x80\x82", "\xe7\xad\x89"},
		{"100000000000000000000000000000000000000000/3", "200000000000000000000000000000000000000000/6"}};
	static const char *const unequal[][2] = {
		{"1,234", "1.234"}, {"1,23", "123"}, {"12,34,567", "1234567"}, {"7", "-7"}, {"0.333", "1/3"}, {"1/0", "1/0.0"},
		{"1/2", "2/1"}, {"3", "3.0000001"},
		{"12345678901234567890123456789", "12345678901234567890123456788"}, {"1e400", "1e401"}, {"", ""}, {"", "0"},
		{"42 43", "4243"}, {"x", "y"},
		{"0.1000000000000000055511151231257827", "0.1"}, {"1..2", "1.2"}, {"--3", "-3"}, {"1e", "1"}, {"4 2", "42"},
		{"(1, 2)", "12"}, {"(1,234)", "(1,235)"}, {"{1}{2}", "12"}, {"5 dollars", "6 dollars"}};
	size_t i;

	for (i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (!same(pairs[i][0], pairs[i][1]))
			TEST_FAIL("'%s' and '%s' should be the same", pairs[i][0], pairs[i][1]);
	for (i = 0; i < sizeof unequal / sizeof *unequal; i++)
		if (same(unequal[i][0], unequal[i][1]))
			TEST_FAIL("'%s' and '%s' should differ", unequal[i][0], unequal[i][1]);
}

/* More digits than are kept: compared as text. */
static void long_numbers(void)
{
	char a[1000], b[1000];

	memset(a, '7', 999);
	a[999] = 0;
	memcpy(b, a, 1000);
	CHECK(same(a, b));
	b[998] = '8';
	CHECK(!same(a, b));
	memset(b, '0', 999);
	memcpy(b + 996, "777", 3);
	CHECK(same("777", b));
}

static void text_type(void)
{
	struct err e;
	const struct verifier *v = verifier_find("text", &e);

	CHECK(v->same("Paris.", 6, "paris", 5, NULL, NULL));
	CHECK(!v->same("7.0", 3, "7", 1, NULL, NULL));
	CHECK(!verifier_find("nonesuch", &e));
	CHECK_STR(e.msg, "no verifier for type 'nonesuch'");
}

static void choice_type(void)
{
	static const char *const right[] = {"C", "It is C.", "c", "(C)", "[C].", "C)", "C. Paris", "(C) Paris", "The answer is (C)", "the correct option is C.", "**C**",
					    "Answer: C", "\\text{C}", "\\boxed{C}"};
	static const char *const wrong[] = {"D", "(D) C", "a cat", "C D", "", "CC", "(C", "K", "the answer"};
	struct err e;
	const struct verifier *v = verifier_find("choice", &e);
	size_t i;

	for (i = 0; i < sizeof right / sizeof *right; i++)
		if (!v->same(right[i], strlen(right[i]), "C", 1, NULL, NULL) || !v->same("C", 1, right[i], strlen(right[i]), NULL, NULL))
			TEST_FAIL("'%s' is not C", right[i]);
	for (i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (v->same(wrong[i], strlen(wrong[i]), "C", 1, NULL, NULL) || v->same("C", 1, wrong[i], strlen(wrong[i]), NULL, NULL))
			TEST_FAIL("'%s' is C", wrong[i]);
	CHECK(v->same("Paris.", 6, "paris", 5, NULL, NULL));
	CHECK(v->same("Paris", 5, "(C) Paris", 9, NULL, NULL) && v->same("C. paris", 8, "Paris.", 6, NULL, NULL));
	CHECK(!v->same("(B) Paris", 9, "(C) Paris", 9, NULL, NULL) && !v->same("Rome", 4, "(C) Paris", 9, NULL, NULL));
	CHECK(!v->same("Paris", 5, "C", 1, NULL, NULL) && !v->same("", 0, "(C)", 3, NULL, NULL));
	CHECK(!v->same("a cat", 5, "A", 1, NULL, NULL));
}

/* What is right, by the problem's options or without them */
static void choice_read(void)
{
	static const char cities[] = "Which?\n(A) Rome\n(B) Oslo\n(C) Paris\n(D) Not one of them", statements[] =
		"I. one\nII. two\nIII. three\nA. I only\nB. I and II\nC. A and B\nD. I, II, and III", sets[] =
		"(A) {1,2}\n(B) {1,2,3,4}\n(C) {AND, OR}\n(D) {}", genes[] = "(A) BB\n(B) Bb\n(C) bb\n(D) c", same_texts[] = "(A) 5\n(B) 6\n(C) 5\n(D) 7",
		signs[] = "(A) 4\n(B) -4\n(C) 8", terms[] = "(A) Hypothesis\n(B) Observation\n(C) Law, because it holds\n(D) Theory",
		lines[] = "(A) x = 1\n    y = 2\n(B) x = 1\n    y = 3\n(C) x = 1\nThink first, then say A, B or C.";
	static const struct {
		const char *problem, *answer, *reference;
		bool same;
	} cases[] = {
		/* One letter, and nothing that makes it doubtful */
		{cities, "A, B, C, D", "A", false}, {cities, "A; B", "A", false}, {cities, "A. B.", "A", false}, {cities, "A,B", "A", false}, {cities, "A*B", "A", false},
		{cities, "(A) and (B)", "A", false}, {cities, "(A) or (B)", "A", false}, {cities, "(A), (B)", "A", false}, {cities, "A) or B)", "A", false},
		{cities, "(A) or B, a guess", "A", false}, {cities, "The answer is A, no, B", "A", false}, {cities, "The answer is A, no, B", "B", false},
		{cities, "(A) is not correct", "A", false}, {cities, "A. is wrong", "A", false}, {cities, "(A) isn\xe2\x80\x99t right", "A", false}, {cities, "a, b", "A", false},
		{cities, "(A) Oslo", "A", false}, {cities, "(A) Oslo", "B", false}, {cities, "A\xe5\x92\x8c" "B", "A", false}, {cities, "(A)\xe4\xb8\x8d\xe5\xaf\xb9", "A", false},
		{NULL, "A, B, C, D", "A", false}, {NULL, "A; B", "A", false}, {NULL, "A. B.", "A", false}, {NULL, "A,B", "A", false}, {NULL, "A*B", "A", false},
		{NULL, "(A) and (B)", "A", false}, {NULL, "(A) or (B)", "A", false}, {NULL, "(A), (B)", "A", false}, {NULL, "A) or B)", "A", false},
		{NULL, "The answer is A, no, B", "A", false}, {NULL, "(A) is not correct", "A", false}, {NULL, "A. is wrong", "A", false},
		/* The last that is said to be the answer */
		{cities, "(A) is wrong; the answer is (B)", "A", false}, {cities, "(A) is wrong; the answer is (B)", "B", true}, {NULL, "(A) is wrong; the answer is (B)", "B", true},
		{cities, "It is not Rome. The answer is Oslo.", "B", true}, {cities, "I doubt that the answer is (B)", "B", false}, {cities, "the answer is not (B)", "B", false},
		/* What may stand around it */
		{cities, "(A) Rome", "A", true}, {cities, "A. rome.", "A", true}, {cities, "A Rome", "A", true}, {cities, "**A.** Rome", "A", true}, {cities, "A) - Rome", "A", true},
		{cities, "(D) Not one of them", "D", true}, {cities, "D: not one of them", "D", true}, {cities, "(A) Rome, a city in Italy", "A", true}, {cities, "(A) is correct", "A", true},
		{cities, "A is the right answer", "A", true}, {cities, "(A), because the others are not in Italy", "A", true}, {cities, "A. A city, I think", "A", true},
		{cities, "\\textbf{(A)} Rome", "A", true}, {cities, "$\\textbf{(A)}$", "A", true}, {cities, "The correct option is: (A)", "A", true}, {cities, "A Oslo", "A", false},
		{cities, "\xe7\xad\x94\xe6\xa1\x88\xe6\x98\xaf" "A\xe3\x80\x82", "A", true}, {cities, "\xe9\x80\x89 B", "B", true}, {cities, "\xef\xbc\x88" "A\xef\xbc\x89", "A", true},
		{NULL, "(B) Vitamin A", "B", true}, {NULL, "B. Vitamin A", "B", true}, {NULL, "(B) No", "B", true}, {NULL, "(D) A and B", "D", true}, {NULL, "D. I, II, and III", "D", true},
		/* Texts alone, whatever letters are in them */
		{cities, "Paris", "C", true}, {cities, "Paris", "(C) Paris", true}, {cities, "Rome", "C", false}, {cities, "C", "Paris", true}, {cities, "The answer is Paris", "C", true},
		{statements, "I, II, and III", "D", true}, {statements, "I and II", "B", true}, {statements, "A and B", "C", true}, {statements, "(C) A and B", "C", true},
		{statements, "I, II, and III", "B", false}, {statements, "D. I, II, and III", "D", true}, {statements, "A and B", "A", false}, {statements, "A and C", "A", false},
		{sets, "{1,2,3,4}", "B", true}, {sets, "(B) {1,2,3,4}", "B", true}, {sets, "{1,2}", "B", false}, {sets, "{AND, OR}", "C", true}, {sets, "the answer is {1,2}", "A", true},
		{genes, "BB", "A", true}, {genes, "bb", "A", false}, {genes, "bb", "C", true}, {genes, "bB", "B", false}, {genes, "C", "C", true}, {genes, "c", "D", true},
		{same_texts, "5", "A", true}, {same_texts, "5", "C", true}, {same_texts, "(C) 5", "A", false}, {same_texts, "6", "A", false},
		/* Another's text, or half of it, behind letter and text; a denial behind a text that gives reasons; reasons may name what they like */
		{cities, "(A) Rome or Paris", "A", false}, {cities, "(A) Rome and Paris", "A", false}, {cities, "(A) Rome, Paris", "A", false}, {cities, "(A) Rome / Paris", "A", false},
		{cities, "(A) Rome. Paris", "A", false}, {cities, "(A) Rome but also Paris", "A", false}, {cities, "A: Paris or Rome", "A", false}, {cities, "(A) Parish", "A", true},
		{terms, "(D) observatio", "D", false}, {terms, "(D) Theor", "D", true}, {terms, "(D) Observations", "D", true},
		{terms, "(C) Law, because it holds", "C", true}, {terms, "(C) Law, because it holds, is wrong", "C", false}, {terms, "(C) Law, because it holds is not correct", "C", false},
		{cities, "A because Rome is the capital", "A", true}, {cities, "A because Paris is no city of Italy", "A", true}, {NULL, "A because Rome is the capital", "A", true},
		{cities, "A because B is wrong", "B", false}, {cities, "(D) Not one of them, I think", "D", true}, {cities, "(D) Not one of them is wrong", "D", false},
		/* Minus signs, brackets, opinions and what follows */
		{signs, "B - -4", "B", true}, {signs, "B -4", "B", true}, {signs, "B - 4", "B", false}, {signs, "A - 4", "A", true}, {signs, "(A) 4 or -4", "A", false},
		{signs, "(B) -4 or 4", "B", false}, {signs, "(B) -4, so x = -4", "B", true}, {signs, "(B) x = -4", "B", true},
		{cities, "A (Rome)", "A", true}, {cities, "A (Paris)", "A", false}, {cities, "Rome (A)", "A", true}, {cities, "Rome (B)", "A", false}, {cities, "Rome (B)", "B", false},
		{cities, "not Rome (A)", "A", false}, {cities, "I think A", "A", true}, {cities, "I choose A.", "A", true}, {cities, "I think that it's A", "A", true},
		{cities, "I think A or B", "A", false}, {cities, "I think not A", "A", false}, {NULL, "I think A", "A", true},
		{cities, "B is wrong, so A", "A", true}, {cities, "B is wrong, so A", "B", false}, {cities, "B is wrong, so A or C", "A", false}, {cities, "It is A or B, so not A", "A", false},
		{NULL, "B is wrong, so A", "A", true}, {cities, "The answer is A, so Rome", "A", true},
		/* What is said of other letters, and of the own one */
		{cities, "B because A is wrong", "B", true}, {cities, "B since A is not correct and C is wrong", "B", true}, {cities, "B, not A", "B", true},
		{cities, "B (not A)", "B", true}, {cities, "B (not A)", "A", false}, {NULL, "B (not A).", "B", true}, {NULL, "B (not A, not C)", "B", true},
		{NULL, "The answer is B (not A)", "B", true}, {NULL, "B (not A nor C)", "B", true}, {NULL, "B (not B)", "B", false}, {NULL, "B (not A, C)", "B", false},
		{NULL, "B (not A or B)", "B", false}, {NULL, "B (not A or C)", "B", false}, {NULL, "B (not A) or C", "B", false}, {NULL, "B (A)", "B", false},
		{NULL, "B (not A, C)", "C", false}, {NULL, "b (not a)", "B", false}, {"?\n(A) x\n(B) y\n(C) not A", "B (not A)", "B", false},
		{cities, "B (not Oslo)", "B", false},
		{cities, "B, not A", "A", false}, {cities, "B. (A) is incorrect.", "B", true}, {cities, "B because A is right", "B", false}, {NULL, "B because A is right", "B", false},
		{cities, "B. A is not wrong", "B", false}, {cities, "B because B is wrong", "B", false}, {NULL, "B because B is wrong", "B", false},
		{cities, "B, if not A", "B", false}, {cities, "B, if A is wrong", "B", false}, {NULL, "B, if not A", "B", false}, {cities, "B, not A or C", "B", false},
		{cities, "B, not only A", "B", false}, {NULL, "B, not only A", "B", false}, {NULL, "B. The answer is not B", "B", false}, {NULL, "B, so A", "B", false},
		{cities, "B because A or B", "B", false}, {cities, "B because A is likely, or B", "B", true}, {cities, "B because it is A", "B", false},
		{cities, "B because a = 4", "B", true}, {cities, "B: a = 20/5", "B", true}, {cities, "B or a = 4", "B", false}, {cities, "B because F = m a", "B", true},
		{cities, "D. Not one", "D", true}, {cities, "D, not one.", "D", true}, {cities, "D, not", "D", true}, {cities, "D. Not o", "D", false}, {cities, "A. Not one", "A", false},
		{genes, "(D) c is wrong", "D", false}, {genes, "(D) c, not (A)", "D", true},
		{NULL, "B. Hmm, maybe A", "B", false}, {cities, "It must be B", "B", true}, {cities, "The answer would be B", "B", true},
		{lines, "x = 1\n y = 2", "A", true}, {lines, "x = 1\ny = 3", "A", false}, {lines, "x = 1", "C", true}, {lines, "x = 1", "A", false}};
	const struct verifier *v = verifier_find("choice", NULL);
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct verifier_options o = {.problem = cases[i].problem, .problem_n = cases[i].problem ? strlen(cases[i].problem) : 0};
		const char *a = cases[i].answer, *b = cases[i].reference;

		if (v->same(a, strlen(a), b, strlen(b), &o, NULL) != cases[i].same || v->same(b, strlen(b), a, strlen(a), &o, NULL) != cases[i].same)
			TEST_FAIL("'%s' is %s%s, %s", a, cases[i].same ? "" : "not ", b, o.problem ? o.problem : "without a problem");
	}
	CHECK(!v->same("x\0a", 3, "x\0b", 3, NULL, NULL));
}

/* m + n = 25, where that is what the problem asks for */
static void asked_for(void)
{
	static const struct {
		const char *problem, *answer;
		bool same;
	} cases[] = {
		{"It is m/n. Find $m+n$.", "m+n=25", true}, {"Find m + n.", "$m+n = 25$", true}, {"Find $m+n$.", "m+n = 12+13 = 25", true}, {"Find $m+n$.", "so $m+n=25$.", true},
		{"Find $m+n$.", "2(m+n)=25", false}, {"Find $m+n$.", "m+n=24=25", false}, {"Find $m+n$.", "m-n=25", false}, {"Find $m+n$.", "m+n\\ne25", false},
		{"Find $m+n$.", "not m+n=25", false}, {"Find $m+n$.", "m+n=25 or 26", false}, {"Find $m+n$.", "m+n<=25", false}, {NULL, "m+n=25", false},
		{"Find $2m+n$", "m+n=25", false}, {"Find m+n+1.", "m+n=25", false}, {"If m+n=25, find m", "m+n=25", false}, {"Find $m+n=$ ?", "m+n=25", false},
		{"Find x given m+n.", "m+n=25", false}, {"Find $m+n^2$.", "m+n=25", false}, {"Find m+nx.", "m+n=25", false}, {"", "m+n=25", false},
		{"What is $P(A|B)$?", "P(A|B)=25", true}, {"Compute the value of \\(E[X]\\), please.", "E[X]=25", true}, {"What is the exact value of AB^2", "AB^2=25", true},
		{"\xe6\xb1\x82 $|A\\cup B|$ \xe7\x9a\x84\xe5\x80\xbc", "|A \\cup B| = 25", true}, {"What is m+n?", "m+n=", false}, {"What is m+n?", "m+n", false}};
	const struct verifier *v = verifier_find("math", NULL);
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct verifier_options o = {.problem = cases[i].problem, .problem_n = cases[i].problem ? strlen(cases[i].problem) : 0};
		const char *a = cases[i].answer;

		if (v->same(a, strlen(a), "25", 2, &o, NULL) != cases[i].same || v->same("25", 2, a, strlen(a), &o, NULL) != cases[i].same)
			TEST_FAIL("'%s' is %s25, %s", a, cases[i].same ? "" : "not ", o.problem ? o.problem : "without a problem");
	}
}

static void last_number(void)
{
	static const char *const cases[][2] = {
		{"so 16-3=13", "13"}, {"is $1,234.50.", "1,234.50"}, {"x = -5", "-5"}, {"9-4", "4"}, {"3 or 1/2.", "1/2"},
		{"version2", NULL}, {"none", NULL},
		{"1,2,3", "3"}, {"+7 apples", "+7"}, {"\xe6\x98\xaf-42\xe3\x80\x82", "-42"}, {"-.5", "-.5"}, {"3,456,7", "7"}, {"(1)-4", "4"},
		{"\xe2\x88\x92" "8", "\xe2\x88\x92" "8"}, {"12/25", "12/25"}, {"20%", "20"}};
	size_t i, n;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *at = number_last(cases[i][0], strlen(cases[i][0]), &n), *want = cases[i][1];

		if (!at != !want || (at && (n != strlen(want) || memcmp(at, want, n))))
			TEST_FAIL("the last number of '%s' is '%.*s'", cases[i][0], at ? (int)n : 6, at ? at : "(none)");
	}
}

static char *find(const char *text, int prefilled, const char *methods)
{
	struct parts t = parts_of(text, strlen(text), prefilled);
	struct found f = answer_find(t.final, t.final_n, methods);
	static char out[256];

	snprintf(out, sizeof out, "%.*s", f.text ? (int)f.n : (int)strlen(f.how ? f.how : "(none)"), f.text ? f.text : f.how ? f.how : "(none)");
	return out;
}

static void extraction(void)
{
	const char *const usual = "answer,boxed";

	CHECK_STR(find("<think>1</think> <answer> 42 </answer>", 0, usual), "42");
	CHECK_STR(find("<answer>1</answer> <answer>2</answer>", 0, usual), "2");
	CHECK_STR(find("<answer>so \\boxed{3}.</answer>", 0, usual), "3");
	CHECK_STR(find("\\boxed{1} \\boxed{\\frac{1}{2}}", 0, usual), "\\frac{1}{2}");
	CHECK_STR(find("\\boxed{\\boxed{7}}", 0, usual), "\\boxed{7}");
	CHECK_STR(find("\\boxed{1}, no, \\boxed 3$.", 0, usual), "3");
	CHECK_STR(find("\\boxed 3, no, \\boxed{-1}", 0, usual), "-1");
	CHECK_STR(find("\\boxed -1,234.5.", 0, usual), "-1,234.5");
	CHECK_STR(find("\\boxed3", 0, usual), "3");
	CHECK_STR(find("\\boxed C.", 0, usual), "C");
	CHECK_STR(find("\\boxed {2} in \\(\\boxed {3}\\)", 0, usual), "3");
	CHECK_STR(find("\\(\\boxed 3\\)", 0, usual), "3");
	CHECK_STR(find("\\boxed{2} in the \\boxed I use, or \\boxed 3/4", 0, usual), "2");
	CHECK_STR(find("\\boxed answer \\boxed", 0, usual), "(none)");
	CHECK_STR(find("\\boxed{2} is in a \\boxed \\frac12", 0, usual), "2");
	CHECK_STR(find("\\boxed{\\{1, 2\\}}", 0, usual), "\\{1, 2\\}");
	CHECK_STR(find("\\boxed{1} then \\boxed{2", 0, usual), "1");
	CHECK_STR(find("\\boxed{2", 0, usual), "\\boxed{ is not closed");
	CHECK_STR(find("<answer>5", 0, usual), "<answer> is not closed");
	CHECK_STR(find("<answer> </answer>", 0, usual), "it is empty");
	CHECK_STR(find("<answer> </answer> \\boxed{4}", 0, usual), "4");
	CHECK_STR(find("the answer is 12", 0, usual), "(none)");
	CHECK_STR(find("the answer is 12.", 0, "answer,boxed,last-number"), "12");
	CHECK_STR(find("<answer>1</answer> \\boxed{2}", 0, "boxed,answer"), "2");
	CHECK_STR(find(" C ", 0, "all"), "C");
	/* Nothing is taken from the reasoning */
	CHECK_STR(find("<think>\\boxed{9} <answer>9</answer></think> nothing", 0, "answer,boxed,last-number"), "(none)");
	CHECK_STR(find("\\boxed{9}</think> 8", 1, "answer,boxed,last-number"), "8");
	CHECK_STR(find("\\boxed{9}", 1, "answer,boxed,last-number"), "(none)");
	CHECK_STR(find("<think> \\boxed{9}", 0, "answer,boxed,last-number"), "(none)");
	CHECK_STR(find("<think>a</think>\\boxed{1}<think>\\boxed{2}</think>\\boxed{3}", 0, usual), "3");
}

static void said(void)
{
	static const char *const cases[][2] = {
		{"So the answer is 12.", "12"}, {"The answer is: 3.5. That is all.", "3.5"}, {"Answer: $x = 3$\nDone", "$x = 3$"}, {"**Answer:** 7", "7"},
		{"...\nA: 18", "18"}, {"FA: 18", "(none)"}, {"#### 1,234", "1,234"}, {"the answer is \\boxed{5}, then", "5"}, {"The final answer is **12**.", "12"},
		{"The answer is 1. No, the answer is 2.", "2"}, {"the answer is $1.5 . 2$. Yes", "$1.5 . 2$"}, {"the answers are 1 and 2", "1 and 2"},
		{"The answer is:\n$$\n42\n$$", "42"}, {"\xe7\xad\x94\xe6\xa1\x88\xe6\x98\xaf" "42\xe3\x80\x82", "42"}, {"\xe7\xad\x94\xe6\xa1\x88\xe4\xb8\xba" "7", "7"},
		{"\xe7\xad\x94\xe6\xa1\x88\xef\xbc\x9a**C**\n", "C"}, {"So: \xe7\xad\x94\xe6\xa1\x88\xe6\x98\xaf $x$", "$x$"}, {"no words of it: 12", "(none)"}, {"the answer is", "it is empty"}};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++)
		CHECK_STR(find(cases[i][0], 0, "answer-is"), cases[i][1]);
}

static void tolerance(void)
{
	static const struct {
		const char *type, *a, *b;
		struct verifier_options o;
		bool same;
	} cases[] = {
		{"math", "3.1416", "\\pi", {0}, false}, {"math", "3.1416", "\\pi", {.absolute = 1e-4}, true}, {"math", "3.1416", "\\pi", {.absolute = 1e-6}, false},
		{"math", "1000", "1001", {.relative = 1e-3}, true}, {"math", "1000", "1002", {.relative = 1e-3}, false}, {"math", "(1.001, 2)", "(1,2)", {.absolute = 1e-2}, true},
		{"number", "0.3333333", "1/3", {0}, true}, {"number", "0.333", "1/3", {0}, false}, {"number", "2.5 cm", "0.025 m", {0}, true}, {"number", "nan", "1", {0}, false},
		{"math", "1, 2", "2, 1", {0}, true}, {"math", "1, 2", "2, 1", {.order = ORDER_KEPT}, false}, {"math", "1, 2", "1, 2", {.order = ORDER_KEPT}, true},
		{"list", "1, 2", "2, 1", {0}, false}, {"list", "1, 2", "2, 1", {.order = ORDER_ANY}, true}, {"list", "[1, 1/2, \"a, b\"]", "1; 0.5; a, b", {0}, false},
		{"list", "[1, 1/2, \"a, b\"]", "1; 0.5; \"A, b\"", {0}, true}, {"list", "red\ngreen\n", "red, green", {0}, true}, {"list", "1, 1", "1, 2", {.order = ORDER_ANY}, false},
		{"list", "(1, 2), (3, 4)", "(1,2),(3,4)", {0}, true}, {"list", "1", "1, 2", {0}, false}, {"list", "0.5, 1", "0.501, 1", {.absolute = 0.01}, true}, {"list", "", "", {0}, false},
		{"list", ";", ";", {0}, true}};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct verifier *v = verifier_find(cases[i].type, NULL);
		const char *a = cases[i].a, *b = cases[i].b;

		if (v->same(a, strlen(a), b, strlen(b), &cases[i].o, NULL) != cases[i].same || v->same(b, strlen(b), a, strlen(a), &cases[i].o, NULL) != cases[i].same)
			TEST_FAIL("%s: %s and %s", cases[i].type, a, b);
	}
}

/* More items than a list may have, told to nobody */
static void long_list(void)
{
	const struct verifier *v = verifier_find("list", NULL);
	char s[4000];

	memset(s, ',', sizeof s);
	CHECK(v->same(s, sizeof s, s, sizeof s, NULL, NULL));
	CHECK(!v->same(s, sizeof s, "1, 2", 4, NULL, NULL));
}

static void parts(void)
{
	const char *s = "so <think> a </think> b";
	struct parts t = parts_of(s, strlen(s), false);

	CHECK_MEM(t.think, t.think_n, " a ", 3);
	CHECK_MEM(t.final, t.final_n, " b", 2);
	CHECK(!t.open);
	t = parts_of("a", 1, false);
	CHECK(!t.think && t.final_n == 1);
	t = parts_of("a", 1, true);
	CHECK(t.think_n == 1 && t.open && t.final_n == 0);
}

static void format(void)
{
	static const struct {
		const char *text;
		bool prefilled;
		const char *fault;
	} cases[] = {
		{"<think>a</think><answer>b</answer>", false, NULL},
		{" <think> a\n</think>\n\n<answer> b </answer>\n", false, NULL},
		{"a </think> <answer>b</answer>", true, NULL},
		{"<think>a</think> <answer>b</answer>", true, "<think> again, which the prompt has opened"},
		{"a </think> <answer>b</answer>", false, "<think> is missing"},
		{"", false, "<think> is missing"},
		{"<think>a", false, "</think> is missing"},
		{"<think>a</think>", false, "<answer> is missing"},
		{"<think>a</think><answer>b", false, "</answer> is missing"},
		{"so <think>a</think><answer>b</answer>", false, "text before <think>"},
		{"<think>a</think>so<answer>b</answer>", false, "text between </think> and <answer>"},
		{"<think>a</think><answer>b</answer>.", false, "text behind </answer>"},
		{"<think><think>a</think><answer>b</answer>", false, "<think> stands twice"},
		{"<think>a</think></think><answer>b</answer>", false, "</think> stands twice"},
		{"<think>a</think><answer>b</answer><answer>c</answer>", false, "<answer> stands twice"},
		{"<think>a</think><answer>b</answer></answer>", false, "</answer> stands twice"},
		{"</think><think><answer>b</answer>", false, "</think> before <think>"},
		{"<think><answer>a</think>b</answer>", false, "<answer> within the reasoning"},
		{"<think>a</think></answer>b<answer>", false, "</answer> before <answer>"}};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *why = format_fault(cases[i].text, strlen(cases[i].text), cases[i].prefilled, FORMAT_ANSWER);

		CHECK_STR(why ? why : "fine", cases[i].fault ? cases[i].fault : "fine");
	}
	CHECK(!format_fault("<think>a</think> b", 18, false, FORMAT_THINK));
	CHECK_STR(format_fault("<think>a</think> ", 17, false, FORMAT_THINK), "nothing behind </think>");
}

/* Megabytes of anything: linear time, or this does not end. */
static void bounded(void)
{
	static const char *const unit[] = {"{", "}", "answer is ", "a:", "\\boxed{", "$", "<answer>", "</answer>", "<think>", "</think>", "1,", "\\", "1", "-1/", "{{}",
					   "\\boxed ", "\\boxed 1", "\\text{the ", "*"};
	size_t size = 2000000, i, j, n;
	bool led;
	char *s = malloc(size + 1);
	struct buf b = {0};

	for (i = 0; i < sizeof unit / sizeof *unit; i++) {
		size_t len = strlen(unit[i]), got;
		struct parts t;

		for (j = 0; j + len <= size; j += len)
			memcpy(s + j, unit[i], len);
		n = j;
		t = parts_of(s, n, false);
		answer_find(t.final, t.final_n, "answer,boxed,last-number,all");
		answer_find(s, n, "answer,boxed,answer-is,last-number");
		number_last(s, n, &got);
		format_fault(s, n, false, FORMAT_ANSWER);
		answer_lead(s, n, &led);
		buf_clear(&b);
		answer_plain(s, n, &b);
	}
	buf_free(&b);
	free(s);
}

int main(void)
{
	equal();
	long_numbers();
	text_type();
	choice_type();
	choice_read();
	asked_for();
	last_number();
	extraction();
	said();
	tolerance();
	long_list();
	parts();
	format();
	bounded();
	return 0;
}
