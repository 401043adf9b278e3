/* Options: what is accepted, what is refused and why, what --help shows */
#include "test.h"

#include "base/opt.h"

static struct {
	int64_t n;
	uint64_t seed;
	double t;
	bool greedy, cache;
	const char *out, *loss;
	struct opt_list list;
} o;

static struct opt opts[] = {
	OPT_HEADING("Some"),
	{"samples", 'n', OPT_INT, &o.n, "N", "completions", 1, 100},
	{"seed", 's', OPT_UINT, &o.seed, "N", "seed"},
	{"temperature", 0, OPT_FLOAT, &o.t, "T", "temperature", 0, 10},
	{"template", 0, OPT_STRING, &o.out, "FILE", "template"},
	{"greedy", 'g', OPT_FLAG, &o.greedy, NULL, "greedy"},
	{"cache", 'c', OPT_FLAG, &o.cache, NULL, "cache"},
	{"loss", 0, OPT_CHOICE, &o.loss, "grpo|dapo", "loss"},
	{"weight", 'w', OPT_LIST, &o.list, "NAME=W", "weight"},
	OPT_END};

static char *args[32];
static int count;
static char **left;
static char msg[1024];

/* Parses the words of a command line. */
static enum opt_result parse(const char *line)
{
	static char copy[1000];
	struct err e = {{0}};
	enum opt_result got;
	char *p;

	free(o.list.item);
	memset(&o, 0, sizeof o);
	o.n = 1;
	o.cache = true;
	snprintf(copy, sizeof copy, "x %s", line);
	count = 0;
	for (p = strtok(copy, " "); p; p = strtok(NULL, " "))
		args[count++] = p;
	args[count] = NULL;
	left = args;
	got = opt_parse(opts, &count, &left, &e);
	snprintf(msg, sizeof msg, "%s", e.msg);
	return got;
}

static void check_good(void)
{
	CHECK_INT(parse("-n 3 a --seed=18446744073709551615 --tempe 0.5 -gw x=1 --weight y=2 - --no-cache b --loss dapo -- -c --x"), OPT_OK);
	CHECK(o.n == 3 && o.seed == UINT64_MAX && o.t == 0.5 && o.greedy && !o.cache);
	CHECK_STR(o.loss, "dapo");
	CHECK_INT(o.list.n, 2);
	CHECK_STR(o.list.item[0], "x=1");
	CHECK_STR(o.list.item[1], "y=2");
	CHECK_INT(count, 5);
	CHECK_STR(left[0], "a");
	CHECK_STR(left[1], "-");
	CHECK_STR(left[2], "b");
	CHECK_STR(left[3], "-c");
	CHECK_STR(left[4], "--x");
	CHECK_INT(parse("-n7 -cg"), OPT_OK);
	CHECK(o.n == 7 && o.greedy && o.cache && count == 0);
	CHECK(opt_given(opts, "samples") && !opt_given(opts, "nothing"));
	CHECK_INT(parse("a --help --bad"), OPT_SHOW_HELP);
	CHECK_INT(parse("--version"), OPT_SHOW_VERSION);
}

static void check_bad(const char *line, const char *want)
{
	if (parse(line) != OPT_BAD)
		TEST_FAIL("accepted: %s", line);
	CHECK_STR(msg, want);
}

static void check_refused(void)
{
	check_bad("--tem 1", "option '--tem' could be '--temperature' or '--template'");
	check_bad("--bad", "unknown option '--bad'");
	check_bad("--no-samples", "unknown option '--no-samples'");
	check_bad("-x", "unknown option '-x'");
	check_bad("-n", "option '-n' needs a value");
	check_bad("--samples", "option '--samples' needs a value");
	check_bad("--greedy=1", "option '--greedy' takes no value");
	check_bad("-n 3x", "option '-n': '3x' is not a whole number");
	check_bad("-n 1e2", "option '-n': '1e2' is not a whole number");
	check_bad("-n 0", "option '-n': 0 is not between 1 and 100");
	check_bad("-n 99999999999999999999", "option '-n': 99999999999999999999 is not between 1 and 100");
	check_bad("--seed -1", "option '--seed': '-1' is not a whole number from 0 to 2^64-1");
	check_bad("--seed 18446744073709551616", "option '--seed': '18446744073709551616' is not a whole number from 0 to 2^64-1");
	check_bad("--temperature nan", "option '--temperature': nan is not a finite number");
	check_bad("--temperature 11", "option '--temperature': 11 is not between 0 and 10");
	check_bad("--temperature 1,5", "option '--temperature': '1,5' is not a number");
	check_bad("--loss ppo", "option '--loss': 'ppo' is none of grpo|dapo");
	check_bad("--loss grp", "option '--loss': 'grp' is none of grpo|dapo");
}

static void check_help(void)
{
	struct opt_command cmd = {"x", "[FILE]...", "Does x", "More."};
	char text[4000];
	FILE *f = tmpfile();
	size_t n;

	parse("");
	opt_help(&cmd, opts, f);
	rewind(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = 0;
	fclose(f);
	CHECK(strstr(text, "usage: x [FILE]...\nDoes x.\n\nSome:\n"));
	CHECK(strstr(text, "  -n, --samples N               completions [1]\n"));
	CHECK(strstr(text, "      --temperature T           temperature [0]\n"));
	CHECK(strstr(text, "cache [on; --no-cache]\n"));
	CHECK(strstr(text, "\nMore.\n"));
}

int main(void)
{
	check_good();
	check_refused();
	check_help();
	free(o.list.item);
	return 0;
}
