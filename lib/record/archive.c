#include "record/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/tool.h"

#define BLOCK ((size_t)1 << 18)
#define BELIEVED ((size_t)64 << 20)     /* a member's stated size is taken on trust up to this */
#define DEPTH 16                        /* folders in folders: links may go round in a circle */

/* libarchive's texts may run over several lines. */
static int failed(struct archive *a, const char *path, struct err *e)
{
	const char *text = archive_error_string(a);
	char *c;

	if (!text || !strcmp(text, "Unrecognized archive format"))
		text = "not an archive (tar or zip) that can be read";
	else if (!strcmp(text, "Write error") && archive_errno(a) > 0)
		text = strerror(archive_errno(a));
	err_set(e, "%s: %s", path, text);
	for (c = e ? e->msg : ""; *c; c++)
		if (*c == '\n')
			*c = ' ';
	return -1;
}

static struct archive *open_archive(const char *path, struct err *e)
{
	struct archive *a;
	struct stat st;

	if (stat(path, &st) < 0) {
		err_errno(e, "%s", path);
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(e, "%s: not a regular file", path);
		return NULL;
	}
	a = archive_read_new();
	archive_read_support_filter_all(a);
	archive_read_support_format_tar(a);
	archive_read_support_format_zip(a);
	if (archive_read_open_filename(a, path, BLOCK) < ARCHIVE_WARN) {
		failed(a, path, e);
		archive_read_free(a);
		return NULL;
	}
	return a;
}

/* A member's name as a path below the folder: "./a//b" is "a/b". NULL if it is none. */
static char *clean_name(const char *name)
{
	char *out = xmalloc(strlen(name) + 1);
	size_t n = 0;

	if (*name == '/')
		goto bad;
	while (*name) {
		size_t len = strcspn(name, "/");

		if (len == 2 && !memcmp(name, "..", 2))
			goto bad;
		if (len && !(len == 1 && *name == '.')) {
			if (n)
				out[n++] = '/';
			memcpy(out + n, name, len);
			n += len;
		}
		name += len;
		while (*name == '/')
			name++;
	}
	out[n] = 0;
	if (n)
		return out;
bad:
	free(out);
	return NULL;
}

/* The next regular member: 1 and its name (freed by the caller), 0 at the end, -1. */
static int next_member(struct archive *a, const char *path, struct archive_entry **entry, char **name, struct err *e)
{
	int rc;

	while ((rc = archive_read_next_header(a, entry)) != ARCHIVE_EOF) {
		const char *stored;

		if (rc == ARCHIVE_RETRY)
			continue;
		if (rc < ARCHIVE_WARN)
			return failed(a, path, e);
		if (archive_entry_filetype(*entry) == AE_IFDIR)
			continue;
		stored = archive_entry_pathname_utf8(*entry);
		if (!stored)
			stored = archive_entry_pathname(*entry);
		*name = stored ? clean_name(stored) : NULL;
		if (!*name)
			return err_set(e, "%s: the member '%.200s' would lie outside of the folder", path, stored ? stored : "");
		if (archive_entry_filetype(*entry) == AE_IFREG && !archive_entry_hardlink(*entry))
			return 1;
		err_set(e, "%s: the member '%.200s' is not a regular file", path, *name);
		free(*name);
		return -1;
	}
	return 0;
}

/* A member's bytes in blocks: sink(arg, p, n, e). Holes of sparse files come as zeros. */
static int each_block(struct archive *a, const char *path, int (*sink)(void *arg, const void *p, size_t n, struct err *e), void *arg,
		      struct err *e)
{
	char *block = xmalloc(BLOCK);
	la_ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = archive_read_data(a, block, BLOCK)) != 0) {
		if (n == ARCHIVE_RETRY)
			continue;
		rc = n < 0 ? failed(a, path, e) : sink(arg, block, (size_t)n, e);
		if (rc == 0 && tool_interrupted())
			rc = err_set(e, "interrupted");
	}
	free(block);
	return rc;
}

struct loading {
	const char *path;
	struct archive_file *file;
	size_t room;
	size_t left;                    /* bytes that this machine has for the rest */
};

static void make_room(struct loading *l, size_t n)
{
	char *p = xaligned(n + 1);

	if (l->file->n)
		memcpy(p, l->file->data, l->file->n);
	free(l->file->data);
	l->file->data = p;
	l->room = n;
}

static int load_block(void *arg, const void *p, size_t n, struct err *e)
{
	struct loading *l = arg;

	if (n > l->left)
		return err_set(e, "%s: unpacked, it is larger than this machine's memory (r1-model unpack makes a folder of it)", l->path);
	l->left -= n;
	if (n > l->room - l->file->n)
		make_room(l, l->file->n + n > 2 * l->room ? l->file->n + n : 2 * l->room);
	memcpy(l->file->data + l->file->n, p, n);
	l->file->n += n;
	return 0;
}

static int load_member(struct archive_files *files, struct archive *a, struct archive_entry *entry, char *name, struct loading *l, struct err *e)
{
	int64_t size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;

	files->file = xgrow(files->file, &files->cap, files->n + 1, sizeof *files->file);
	l->file = &files->file[files->n++];
	*l->file = (struct archive_file){.name = name};
	make_room(l, size < 0 ? 0 : (size_t)size < BELIEVED ? (size_t)size : BELIEVED);
	if (each_block(a, l->path, load_block, l, e) < 0)
		return -1;
	l->file->data[l->file->n] = 0;
	return 0;
}

static int by_name(const void *pa, const void *pb)
{
	return strcmp(((const struct archive_file *)pa)->name, ((const struct archive_file *)pb)->name);
}

/* Takes out the earlier one of the name that came last, if there is one. */
static void drop_earlier(struct archive_files *files)
{
	struct archive_file *last = &files->file[files->n - 1];
	size_t i;

	for (i = 0; i + 1 < files->n; i++)
		if (!strcmp(files->file[i].name, last->name)) {
			free(files->file[i].name);
			free(files->file[i].data);
			files->file[i] = *last;
			files->n--;
			return;
		}
}

int archive_load(struct archive_files *files, const char *path, struct err *e)
{
	struct archive *a = open_archive(path, e);
	struct archive_entry *entry;
	struct loading l = {.path = path};
	char *name;
	int rc;

	*files = (struct archive_files){0};
	if (!a)
		return -1;
	l.left = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
	while ((rc = next_member(a, path, &entry, &name, e)) > 0) {
		rc = load_member(files, a, entry, name, &l, e);
		if (rc < 0)
			break;
		drop_earlier(files);
	}
	archive_read_free(a);
	if (rc < 0) {
		archive_unload(files);
		return -1;
	}
	qsort(files->file, files->n, sizeof *files->file, by_name);
	return 0;
}

const struct archive_file *archive_find(const struct archive_files *files, const char *name)
{
	struct archive_file key = {.name = (char *)name};

	return files->n ? bsearch(&key, files->file, files->n, sizeof *files->file, by_name) : NULL;
}

void archive_unload(struct archive_files *files)
{
	size_t i;

	for (i = 0; i < files->n; i++) {
		free(files->file[i].name);
		free(files->file[i].data);
	}
	free(files->file);
	*files = (struct archive_files){0};
}

struct unpacking {
	const char *path;
	int fd;
};

static int unpack_block(void *arg, const void *p, size_t n, struct err *e)
{
	const struct unpacking *u = arg;

	return file_put(u->fd, p, n) < 0 ? err_errno(e, "%s", u->path) : 0;
}

static int unpack_member(struct archive *a, const char *archive_path, const char *folder, const char *name, struct err *e)
{
	char *path = file_join(folder, name), *slash = strrchr(path, '/');
	struct unpacking u = {.path = path};
	int rc;

	*slash = 0;
	rc = file_make_dirs(path, e);
	*slash = '/';
	if (rc == 0) {
		u.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
		if (u.fd < 0) {
			rc = err_errno(e, "%s", path);
		} else {
			rc = each_block(a, archive_path, unpack_block, &u, e);
			if (close(u.fd) < 0 && rc == 0)
				rc = err_errno(e, "%s", path);
		}
	}
	free(path);
	return rc;
}

int archive_unpack(const char *path, const char *folder, struct err *e)
{
	struct archive *a = open_archive(path, e);
	struct archive_entry *entry;
	char *name;
	int rc;

	if (!a)
		return -1;
	while ((rc = next_member(a, path, &entry, &name, e)) > 0) {
		rc = unpack_member(a, path, folder, name, e);
		free(name);
		if (rc < 0)
			break;
	}
	archive_read_free(a);
	return rc;
}

/* ---- packing ---- */

struct packing {
	const char *folder, *path;
	bool (*keep)(const char *name);
	char **name;
	size_t n, cap;
	dev_t dev;                      /* what stands under the output's name: it is not packed into itself */
	ino_t ino;
};

/* Collects what is in folder/prefix. */
static int collect(struct packing *k, const char *prefix, int depth, struct err *e)
{
	char *at = *prefix ? file_join(k->folder, prefix) : xstrdup(k->folder);
	DIR *d = opendir(at);
	struct dirent *entry;
	int rc = 0;

	if (!d || depth > DEPTH) {
		rc = d ? err_set(e, "%s: more than %d folders deep", at, DEPTH) : err_errno(e, "%s", at);
		if (d)
			closedir(d);
		free(at);
		return rc;
	}
	while (rc == 0 && (entry = readdir(d))) {
		char *name, *path;
		struct stat st;

		if (entry->d_name[0] == '.')
			continue;
		name = *prefix ? file_join(prefix, entry->d_name) : xstrdup(entry->d_name);
		path = file_join(k->folder, name);
		if (stat(path, &st) < 0) {
			rc = err_errno(e, "%s", path);
		} else if (S_ISDIR(st.st_mode)) {
			rc = collect(k, name, depth + 1, e);
		} else if (!S_ISREG(st.st_mode)) {
			rc = err_set(e, "%s: not a regular file", path);
		} else if (!(st.st_dev == k->dev && st.st_ino == k->ino) && (!k->keep || k->keep(name))) {
			k->name = xgrow(k->name, &k->cap, k->n + 1, sizeof *k->name);
			k->name[k->n++] = name;
			name = NULL;
		}
		free(name);
		free(path);
	}
	closedir(d);
	free(at);
	return rc;
}

static const struct {
	const char *suffix;
	int (*filter)(struct archive *);        /* NULL: zip */
} formats[] = {
	{".tar", archive_write_add_filter_none}, {".tar.zst", archive_write_add_filter_zstd}, {".tzst", archive_write_add_filter_zstd},
	{".tar.gz", archive_write_add_filter_gzip}, {".tgz", archive_write_add_filter_gzip}, {".tar.xz", archive_write_add_filter_xz},
	{".txz", archive_write_add_filter_xz}, {".tar.bz2", archive_write_add_filter_bzip2}, {".zip", NULL},
};

static struct archive *new_archive(const char *path, int level, struct err *e)
{
	size_t i, n = strlen(path), count = sizeof formats / sizeof *formats, len;
	char digits[16];
	struct archive *a;

	for (i = 0; i < count; i++) {
		len = strlen(formats[i].suffix);
		if (n > len && !strcmp(path + n - len, formats[i].suffix))
			break;
	}
	if (i == count) {
		err_set(e, "%s: the name must end in .tar, .tar.zst, .tar.gz, .tar.xz, .tar.bz2 or .zip", path);
		return NULL;
	}
	a = archive_write_new();
	if (formats[i].filter) {
		archive_write_set_format_pax_restricted(a);
		formats[i].filter(a);
		archive_write_set_filter_option(a, "gzip", "timestamp", NULL);
	} else {
		archive_write_set_format_zip(a);
	}
	snprintf(digits, sizeof digits, "%d", level);
	if (level && archive_write_set_option(a, NULL, "compression-level", digits) < ARCHIVE_WARN) {
		err_set(e, "%s: this format has no compression level %d", path, level);
		archive_write_free(a);
		return NULL;
	}
	return a;
}

static int put_data(struct archive *a, int fd, int64_t size, const char *path, const char *archive_path, struct err *e)
{
	char *block = xmalloc(BLOCK);
	int rc = 0;

	while (rc == 0 && size) {
		ssize_t n = read(fd, block, size < (int64_t)BLOCK ? (size_t)size : BLOCK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_errno(e, "%s", path);
		else if (n == 0)
			rc = err_set(e, "%s: became shorter while it was packed", path);
		else if (archive_write_data(a, block, (size_t)n) != n)
			rc = failed(a, archive_path, e);
		else if (tool_interrupted())
			rc = err_set(e, "interrupted");
		size -= n;
	}
	free(block);
	return rc;
}

static int pack_member(struct archive *a, const struct packing *k, const char *name, struct err *e)
{
	char *path = file_join(k->folder, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;
	struct archive_entry *entry;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		rc = err_errno(e, "%s", path);
		goto end;
	}
	entry = archive_entry_new();
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_size(entry, st.st_size);
	archive_entry_set_mtime(entry, 0, 0);
	rc = archive_write_header(a, entry) < ARCHIVE_WARN ? failed(a, k->path, e) : put_data(a, fd, st.st_size, path, k->path, e);
	archive_entry_free(entry);
end:
	if (fd >= 0)
		close(fd);
	free(path);
	return rc;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int write_archive(const struct packing *k, const char *tmp, int level, struct err *e)
{
	struct archive *a = new_archive(k->path, level, e);
	int fd, rc = 0;
	size_t i;

	if (!a)
		return -1;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0) {
		archive_write_free(a);
		return err_errno(e, "%s", k->path);
	}
	if (archive_write_open_fd(a, fd) < ARCHIVE_WARN)
		rc = failed(a, k->path, e);
	for (i = 0; rc == 0 && i < k->n; i++)
		rc = pack_member(a, k, k->name[i], e);
	if (rc == 0 && archive_write_close(a) < ARCHIVE_WARN)
		rc = failed(a, k->path, e);
	if (rc < 0)
		archive_write_fail(a);          /* what is left in its buffers goes nowhere */
	archive_write_free(a);
	if (rc == 0 && fsync(fd) < 0)
		rc = err_errno(e, "%s", k->path);
	if (close(fd) < 0 && rc == 0)
		rc = err_errno(e, "%s", k->path);
	return rc;
}

int archive_pack(const char *folder, const char *path, int level, bool (*keep)(const char *name), struct err *e)
{
	struct packing k = {.folder = folder, .path = path, .keep = keep};
	char *aside = NULL, *tmp = NULL;
	struct stat st;
	int rc;
	size_t i;

	if (stat(path, &st) == 0) {
		k.dev = st.st_dev;
		k.ino = st.st_ino;
	}
	rc = collect(&k, "", 0, e);
	if (rc == 0) {
		qsort(k.name, k.n, sizeof *k.name, compare_names);
		aside = file_stage(path, e);    /* a folder for the unfinished archive, so that what a killed process left is swept */
		tmp = aside ? file_join(aside, "archive") : NULL;
		rc = aside ? write_archive(&k, tmp, level, e) : -1;
		if (rc == 0 && rename(tmp, path) < 0)
			rc = err_errno(e, "%s", path);
		if (aside)
			file_abandon(aside);
	}
	for (i = 0; i < k.n; i++)
		free(k.name[i]);
	free(k.name);
	free(aside);
	free(tmp);
	return rc;
}
