/* Writing: whole files under their names or none, compression, errors that are never silent */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/mem.h"
#include "record/record.h"

static char *path_of(const char *name)
{
	return file_join(test_scratch(), name);
}

static void put_ids(struct writer *w, int n)
{
	struct record r = {0};
	struct err e;
	int i;

	for (i = 0; i < n; i++) {
		record_set_int(&r, "id", i);
		CHECK_INT(writer_put(w, &r, &e), 0);
	}
	record_free(&r);
}

static int count_back(char *path)
{
	struct reader *in = reader_open(&path, 1, NULL);
	struct record r = {0};
	struct err e;
	int64_t id;
	int n = 0, rc;

	while ((rc = reader_next(in, &r, &e)) > 0) {
		CHECK(record_int(&r, "id", &id, &e) == 0 && id == n);
		n++;
	}
	if (rc < 0)
		TEST_FAIL("%s", e.msg);
	record_free(&r);
	reader_close(in);
	return n;
}

static void check_files(void)
{
	static const char *const name[] = {"w.jsonl", "w.jsonl.gz", "w.jsonl.zst", "w.jsonl.xz", "w.jsonl.bz2"};
	struct buf first = {0}, second = {0};
	struct err e;
	size_t i;

	for (i = 0; i < sizeof name / sizeof *name; i++) {
		char *path = path_of(name[i]), *tmp = xasprintf("%s.tmp", path);
		struct writer *w = writer_open(path, &e);

		CHECK(w != NULL);
		put_ids(w, 3000);
		CHECK(!file_exists(path));
		CHECK_INT(writer_close(w, &e), 0);
		CHECK(!file_exists(tmp));
		CHECK_INT(count_back(path), 3000);
		buf_clear(&first);
		CHECK(file_read(path, &first, &e) == 0);
		if (i)
			CHECK(first.n < 20000);
		/* given up: what was there stays */
		w = writer_open(path, &e);
		put_ids(w, 10);
		CHECK_INT(writer_close(w, NULL), 0);
		CHECK(!file_exists(tmp));
		CHECK_INT(count_back(path), 3000);
		/* the same records give the same bytes */
		w = writer_open(path, &e);
		put_ids(w, 3000);
		CHECK_INT(writer_close(w, &e), 0);
		buf_clear(&second);
		CHECK(file_read(path, &second, &e) == 0);
		CHECK_MEM(second.p, second.n, first.p, first.n);
		free(path);
		free(tmp);
	}
	buf_free(&first);
	buf_free(&second);
}

static void check_links(void)
{
	char *path = path_of("target.jsonl"), *link = path_of("link.jsonl"), to[100] = "";
	struct err e;
	struct writer *w;

	CHECK(file_write(path, "", 0, &e) == 0);
	CHECK(symlink("target.jsonl", link) == 0);
	w = writer_open(link, &e);
	put_ids(w, 3);
	CHECK_INT(writer_close(w, &e), 0);
	CHECK_INT(readlink(link, to, sizeof to - 1), 12);
	CHECK_INT(count_back(path), 3);
	free(path);
	free(link);
}

static void check_failures(void)
{
	struct record r = {0};
	struct writer *w;
	struct err e;
	char *path;
	int fd[2], saved, i;

	path = path_of("absent/w.jsonl");
	CHECK(writer_open(path, &e) == NULL);
	CHECK(strstr(e.msg, "absent/w.jsonl: No such file or directory"));
	free(path);

	w = writer_open("/dev/full", &e);
	CHECK(w != NULL);
	record_set_str(&r, "id", "x");
	CHECK_INT(writer_put(w, &r, &e), -1);
	CHECK_STR(e.msg, "/dev/full: No space left on device");
	CHECK_INT(writer_close(w, NULL), 0);

	/* a reader that has gone */
	signal(SIGPIPE, SIG_IGN);
	CHECK(pipe(fd) == 0);
	saved = dup(1);
	dup2(fd[1], 1);
	close(fd[0]);
	close(fd[1]);
	w = writer_open(NULL, &e);
	i = writer_put(w, &r, &e);
	writer_close(w, NULL);
	dup2(saved, 1);
	CHECK_INT(i, -1);
	CHECK_STR(e.msg, "standard output: Broken pipe");
	record_free(&r);
}

/* On a pipe each record is there as soon as it is put. */
static void check_flush(void)
{
	struct writer *w;
	struct err e;
	char *path = path_of("fifo"), got[100];
	int fd;

	CHECK(mkfifo(path, 0600) == 0);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	w = writer_open(path, &e);
	CHECK(fd >= 0 && w);
	put_ids(w, 1);
	CHECK_INT(read(fd, got, sizeof got), 9);
	CHECK_MEM(got, 9, "{\"id\":0}\n", 9);
	CHECK_INT(writer_close(w, &e), 0);
	CHECK(file_exists(path));
	close(fd);
	free(path);
}

int main(void)
{
	check_files();
	check_links();
	check_failures();
	check_flush();
	return 0;
}
