/* Files and folders that appear whole or not at all */
#include "test.h"

#include <sys/wait.h>

#include "base/file.h"
#include "base/mem.h"

static char *in_scratch(const char *name)
{
	return file_join(test_scratch(), name);
}

static void put(const char *dir, const char *name, const char *text)
{
	char *path = file_join(dir, name);
	struct err e;

	if (file_write(path, text, strlen(text), &e) < 0)
		TEST_FAIL("%s", e.msg);
	free(path);
}

static void check_content(const char *dir, const char *name, const char *text)
{
	char *path = file_join(dir, name);
	struct buf b = {0};
	struct err e;

	if (file_read(path, &b, &e) < 0)
		TEST_FAIL("%s", e.msg);
	CHECK_STR(b.p, text);
	buf_free(&b);
	free(path);
}

static int count_entries(const char *dir)
{
	char *cmd = xasprintf("ls -A '%s' | wc -l", dir);
	FILE *f = popen(cmd, "r");
	int n = -1;

	CHECK(f && fscanf(f, "%d", &n) == 1);
	pclose(f);
	free(cmd);
	return n;
}

static void check_files(void)
{
	const char *dir = test_scratch();
	char *path = in_scratch("x"), *absent = in_scratch("no/such/x");
	struct err e;

	put(dir, "x", "one");
	put(dir, "x", "two");
	check_content(dir, "x", "two");
	CHECK_INT(count_entries(dir), 1);
	CHECK(file_exists(path) && !file_exists(absent) && file_is_dir(dir) && !file_is_dir(path));
	CHECK(file_write(absent, "x", 1, &e) < 0);
	CHECK(strstr(e.msg, "no/such/x: No such file or directory"));
	CHECK(file_write("/dev/full/x", "x", 1, &e) < 0);
	CHECK(file_remove_tree(path, &e) == 0 && file_remove_tree(absent, &e) == 0);
	CHECK_INT(count_entries(dir), 0);
	free(path);
	free(absent);
}

static void check_stage(void)
{
	char *path = in_scratch("sub/folder/policy"), *parent = in_scratch("sub/folder"), *tmp, *inner;
	struct err e;

	tmp = file_stage(path, &e);
	CHECK(tmp && !file_exists(path));
	put(tmp, "a", "1");
	CHECK_INT(file_commit(tmp, path, &e), 0);
	free(tmp);
	check_content(path, "a", "1");

	/* replaces all that was there */
	tmp = file_stage(path, &e);
	inner = file_join(tmp, "deep/er");
	CHECK_INT(file_make_dirs(inner, &e), 0);
	put(inner, "b", "2");
	check_content(path, "a", "1");
	CHECK_INT(file_commit(tmp, path, &e), 0);
	free(tmp);
	free(inner);
	check_content(path, "deep/er/b", "2");
	CHECK_INT(count_entries(path), 1);
	CHECK_INT(count_entries(parent), 1);

	tmp = file_stage(path, &e);
	put(tmp, "c", "3");
	file_abandon(tmp);
	free(tmp);
	CHECK_INT(count_entries(parent), 1);
	check_content(path, "deep/er/b", "2");
	free(path);
	free(parent);
}

/* What a killed process left aside goes with the next file_stage, though nobody has asked after it yet; the folder under the name stays. */
static void check_killed(void)
{
	char *path = in_scratch("killed"), *tmp;
	int entries = count_entries(test_scratch());
	siginfo_t ended;
	struct err e;
	pid_t pid;

	if (!(pid = fork())) {
		tmp = file_stage(path, &e);
		put(tmp, "a", "1");
		free(tmp);
		free(path);
		_exit(0);
	}
	CHECK_INT(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT), 0);
	CHECK_INT(count_entries(test_scratch()), entries + 1);
	CHECK(!file_exists(path));
	tmp = file_stage(path, &e);
	CHECK_INT(count_entries(test_scratch()), entries + 1);
	CHECK_INT(file_commit(tmp, path, &e), 0);
	CHECK_INT(count_entries(path), 0);
	CHECK_INT(waitid(P_PID, (id_t)pid, &ended, WEXITED), 0);
	free(tmp);
	free(path);
}

int main(void)
{
	check_files();
	check_stage();
	check_killed();
	return 0;
}
