/* A power cut for one folder, preloaded into a process (LD_PRELOAD; Linux with glibc).
 *
 * For every file under $DAYPASS_LOST_WRITES_DIR it remembers what each write, truncation and
 * allocation since the file's last fsync or fdatasync replaced, and for the folder which names were
 * removed or replaced since the folder's last sync. On SIGUSR1 all of that is undone, newest first,
 * and the process ends at once with status 137: on the disk is what had been synced, and nothing
 * else. Kinder to the program than a disk may be in two ways: a file that was created stays, empty
 * if it was never synced, and writes are lost as a whole, never in part. SQLite's shared-memory
 * index (-shm), which is mapped and not written, is deleted at the end (to shorten it under the feet of
 * running threads would kill them): whoever opens the database next builds it again.
 *
 * The syncs themselves are not passed on: only this process's death is survived here, which the
 * kernel's page cache survives as well, and the tests are the faster for it.
 *
 * Files are told by device and inode, so descriptors may be duplicated, closed and used again. A
 * descriptor of the shim's own holds each file open for good: its inode cannot be given to another,
 * and no close of ours drops the process's POSIX locks. Each write happens under one lock together
 * with its record; a power cut takes that lock and keeps it, so nothing is written beside it and no
 * sync returns after it.
 *
 * Not seen: shared mappings, io_uring, copy_file_range, sendfile. SQLite uses none of them to write
 * unless it is told to. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* What a change of a file replaced: `length` bytes at `offset`, and the size before. */
struct change {
    struct change *before;
    off_t size, offset;
    size_t length;
    unsigned char bytes[];
};

struct file {
    struct file *next;
    dev_t dev;
    ino_t ino;
    int fd;
    struct change *latest;
};

/* A name that was removed or replaced (`hidden` keeps what it stood for), or came about by renaming
 * (`from` is what it was called). */
struct name {
    struct name *before;
    char *path, *hidden, *from;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX];
static size_t folder_length;
static struct file *files;
static struct name *names;
static unsigned hidden_so_far;

static void give_up(const char *what) {
    dprintf(2, "lost_writes: %s: %s\n", what, strerror(errno));
    syscall(SYS_exit_group, 99);
}

static void *take(size_t size) {
    void *memory = malloc(size);
    if (!memory) give_up("out of memory");
    return memory;
}

static char *copy_of(const char *text) {
    char *copy = take(strlen(text) + 1);
    return strcpy(copy, text);
}

static int inside(const char *path) {
    return folder_length && !strncmp(path, folder, folder_length) && path[folder_length] == '/';
}

static int is_shared_memory(const char *path) {
    size_t length = strlen(path);
    return length > 4 && !strcmp(path + length - 4, "-shm");
}

/* The absolute path of a name, whose folder exists; 0 if it is not under the folder. */
static int resolve(int at, const char *path, char *out) {
    char parent[PATH_MAX], base[PATH_MAX], link[64];
    const char *slash = strrchr(path, '/');
    if (snprintf(base, sizeof base, "%s", slash ? slash + 1 : path) >= PATH_MAX) return 0;
    if (path[0] == '/' || at == AT_FDCWD) {
        size_t length = slash ? (size_t)(slash - path) : 0;
        if (length >= PATH_MAX) return 0;
        memcpy(parent, path, length);
        strcpy(parent + length, length ? "" : slash ? "/" : ".");
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        if (snprintf(parent, sizeof parent, "%s/%.*s", link, slash ? (int)(slash - path) : 0, path) >= PATH_MAX) return 0;
    }
    char real[PATH_MAX];
    if (!realpath(parent, real)) return 0;
    if (snprintf(out, PATH_MAX, "%s/%s", real, base) >= PATH_MAX) return 0;
    return inside(out);
}

/* The file behind a descriptor, if it is one of those watched. */
static struct file *watched(int fd, struct stat *is) {
    if (!folder_length || fstat(fd, is) || !S_ISREG(is->st_mode)) return NULL;
    for (struct file *file = files; file; file = file->next)
        if (file->dev == is->st_dev && file->ino == is->st_ino) return file;
    return NULL;
}

/* Begins to watch the file behind a descriptor that was just opened. */
static void watch(int fd) {
    char link[64], path[PATH_MAX];
    struct stat is;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    if (!inside(path) || is_shared_memory(path)) return;
    pthread_mutex_lock(&lock);
    if (!watched(fd, &is) && !fstat(fd, &is) && S_ISREG(is.st_mode)) {
        struct file *file = take(sizeof *file);
        int own = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDWR | O_CLOEXEC, 0);
        if (own < 0) give_up("cannot open a file a second time");
        *file = (struct file){.next = files, .dev = is.st_dev, .ino = is.st_ino, .fd = own};
        files = file;
    }
    pthread_mutex_unlock(&lock);
}

/* Remembers what `length` bytes at `offset` are now, as far as they are there, and the size. */
static void remember(struct file *file, const struct stat *is, off_t offset, off_t length) {
    off_t end = offset + length < is->st_size ? offset + length : is->st_size;
    size_t kept = end > offset ? (size_t)(end - offset) : 0;
    struct change *change = take(sizeof *change + kept);
    *change = (struct change){.before = file->latest, .size = is->st_size, .offset = offset, .length = kept};
    for (size_t at = 0; at < kept;) {
        ssize_t got = syscall(SYS_pread64, file->fd, change->bytes + at, kept - at, offset + (off_t)at);
        if (got <= 0) give_up("cannot read what a write replaces");
        at += (size_t)got;
    }
    file->latest = change;
}

static void forget(struct change *change) {
    while (change) {
        struct change *before = change->before;
        free(change);
        change = before;
    }
}

static void forget_name(struct name *name) {
    free(name->path);
    free(name->hidden);
    free(name->from);
    free(name);
}

/* The power cut. */

static size_t undo_writes(struct file *file) {
    size_t undone = 0;
    for (struct change *change = file->latest; change; change = change->before, undone++) {
        for (size_t at = 0; at < change->length;) {
            ssize_t put = syscall(SYS_pwrite64, file->fd, change->bytes + at, change->length - at, change->offset + (off_t)at);
            if (put <= 0) give_up("cannot undo a write");
            at += (size_t)put;
        }
        if (syscall(SYS_ftruncate, file->fd, change->size)) give_up("cannot undo a change of size");
    }
    return undone;
}

static void undo_names(void) {
    for (struct name *name = names; name; name = name->before) {
        if (name->from && syscall(SYS_renameat2, AT_FDCWD, name->path, AT_FDCWD, name->from, 0)) give_up("cannot undo a rename");
        if (name->hidden && syscall(SYS_renameat2, AT_FDCWD, name->hidden, AT_FDCWD, name->path, 0)) give_up("cannot undo an unlink");
    }
}

static void drop_shared_memory(void) {
    DIR *listing = opendir(folder);
    if (!listing) give_up("cannot list the folder");
    for (struct dirent *entry; (entry = readdir(listing));)
        if (is_shared_memory(entry->d_name)) syscall(SYS_unlinkat, dirfd(listing), entry->d_name, 0);
}

static void *wait_for_power_cut(void *signals) {
    int signal;
    while (sigwait(signals, &signal)) {}
    pthread_mutex_lock(&lock);
    size_t undone = 0;
    for (struct file *file = files; file; file = file->next) undone += undo_writes(file);
    undo_names();
    drop_shared_memory();
    dprintf(2, "lost_writes: %zu writes undone\n", undone);
    syscall(SYS_exit_group, 137);
    return NULL;
}

__attribute__((constructor)) static void begin(void) {
    static sigset_t signals;
    const char *wanted = getenv("DAYPASS_LOST_WRITES_DIR");
    if (!wanted) return;
    if (!realpath(wanted, folder)) give_up("DAYPASS_LOST_WRITES_DIR");
    /* Blocked here, before there is a second thread, it is blocked in all of them. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    pthread_t thread;
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL)) give_up("pthread_sigmask");
    if (pthread_create(&thread, NULL, wait_for_power_cut, &signals)) give_up("pthread_create");
    pthread_detach(thread);
    folder_length = strlen(folder);
}

/* Opening. What O_TRUNC would take is taken by ftruncate, which remembers it. */

static int open_at(int at, const char *path, int flags, mode_t mode) {
    int truncate_it = folder_length && (flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY;
    int fd = (int)syscall(SYS_openat, at, path, truncate_it ? flags & ~O_TRUNC : flags, mode);
    if (fd < 0 || !folder_length) return fd;
    int error = errno;
    if (!(flags & O_PATH)) watch(fd);
    if (truncate_it && ftruncate(fd, 0)) give_up("cannot truncate");
    errno = error;
    return fd;
}

#define WITH_MODE(flags, mode)                                    \
    mode_t mode = 0;                                              \
    if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) { \
        va_list rest;                                             \
        va_start(rest, flags);                                    \
        mode = va_arg(rest, mode_t);                              \
        va_end(rest);                                             \
    }

int open(const char *path, int flags, ...) { WITH_MODE(flags, mode) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { WITH_MODE(flags, mode) return open_at(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { WITH_MODE(flags, mode) return open_at(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { WITH_MODE(flags, mode) return open_at(at, path, flags, mode); }
int creat(const char *path, mode_t mode) { return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* Writing. An offset of -1 stands for the descriptor's own. */

static void before_write(int fd, off_t offset, size_t length) {
    struct stat is;
    struct file *file = watched(fd, &is);
    if (!file) return;
    if (fcntl(fd, F_GETFL) & O_APPEND) offset = is.st_size;
    else if (offset < 0) offset = lseek(fd, 0, SEEK_CUR);
    remember(file, &is, offset, (off_t)length);
}

static size_t total(const struct iovec *parts, int count) {
    size_t length = 0;
    for (int at = 0; at < count; at++) length += parts[at].iov_len;
    return length;
}

/* Descriptors of nothing watched (pipes above all, which may block) are written without the lock. */
static int concerns_us(int fd) {
    struct stat is;
    int error = errno, regular = folder_length && !fstat(fd, &is) && S_ISREG(is.st_mode);
    errno = error;
    return regular;
}

#define WRITE(fd, offset, length, call)               \
    if (!concerns_us(fd)) return (ssize_t)(call);     \
    pthread_mutex_lock(&lock);                        \
    before_write(fd, offset, length);                 \
    ssize_t put = (ssize_t)(call);                    \
    int error = errno;                                \
    pthread_mutex_unlock(&lock);                      \
    errno = error;                                    \
    return put;

ssize_t write(int fd, const void *from, size_t length) { WRITE(fd, -1, length, syscall(SYS_write, fd, from, length)) }
ssize_t pwrite(int fd, const void *from, size_t length, off_t offset) { WRITE(fd, offset, length, syscall(SYS_pwrite64, fd, from, length, offset)) }
ssize_t pwrite64(int fd, const void *from, size_t length, off64_t offset) { return pwrite(fd, from, length, offset); }
ssize_t writev(int fd, const struct iovec *parts, int count) { WRITE(fd, -1, total(parts, count), syscall(SYS_writev, fd, parts, count)) }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { WRITE(fd, offset, total(parts, count), syscall(SYS_pwritev, fd, parts, count, offset, 0)) }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) { return pwritev(fd, parts, count, offset); }
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags) { WRITE(fd, offset, total(parts, count), syscall(SYS_pwritev2, fd, parts, count, offset, 0, flags)) }
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t offset, int flags) { return pwritev2(fd, parts, count, offset, flags); }

/* Changing sizes. */

int ftruncate(int fd, off_t size) {
    struct stat is;
    pthread_mutex_lock(&lock);
    struct file *file = watched(fd, &is);
    if (file) remember(file, &is, size, is.st_size > size ? is.st_size - size : 0);
    int result = (int)syscall(SYS_ftruncate, fd, size), error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

int fallocate(int fd, int mode, off_t offset, off_t length) {
    struct stat is;
    pthread_mutex_lock(&lock);
    struct file *file = watched(fd, &is);
    /* Some modes punch holes or move what follows. */
    if (file) remember(file, &is, mode ? offset : is.st_size, mode ? is.st_size : 0);
    int result = (int)syscall(SYS_fallocate, fd, mode, offset, length), error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int fallocate64(int fd, int mode, off64_t offset, off64_t length) { return fallocate(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) { return fallocate(fd, 0, offset, length) ? errno : 0; }
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return posix_fallocate(fd, offset, length); }

/* Syncing: what was written until now stays. That of the folder makes its names stay. */

static int sync_fd(int fd, long call) {
    struct stat is;
    if (!folder_length) return (int)syscall(call, fd);
    if (fstat(fd, &is)) return -1;
    pthread_mutex_lock(&lock);
    struct file *file = watched(fd, &is);
    if (file) {
        forget(file->latest);
        file->latest = NULL;
    }
    while (S_ISDIR(is.st_mode) && names) {
        struct name *before = names->before;
        if (names->hidden) syscall(SYS_unlinkat, AT_FDCWD, names->hidden, 0);
        forget_name(names);
        names = before;
    }
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int fd) { return sync_fd(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_fd(fd, SYS_fdatasync); }
/* It promises nothing about what is needed to find the bytes again (sync_file_range(2)). */
int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags) { return (void)fd, (void)offset, (void)length, (void)flags, 0; }

/* Names. What a name stood for is kept under another, beside it, until the folder is synced. */

static void remember_name(char *path, const char *from) {
    struct name *name = take(sizeof *name);
    char hidden[PATH_MAX + 32];
    *name = (struct name){.before = names, .path = copy_of(path), .from = from ? copy_of(from) : NULL};
    snprintf(hidden, sizeof hidden, "%s.lost-%u", path, hidden_so_far++);
    if (!syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, hidden, 0)) name->hidden = copy_of(hidden);
    names = name;
}

static int unlink_at(int at, const char *path, int flags) {
    char full[PATH_MAX];
    if (flags || !folder_length || !resolve(at, path, full)) return (int)syscall(SYS_unlinkat, at, path, flags);
    pthread_mutex_lock(&lock);
    int exists = !faccessat(AT_FDCWD, full, F_OK, 0);
    if (exists) remember_name(full, NULL);
    int result = (int)syscall(SYS_unlinkat, at, path, flags), error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int unlink(const char *path) { return unlink_at(AT_FDCWD, path, 0); }
int unlinkat(int at, const char *path, int flags) { return unlink_at(at, path, flags); }

static int rename_at(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    char full_from[PATH_MAX], full_to[PATH_MAX];
    int ours = folder_length && !flags && resolve(to_at, to, full_to) && resolve(from_at, from, full_from);
    if (!ours) return (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    pthread_mutex_lock(&lock);
    if (!faccessat(AT_FDCWD, full_from, F_OK, 0)) remember_name(full_to, full_from);
    int result = (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags), error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int rename(const char *from, const char *to) { return rename_at(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_at, const char *from, int to_at, const char *to) { return rename_at(from_at, from, to_at, to, 0); }
int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) { return rename_at(from_at, from, to_at, to, flags); }
