#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

#define OLD "/.old"             /* the host's root until the tree is made */

static int write_file(const char *path, const void *p, size_t n, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode), rc;

	if (fd < 0)
		return -1;
	rc = file_put(fd, p, n);
	return close(fd) < 0 ? -1 : rc;
}

static int write_text(const char *path, const char *s)
{
	return write_file(path, s, strlen(s), 0444);
}

/* Folders up to the last '/' of path */
static void parents(const char *path)
{
	char at[PATH_MAX];
	char *p;

	snprintf(at, sizeof at, "%s", path);
	for (p = at + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = 0;
		mkdir(at, 0755);
	}
}

/* A mount is locked to flags like noexec that it had on the host: they have to be named again when it becomes read-only. */
static int read_only(const char *path)
{
	struct statvfs s;
	unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV;

	if (statvfs(path, &s) < 0)
		return -1;
	flags |= s.f_flag & ST_NOEXEC ? MS_NOEXEC : 0;
	flags |= s.f_flag & ST_NOATIME ? MS_NOATIME : 0;
	flags |= s.f_flag & ST_NODIRATIME ? MS_NODIRATIME : 0;
	flags |= s.f_flag & ST_RELATIME ? MS_RELATIME : 0;
	return mount(NULL, path, NULL, flags, NULL);
}

/* In place: \040 and the like of /proc/self/mountinfo */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '\\' && s[1] && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + s[3] - '0');
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = 0;
}

/* Whatever is mounted at or below path becomes read-only. */
static int read_only_below(const char *path)
{
	FILE *f = fopen(OLD "/proc/self/mountinfo", "re");
	size_t n = strlen(path), cap = 0;
	char *line = NULL;
	int rc = f ? 0 : read_only(path);

	while (f && rc == 0 && getline(&line, &cap, f) > 0) {
		char *at = NULL;

		if (sscanf(line, "%*s %*s %*s %*s %ms", &at) != 1)
			continue;
		unescape(at);
		if (!strncmp(at, path, n) && (at[n] == '/' || !at[n]))
			rc = read_only(at);
		free(at);
	}
	free(line);
	if (f)
		fclose(f);
	return rc;
}

static int bind_there(const char *from, const char *to, bool folder)
{
	parents(to);
	if (folder ? mkdir(to, 0755) < 0 && errno != EEXIST : write_text(to, "") < 0 && errno != EEXIST)
		return -1;
	return mount(from, to, NULL, MS_BIND | MS_REC, NULL);
}

/* Shows a file, folder or link of the host under its own name, or at `at`; what is not there is passed over unless it was asked for. */
static int show(const char *path, const char *at, bool asked)
{
	char from[PATH_MAX], target[PATH_MAX];
	struct stat st;
	ssize_t n;

	snprintf(from, sizeof from, OLD "%s", path);
	if ((asked ? stat(from, &st) : lstat(from, &st)) < 0)
		return errno == ENOENT && !asked ? 0 : -1;
	if (S_ISLNK(st.st_mode)) {
		n = readlink(from, target, sizeof target - 1);
		if (n < 0)
			return -1;
		target[n] = 0;
		return symlink(target, at);
	}
	if (bind_there(from, at, S_ISDIR(st.st_mode)) < 0)
		return -1;
	return read_only_below(at);
}

static int show_asked(const char *text)
{
	char path[PATH_MAX], *colon;

	snprintf(path, sizeof path, "%s", text);
	colon = strrchr(path, ':');
	if (colon)
		*colon++ = 0;
	if (*path != '/' || (colon && *colon != '/')) {
		errno = EINVAL;
		return -1;
	}
	return show(path, colon ? colon : path, true);
}

/* The host's file as a copy: it may be a link out of what is shown */
static void copy(const char *path)
{
	char from[PATH_MAX], block[1 << 16];
	int in, out;
	ssize_t n;

	snprintf(from, sizeof from, OLD "%s", path);
	in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return;
	parents(path);
	out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	while (out >= 0 && (n = read(in, block, sizeof block)) > 0)
		if (write(out, block, (size_t)n) != n)
			break;
	close(in);
	if (out >= 0)
		close(out);
}

static const char *devices(void)
{
	static const char *const name[] = {"null", "zero", "full", "random", "urandom"};
	static const char *const link[][2] = {{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
		{"stderr", "/proc/self/fd/2"}, {"shm", "/box/shm"}};
	char from[64], to[64];
	size_t i;

	if (mkdir("/dev", 0755) < 0)
		return "make /dev";
	for (i = 0; i < sizeof name / sizeof *name; i++) {
		snprintf(from, sizeof from, OLD "/dev/%s", name[i]);
		snprintf(to, sizeof to, "/dev/%s", name[i]);
		if (bind_there(from, to, false) < 0)
			return "bind the devices";
		/* Read-only against chmod and the like; a device is written to all the same. Not nodev. */
		mount(NULL, to, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, NULL);
	}
	for (i = 0; i < sizeof link / sizeof *link; i++) {
		snprintf(to, sizeof to, "/dev/%s", link[i][0]);
		if (symlink(link[i][1], to) < 0)
			return "make /dev";
	}
	return NULL;
}

static const char *texts(void)
{
	const struct view_text *t;

	if (mkdir("/etc", 0755) < 0 || mkdir("/.r1", 0755) < 0 || mkdir("/.proc", 0755) < 0 || mkdir("/proc", 0755) < 0 ||
	    mkdir("/box", 0755) < 0 || symlink("box/tmp", "/tmp") < 0)
		return "make the root's folders";
	if (write_text("/etc/passwd", "root:x:0:0:root:/nonexistent:/bin/false\nbox:x:1000:1000:box:/box/work:/bin/sh\n") < 0 ||
	    write_text("/etc/group", "root:x:0:\nbox:x:1000:\n") < 0 || write_text("/etc/hosts", "127.0.0.1 localhost\n") < 0 ||
	    write_text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n") < 0)
		return "write /etc";
	copy("/etc/ld.so.cache");
	copy("/etc/localtime");
	for (t = view_harness; t->name; t++) {
		char path[PATH_MAX];

		snprintf(path, sizeof path, "/.r1/%s", t->name);
		if (write_file(path, t->p, t->n, 0555) < 0)
			return "write /.r1";
	}
	return NULL;
}

const char *view_enter(const struct view *v, char *what, size_t n)
{
	static const char *const usual[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/alternatives"};
	const char *bad;
	size_t i;

	/* Nothing that is mounted here is seen outside. The staging point only has to be a folder that is there. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return "make the mounts private";
	if (mount("root", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=64m") < 0)
		return "mount a tmpfs";
	if (mkdir("/tmp" OLD, 0700) < 0 || syscall(SYS_pivot_root, "/tmp", "/tmp" OLD) < 0 || chdir("/") < 0)
		return "change the root";
	bad = texts();
	if (!bad)
		bad = devices();
	if (bad)
		return bad;
	for (i = 0; i < sizeof usual / sizeof *usual; i++) {
		if (show(usual[i], usual[i], false) < 0) {
			snprintf(what, n, "show %s", usual[i]);
			return what;
		}
	}
	for (i = 0; i < v->shows; i++) {
		if (show_asked(v->show[i]) < 0) {
			snprintf(what, n, "show %.100s", v->show[i]);
			return what;
		}
	}
	/* A new /proc may only be mounted where a whole one is to be seen: kept for each box to look at, and taken away there */
	if (mount(OLD "/proc", "/.proc", NULL, MS_BIND | MS_REC, NULL) < 0)
		return "keep /proc";
	if (umount2(OLD, MNT_DETACH) < 0 || rmdir(OLD) < 0)
		return "leave the old root";
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0)
		return "make the root read-only";
	return NULL;
}
