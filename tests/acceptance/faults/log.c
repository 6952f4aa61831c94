/* Preloaded into a daemon. The file named by FAILING_LOG holds two numbers: as many syncs of a SQLite log (a file whose
   name ends with -wal) as the first says fail with EIO, and when those are over as many writes into it as the second
   says, as on a disk that has lost what it was to write. What was written before stays written. Each fault counts its
   number down. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef ssize_t (*writer)(int, const void *, size_t, off_t);
typedef int (*syncer)(int);

static ssize_t really_write(int file, const void *data, size_t size, off_t at) {
    return ((writer)dlsym(RTLD_NEXT, "pwrite64"))(file, data, size, at);
}

static int is_log(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path);
    return length >= 4 && memcmp(path + length - 4, "-wal", 4) == 0;
}

static int fails(int file, int is_sync) {
    const char *name = getenv("FAILING_LOG");
    char text[32] = "";
    int syncs = 0, writes = 0, failing = 0;
    if (name == NULL || !is_log(file)) return 0;
    int control = open(name, O_RDWR);
    if (control < 0) return 0;
    if (read(control, text, sizeof text - 1) > 0) sscanf(text, "%d %d", &syncs, &writes);
    if (is_sync && syncs > 0) failing = syncs--;
    if (!is_sync && syncs == 0 && writes > 0) failing = writes--;
    if (failing) {
        int length = snprintf(text, sizeof text, "%-8d %-8d", syncs, writes);
        if (really_write(control, text, length, 0) != length) abort();
    }
    close(control);
    errno = EIO;
    return failing;
}

int fdatasync(int file) {
    return fails(file, 1) ? -1 : ((syncer)dlsym(RTLD_NEXT, "fdatasync"))(file);
}

int fsync(int file) {
    return fails(file, 1) ? -1 : ((syncer)dlsym(RTLD_NEXT, "fsync"))(file);
}

ssize_t pwrite64(int file, const void *data, size_t size, off_t at) {
    return fails(file, 0) ? -1 : really_write(file, data, size, at);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
    return pwrite64(file, data, size, at);
}
