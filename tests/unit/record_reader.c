/* Reading: files, pipes, compressed files and archives; bad lines; lines cut off */
#include "test.h"

#include <fcntl.h>
#include <sys/wait.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/file.h"
#include "base/mem.h"
#include "record/record.h"

static char *path_of(const char *name)
{
	return file_join(test_scratch(), name);
}

static char *put(const char *name, const char *text, size_t n)
{
	char *path = path_of(name);
	struct err e;

	if (file_write(path, text, n, &e) < 0)
		TEST_FAIL("%s", e.msg);
	return path;
}

/* Reads all, writes "FILE:LINE=id " for each record into `got` (FILE without its folder), and then the error, if any. */
static void read_all(char *const *files, size_t n, struct tool *t, struct buf *got)
{
	struct reader *in = reader_open(files, n, t);
	struct record r = {0};
	struct err e;
	int64_t id;
	int rc;

	buf_clear(got);
	while ((rc = reader_next(in, &r, &e)) > 0) {
		const char *slash = strrchr(r.file, '/');

		if (record_int(&r, "id", &id, &e) < 0) {
			if ((rc = reader_bad(in, &e)) < 0)
				break;
			continue;
		}
		buf_printf(got, "%s:%lld=%lld ", slash ? slash + 1 : r.file, (long long)r.line, (long long)id);
	}
	if (rc < 0) {
		const char *slash = strrchr(e.msg, '/');

		buf_printf(got, "! %s", slash ? slash + 1 : e.msg);
	}
	record_free(&r);
	reader_close(in);
}

static void check_read(const char *name, const char *text, size_t n, const char *want)
{
	char *path = put(name, text, n);
	struct buf got = {0};

	read_all(&path, 1, NULL, &got);
	CHECK_STR(got.p ? got.p : "", want);
	buf_free(&got);
	free(path);
}

static void check_lines(void)
{
	struct buf big = {0};
	size_t i;

#define READ(text, want) check_read("x.jsonl", text, sizeof text - 1, want)
	READ("", "");
	READ("\n\n \t\n", "");
	READ("{\"id\":1}\n{\"id\":2}\n", "x.jsonl:1=1 x.jsonl:2=2 ");
	READ("{\"id\":1}\n\n  \r\n{\"id\":2}", "x.jsonl:1=1 x.jsonl:4=2 ");
	READ("\xef\xbb\xbf{\"id\":1}\r\n{\"id\":2}\r\n", "x.jsonl:1=1 x.jsonl:2=2 ");
	READ("{\"id\":1}\n{\"id\":2,\"x\":[1,", "x.jsonl:1=1 ! x.jsonl:2: the last line is cut off (id 2)");
	READ("{\"id\":1}\n{\"id\":2,\"x\":[1,\n", "x.jsonl:1=1 ! x.jsonl:2: the end of the line where a value should be (byte 16) (id 2)");
	READ("{\"id\":\"a\"}\n", "! x.jsonl:1: 'id' is a string, not a whole number (id a)");
	READ("{\"id\":1}\n{\"id\":2, \"c\": \"\xe9\"}\n", "x.jsonl:1=1 ! x.jsonl:2: bytes that are no UTF-8 (byte 16) (id 2)");
	READ("hello\n", "! x.jsonl:1: not a JSON object");
	READ("{\"id\":1}\n\0\n", "x.jsonl:1=1 ! x.jsonl:2: not a JSON object");
	/* a line longer than any block, between short ones */
	buf_str(&big, "{\"id\":1}\n{\"id\":2,\"x\":\"");
	for (i = 0; i < 100000; i++)
		buf_str(&big, "0123456789");
	buf_str(&big, "\"}\n{\"id\":3}\n");
	check_read("x.jsonl", big.p, big.n, "x.jsonl:1=1 x.jsonl:2=2 x.jsonl:3=3 ");
	buf_free(&big);
}

static void check_files(void)
{
	char *files[3] = {put("a.jsonl", "{\"id\":1}", 8), put("b.jsonl", "", 0), put("c.jsonl", "{\"id\":2}\n{\"id\":3}\n", 18)};
	struct buf got = {0};
	size_t i;

	read_all(files, 3, NULL, &got);
	CHECK_STR(got.p, "a.jsonl:1=1 c.jsonl:1=2 c.jsonl:2=3 ");
	free(files[1]);
	files[1] = path_of("absent.jsonl");
	read_all(files, 3, NULL, &got);
	CHECK_STR(got.p, "a.jsonl:1=1 ! absent.jsonl: No such file or directory");
	free(files[1]);
	files[1] = xstrdup(test_scratch());
	read_all(files, 3, NULL, &got);
	CHECK(strstr(got.p, ": is a folder"));
	for (i = 0; i < 3; i++)
		free(files[i]);
	buf_free(&got);
}

/* Bad lines go, and are counted; a file that cannot be read is an error all the same. */
static void check_skip(void)
{
	static const char text[] = "{\"id\":1}\nbad\n{\"id\":\"a\"}\n{\"id\":2}\n{\"id\":";
	struct tool t = {.name = "test", .skip_bad = true};
	char *files[2] = {put("x.jsonl", text, sizeof text - 1), path_of("absent")};
	struct buf got = {0};

	read_all(files, 1, &t, &got);
	CHECK_STR(got.p, "x.jsonl:1=1 x.jsonl:4=2 ");
	CHECK_INT(t.skipped, 3);
	read_all(files, 2, &t, &got);
	CHECK_STR(got.p, "x.jsonl:1=1 x.jsonl:4=2 ! absent: No such file or directory");
	t.skip_bad = false;
	read_all(files, 1, &t, &got);
	CHECK_STR(got.p, "x.jsonl:1=1 ! x.jsonl:2: not a JSON object");
	free(files[0]);
	free(files[1]);
	buf_free(&got);
}

enum { GZ, ZST, XZ, BZ2, TAR, TAR_GZ, ZIP };

/* Packs n texts; a filter alone takes one. */
static struct buf pack(int kind, size_t n, const char *const *name, const struct buf *text)
{
	static char out[4 << 20];
	struct archive *a = archive_write_new();
	struct archive_entry *entry;
	struct buf b = {0};
	size_t used, i;

	switch (kind) {
	case GZ: case TAR_GZ: archive_write_add_filter_gzip(a); break;
	case ZST: archive_write_add_filter_zstd(a); break;
	case XZ: archive_write_add_filter_xz(a); break;
	case BZ2: archive_write_add_filter_bzip2(a); break;
	}
	if (kind == TAR || kind == TAR_GZ)
		archive_write_set_format_ustar(a);
	else if (kind == ZIP)
		archive_write_set_format_zip(a);
	else
		archive_write_set_format_raw(a);
	archive_write_set_bytes_in_last_block(a, 1);
	CHECK(archive_write_open_memory(a, out, sizeof out, &used) == ARCHIVE_OK);
	for (i = 0; i < n; i++) {
		entry = archive_entry_new();
		archive_entry_set_pathname(entry, name[i]);
		archive_entry_set_filetype(entry, name[i][strlen(name[i]) - 1] == '/' ? AE_IFDIR : AE_IFREG);
		archive_entry_set_perm(entry, 0755);
		archive_entry_set_size(entry, (int64_t)text[i].n);
		CHECK(archive_write_header(a, entry) == ARCHIVE_OK);
		if (text[i].n)
			CHECK(archive_write_data(a, text[i].p, text[i].n) == (ssize_t)text[i].n);
		archive_entry_free(entry);
	}
	CHECK(archive_write_close(a) == ARCHIVE_OK);
	archive_write_free(a);
	buf_add(&b, out, used);
	return b;
}

static void check_compressed(void)
{
	static const char *const member[] = {"dir/", "dir/a.jsonl", "b.jsonl.gz", "{c}"};
	static const char *const kind_name[] = {"gz", "zst", "xz", "bz2", "tar", "tgz", "zip"};
	struct buf text[4] = {{0}}, packed, got = {0}, one = {0};
	char want[200], name[32];
	int kind;

	buf_str(&one, "{\"id\":7}\n{\"id\":8}\n");
	buf_str(&text[1], "{\"id\":1}\n{\"id\":2}");
	text[2] = pack(GZ, 1, member + 1, &one);
	buf_str(&text[3], "{\"id\":3}\n");
	for (kind = GZ; kind <= ZIP; kind++) {
		bool several = kind >= TAR;
		char *path, *files[2];

		packed = several ? pack(kind, 4, member, text) : pack(kind, 1, member + 1, &one);
		snprintf(name, sizeof name, "p.%s", kind_name[kind]);
		if (!several) {
			snprintf(want, sizeof want, "p.%s:1=7 p.%s:2=8 ", kind_name[kind], kind_name[kind]);
			check_read(name, packed.p, packed.n, want);
			/* also under a name that says nothing */
			check_read("data", packed.p, packed.n, "data:1=7 data:2=8 ");
		} else {
			path = put(name, packed.p, packed.n);
			files[0] = path;
			read_all(files, 1, NULL, &got);
			snprintf(want, sizeof want, "a.jsonl:1=1 a.jsonl:2=2 %s:b.jsonl.gz:1=7 %s:b.jsonl.gz:2=8 %s:{c}:1=3 ", name, name, name);
			CHECK_STR(got.p, want);
			files[0] = xasprintf("%s:{c}", path);
			files[1] = xasprintf("%s:./b.jsonl.gz", path);
			read_all(files, 2, NULL, &got);
			snprintf(want, sizeof want, "%s:{c}:1=3 %s:b.jsonl.gz:1=7 %s:b.jsonl.gz:2=8 ", name, name, name);
			CHECK_STR(got.p, want);
			free(files[0]);
			free(files[1]);
			files[0] = xasprintf("%s:d", path);
			read_all(files, 1, NULL, &got);
			snprintf(want, sizeof want, "! %s: has no member 'd'", name);
			CHECK_STR(got.p, want);
			free(files[0]);
			free(path);
		}
		buf_free(&packed);
	}
	buf_free(&text[1]);
	buf_free(&text[2]);
	buf_free(&text[3]);
	buf_free(&one);
	buf_free(&got);
}

/* What was packed and then cut or changed ends in an error that names the file, never in silence. */
static void check_corrupted(void)
{
	static const char *const member[] = {"a"};
	static const char *const kind_name[] = {"x.gz", "x.zst", "x.xz", "x.bz2"};
	struct buf text = {0}, packed, got = {0};
	int kind, i;

	for (i = 0; i < 20000; i++)
		buf_printf(&text, "{\"id\":%d,\"x\":%d}\n", i, (i * 7919) % 10007);
	for (kind = GZ; kind <= BZ2; kind++) {
		char *path;

		packed = pack(kind, 1, member, &text);
		path = put(kind_name[kind], packed.p, packed.n / 2);
		read_all(&path, 1, NULL, &got);
		if (!strstr(got.p, "! ") || !strstr(strstr(got.p, "! "), kind_name[kind]))
			TEST_FAIL("%s, cut in half: ...%s", kind_name[kind], got.p + (got.n > 80 ? got.n - 80 : 0));
		free(path);
		memset(packed.p + packed.n / 2, 0x5a, 64);
		path = put(kind_name[kind], packed.p, packed.n);
		read_all(&path, 1, NULL, &got);
		if (!strstr(got.p, "! ") || !strstr(strstr(got.p, "! "), kind_name[kind]))
			TEST_FAIL("%s, overwritten: ...%s", kind_name[kind], got.p + (got.n > 80 ? got.n - 80 : 0));
		free(path);
		buf_free(&packed);
	}
	buf_free(&text);
	buf_free(&got);
}

/* One bit of a gzip file: an error, or it was of no consequence. */
static void check_flipped(void)
{
	static const char *const member[] = {"a"};
	struct buf text = {0}, packed, clean = {0}, got = {0};
	char *path;
	size_t i;

	for (i = 0; i < 300; i++)
		buf_printf(&text, "{\"id\":%zu}\n", i * 7919 % 1009);
	packed = pack(GZ, 1, member, &text);
	path = put("f.gz", packed.p, packed.n);
	read_all(&path, 1, NULL, &clean);
	CHECK(!strchr(clean.p, '!'));
	for (i = 0; i < packed.n; i++) {
		packed.p[i] ^= (char)(1 << i % 8);
		free(path);
		path = put("f.gz", packed.p, packed.n);
		read_all(&path, 1, NULL, &got);
		if (!strchr(got.p, '!') && strcmp(got.p, clean.p) != 0)
			TEST_FAIL("a bit of byte %zu of %zu changes what is read, in silence", i, packed.n);
		packed.p[i] ^= (char)(1 << i % 8);
	}
	/* two members, one behind the other, are one file; anything else behind it is an error */
	buf_room(&packed, packed.n);
	buf_add(&packed, packed.p, packed.n);
	free(path);
	path = put("f.gz", packed.p, packed.n);
	read_all(&path, 1, NULL, &got);
	CHECK(!strchr(got.p, '!') && strstr(got.p, "f.gz:600="));
	free(path);
	packed.n /= 2;
	buf_str(&packed, "{\"id\":1}\n");
	path = put("f.gz", packed.p, packed.n);
	read_all(&path, 1, NULL, &got);
	CHECK(strstr(got.p, "! f.gz: damaged or followed by something else: its sum does not fit"));
	free(path);
	buf_free(&packed);
	buf_free(&text);
	buf_free(&clean);
	buf_free(&got);
}

/* From a pipe that stays open, each record comes as soon as its line is there: the writer waits for each to be seen. */
static void check_stream(void)
{
	struct record r = {0};
	struct reader *in;
	struct err e;
	int data[2], seen[2], i, status;
	int64_t id;
	pid_t pid;
	char c;

	CHECK(pipe(data) == 0 && pipe(seen) == 0);
	if (!(pid = fork())) {
		for (i = 0; i < 3; i++) {
			char line[64];
			int n = snprintf(line, sizeof line, "{\"id\":%d}\n", i);

			if (write(data[1], line, (size_t)n) != n || read(seen[0], &c, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	dup2(data[0], 0);
	close(data[1]);
	in = reader_open(NULL, 0, NULL);
	alarm(60);
	for (i = 0; i < 3; i++) {
		CHECK_INT(reader_next(in, &r, &e), 1);
		CHECK_STR(r.file, "stdin");
		CHECK(record_int(&r, "id", &id, &e) == 0 && id == i);
		CHECK(write(seen[1], "x", 1) == 1);
	}
	CHECK_INT(reader_next(in, &r, &e), 0);
	CHECK_INT(reader_next(in, &r, &e), 0);
	alarm(0);
	reader_close(in);
	record_free(&r);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void)
{
	check_lines();
	check_files();
	check_skip();
	check_compressed();
	check_corrupted();
	check_flipped();
	check_stream();
	return 0;
}
