#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

int file_read(const char *path, struct buf *to, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return err_errno(e, "%s", path);
	while ((n = read(fd, buf_room(to, 1 << 16), 1 << 16)) > 0)
		to->n += (size_t)n;
	if (n < 0) {
		err_errno(e, "%s", path);
		close(fd);
		return -1;
	}
	close(fd);
	*buf_room(to, 0) = 0;
	return 0;
}

int file_put(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n) {
		ssize_t k = write(fd, at, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		at += k;
		n -= (size_t)k;
	}
	return 0;
}

int file_write(const char *path, const void *p, size_t n, struct err *e)
{
	char *tmp = xasprintf("%s.tmp-%ld", path, (long)getpid());
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int rc = 0;

	if (fd < 0) {
		rc = err_errno(e, "%s", path);
	} else if (file_put(fd, p, n) < 0 || fsync(fd) < 0) {
		rc = err_errno(e, "%s", path);
		close(fd);
		unlink(tmp);
	} else if (close(fd) < 0 || rename(tmp, path) < 0) {
		rc = err_errno(e, "%s", path);
		unlink(tmp);
	}
	free(tmp);
	return rc;
}

bool file_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

bool file_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *file_join(const char *dir, const char *name)
{
	size_t n = strlen(dir);

	return xasprintf("%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name);
}

/* Calls fn on every entry of a folder but . and .. */
static int each_entry(const char *path, int (*fn)(const char *path, struct err *e), struct err *e)
{
	DIR *d = opendir(path);
	struct dirent *entry;
	int rc = 0;

	if (!d)
		return err_errno(e, "%s", path);
	while (rc == 0 && (entry = readdir(d))) {
		char *child;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		child = file_join(path, entry->d_name);
		rc = fn(child, e);
		free(child);
	}
	closedir(d);
	return rc;
}

int file_remove_tree(const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_errno(e, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return unlink(path) < 0 ? err_errno(e, "%s", path) : 0;
	if (each_entry(path, file_remove_tree, e) < 0)
		return -1;
	return rmdir(path) < 0 ? err_errno(e, "%s", path) : 0;
}

static int sync_tree(const char *path, struct err *e)
{
	struct stat st;
	int fd, rc = 0;

	if (lstat(path, &st) < 0)
		return err_errno(e, "%s", path);
	if (S_ISDIR(st.st_mode) && each_entry(path, sync_tree, e) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "%s", path);
	if (fsync(fd) < 0 && errno != EINVAL)
		rc = err_errno(e, "%s", path);
	close(fd);
	return rc;
}

int file_make_dirs(const char *path, struct err *e)
{
	char *copy = xstrdup(path), *p;
	int rc = 0;

	for (p = copy + 1; rc == 0; p++) {
		if (*p && *p != '/')
			continue;
		char c = *p;

		*p = 0;
		if (mkdir(copy, 0777) < 0 && errno != EEXIST)
			rc = err_errno(e, "%s", copy);
		*p = c;
		if (!c)
			break;
	}
	if (rc == 0 && !file_is_dir(path))
		rc = err_set(e, "%s: not a folder", path);
	free(copy);
	return rc;
}

/* Splits a path without trailing slashes into folder and name; both freed by the caller. */
static void split(const char *path, char **dir, char **name)
{
	char *a = xstrdup(path), *b = xstrdup(path);

	*dir = xstrdup(dirname(a));
	*name = xstrdup(basename(b));
	free(a);
	free(b);
}

/* One that was killed, and that its parent has not asked after yet, is still there, but has no command line any more. */
static bool process_runs(const char *pid)
{
	char *path = xasprintf("/proc/%s/cmdline", pid), c;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool runs = fd >= 0 && read(fd, &c, 1) == 1;

	if (fd >= 0)
		close(fd);
	free(path);
	return runs;
}

/* Removes what killed processes staged for this name. */
static void sweep(const char *dir, const char *prefix)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	size_t n = strlen(prefix);

	if (!d)
		return;
	while ((entry = readdir(d))) {
		char *child;

		if (strncmp(entry->d_name, prefix, n) != 0 || process_runs(entry->d_name + n))
			continue;
		child = file_join(dir, entry->d_name);
		file_remove_tree(child, NULL);
		free(child);
	}
	closedir(d);
}

char *file_stage(const char *path, struct err *e)
{
	char *dir, *name, *prefix, *staged;

	split(path, &dir, &name);
	prefix = xasprintf(".%s.tmp-", name);
	staged = xasprintf("%s/%s%ld", dir, prefix, (long)getpid());
	if (file_make_dirs(dir, e) < 0) {
		free(staged);
		staged = NULL;
	} else {
		sweep(dir, prefix);
		if (file_remove_tree(staged, e) < 0 || (mkdir(staged, 0777) < 0 && err_errno(e, "%s", path) < 0)) {
			free(staged);
			staged = NULL;
		}
	}
	free(dir);
	free(name);
	free(prefix);
	return staged;
}

int file_commit(const char *staged, const char *path, struct err *e)
{
	char *dir, *name;
	int rc = 0, fd;

	if (sync_tree(staged, e) < 0)
		return -1;
	if (rename(staged, path) < 0) {
		if (errno != ENOTEMPTY && errno != EEXIST)
			return err_errno(e, "%s", path);
		if (renameat2(AT_FDCWD, staged, AT_FDCWD, path, RENAME_EXCHANGE) < 0)
			return err_errno(e, "%s", path);
		rc = file_remove_tree(staged, e);       /* the old one, under the staged name now */
	}
	split(path, &dir, &name);
	fd = open(dir, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(dir);
	free(name);
	return rc;
}

void file_abandon(const char *staged)
{
	file_remove_tree(staged, NULL);
}
