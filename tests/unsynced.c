/* Power loss for one process: on a signal, undo all writes that were not flushed, then SIGKILL.
 *
 * Preloaded, it notes for every write to a regular file below UNSYNCED_FOLDER what was there before; a successful
 * fsync or fdatasync forgets the notes of that file. At the end the files are as a disk would show them that kept
 * exactly what was flushed. With UNSYNCED_KEEP=SEED a pseudo-random half of the unflushed writes is kept instead,
 * as a disk does that wrote some pages in an order of its own.
 *
 * The end comes with SIGUSR2, or by itself in place of the write or flush number UNSYNCED_DIE_AT (1, 2, ...).
 * UNSYNCED_FAIL_SYNC_AT=N makes flush number N fail with EIO. Not covered: names (a new file's name survives), memory
 * maps, files truncated by open.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct file { /* one file that was written to, held open so that it can be restored whatever became of its name */
    dev_t dev;
    ino_t ino;
    int fd;
    struct file *next;
};

struct note { /* one write, or one change of size when `after` is NULL; newest first */
    struct file *file;
    off_t at, size_before, size_after;
    size_t length, length_before;
    char *before, *after;
    long number;
    struct note *older;
};

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file *files;
static struct note *notes;
static char folder[4096];
static long written, synced, steps, die_at, fail_sync_at, keep_seed = -1;

static long number_from(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text && *text ? atol(text) : otherwise;
}

static void *need(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

static void write_whole(int fd, const char *data, size_t length, off_t at)
{
    while (length > 0) {
        ssize_t done = real_pwrite(fd, data, length, at);
        if (done <= 0) abort();
        data += done, length -= (size_t)done, at += done;
    }
}

static void resize(int fd, off_t size)
{
    if (real_ftruncate(fd, size) != 0) abort();
}

static void undo(const struct note *note)
{
    write_whole(note->file->fd, note->before, note->length_before, note->at);
    resize(note->file->fd, note->size_before);
}

static void redo(const struct note *note)
{
    if (note->after) write_whole(note->file->fd, note->after, note->length, note->at);
    else resize(note->file->fd, note->size_after);
}

static int kept(const struct note *note)
{
    uint64_t mixed = ((uint64_t)keep_seed << 32 ^ (uint64_t)note->number) * 0x9E3779B97F4A7C15u;
    return keep_seed >= 0 && (mixed >> 40 & 1);
}

static void lose_power(void) /* with the lock held, so that no write gets in between */
{
    struct note *oldest = NULL;
    for (struct note *note = notes, *older; note; note = older) {
        undo(note);
        older = note->older;
        note->older = oldest; /* turn the list round: from here on it leads to the newer one */
        oldest = note;
    }
    for (struct note *note = oldest; note; note = note->older)
        if (kept(note)) redo(note);
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static void step(void)
{
    if (++steps == die_at) lose_power();
}

static struct file *watched(int fd) /* NULL unless it is a regular file below the folder */
{
    struct stat status;
    char link[64], path[4096];
    if (!*folder || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return NULL;
    for (struct file *file = files; file; file = file->next)
        if (file->ino == status.st_ino && file->dev == status.st_dev) return file;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return NULL;
    path[length] = 0;
    if (strncmp(path, folder, strlen(folder)) != 0 || strstr(path, "-shm")) return NULL;
    struct file *file = calloc(1, sizeof *file);
    file->dev = status.st_dev, file->ino = status.st_ino, file->next = files;
    if ((file->fd = open(link, O_RDWR | O_CLOEXEC)) < 0) abort();
    return files = file;
}

static struct note *take_note(struct file *file, off_t at, size_t length, const char *after)
{
    struct stat status;
    struct note *note = calloc(1, sizeof *note);
    if (fstat(file->fd, &status) != 0) abort();
    note->file = file, note->at = at, note->length = length, note->size_before = status.st_size;
    note->before = malloc(length + 1);
    ssize_t before = pread(file->fd, note->before, length, at);
    note->length_before = before < 0 ? 0 : (size_t)before;
    if (after) note->after = memcpy(malloc(length + 1), after, length);
    note->number = ++written;
    note->older = notes;
    return notes = note;
}

static void forget(const struct file *file, long through)
{
    for (struct note **link = &notes; *link;) {
        struct note *note = *link;
        if (note->file == file && note->number <= through) {
            *link = note->older;
            free(note->before), free(note->after), free(note);
        } else
            link = &note->older;
    }
}

static ssize_t noted_write(int fd, const void *data, size_t length, off_t at, int moves)
{
    pthread_mutex_lock(&lock);
    struct file *file = watched(fd);
    if (file) {
        struct stat status;
        step();
        if (moves) at = lseek(fd, 0, SEEK_CUR);
        if (moves && fcntl(fd, F_GETFL) & O_APPEND && fstat(fd, &status) == 0) at = status.st_size;
        take_note(file, at, length, data);
    }
    ssize_t done = moves ? real_write(fd, data, length) : real_pwrite(fd, data, length, at);
    pthread_mutex_unlock(&lock);
    return done;
}

static int noted_sync(int fd, int (*real)(int))
{
    pthread_mutex_lock(&lock);
    struct file *file = watched(fd);
    long through = written;
    int fails = 0;
    if (file) step(), fails = ++synced == fail_sync_at;
    pthread_mutex_unlock(&lock);
    if (fails) return errno = EIO, -1;
    int result = real(fd);
    if (file && result == 0) {
        pthread_mutex_lock(&lock);
        forget(file, through);
        pthread_mutex_unlock(&lock);
    }
    return result;
}

ssize_t write(int fd, const void *data, size_t length) { return noted_write(fd, data, length, 0, 1); }

ssize_t pwrite(int fd, const void *data, size_t length, off_t at) { return noted_write(fd, data, length, at, 0); }

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) { return noted_write(fd, data, length, at, 0); }

ssize_t writev(int fd, const struct iovec *parts, int count) /* in pieces for a watched file: a short write is legal */
{
    static ssize_t (*real_writev)(int, const struct iovec *, int);
    if (!real_writev) real_writev = need("writev");
    pthread_mutex_lock(&lock);
    struct file *file = watched(fd);
    pthread_mutex_unlock(&lock);
    return file && count > 0 ? write(fd, parts[0].iov_base, parts[0].iov_len) : real_writev(fd, parts, count);
}

int ftruncate(int fd, off_t size)
{
    pthread_mutex_lock(&lock);
    struct file *file = watched(fd);
    struct stat status;
    if (file && fstat(fd, &status) == 0) {
        step();
        take_note(file, size, status.st_size > size ? (size_t)(status.st_size - size) : 0, NULL)->size_after = size;
    }
    int result = real_ftruncate(fd, size);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

int fsync(int fd) { return noted_sync(fd, real_fsync); }

int fdatasync(int fd) { return noted_sync(fd, real_fdatasync); }

static void *wait_for_signal(void *set)
{
    int signal;
    while (sigwait(set, &signal) != 0) {}
    pthread_mutex_lock(&lock);
    lose_power();
    return NULL;
}

__attribute__((constructor)) static void start(void)
{
    static sigset_t set;
    pthread_t thread;
    real_write = need("write"), real_pwrite = need("pwrite"), real_ftruncate = need("ftruncate");
    real_fsync = need("fsync"), real_fdatasync = need("fdatasync");
    const char *watch = getenv("UNSYNCED_FOLDER");
    if (!watch || strlen(watch) >= sizeof folder) return;
    strcpy(folder, watch);
    die_at = number_from("UNSYNCED_DIE_AT", 0), fail_sync_at = number_from("UNSYNCED_FAIL_SYNC_AT", 0);
    keep_seed = number_from("UNSYNCED_KEEP", -1);
    sigemptyset(&set), sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* every later thread inherits it: only the one below ever takes it */
    if (pthread_create(&thread, NULL, wait_for_signal, &set) != 0) abort();
}
