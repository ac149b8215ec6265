/*
 * The guest of the case `dump`: /init of both kernels. Does what /host/program says for its boot, one line a system call, and stops at each
 * `mark` until the host has taken its dump. Built by the case: gcc -static. Ioctls: include/uapi/linux/liveupdate.h, 7.3.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/reboot.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/reboot.h>
#include <unistd.h>

#define MOST 4096
struct session_arg { uint32_t size; int32_t fd; char name[64]; };
struct file_arg { uint32_t size; int32_t fd; uint64_t token; };

static int device = -1;
static struct { char name[64]; int fd; } sessions[MOST];
static struct { int session, fd; } files[MOST];
static int session_count, file_count;

static int session_of(const char *name)
{
	for (int at = session_count - 1; at >= 0; at--)
		if (sessions[at].fd >= 0 && !strcmp(sessions[at].name, name))
			return at;
	return -1;
}

static void say(const char *line, long result)
{
	printf("LAB %s = %ld%s%s\n", line, result < 0 ? (long)-errno : result, result < 0 ? " " : "", result < 0 ? strerrorname_np(errno) : "");
}

static long session_call(unsigned long request, const char *name)
{
	struct session_arg arg = { .size = sizeof arg };
	strncpy(arg.name, name, 63);
	if (ioctl(device, request, &arg) < 0)
		return -1;
	strcpy(sessions[session_count].name, arg.name);
	sessions[session_count++].fd = arg.fd;
	return arg.fd;
}

/* memfd <session> <token> <name> <size> <flags> <pages written> <seals> <position> */
static long preserve(const char *session, uint64_t token, const char *name, uint64_t size, unsigned flags, uint64_t pages, int seals, uint64_t position)
{
	int at = session_of(session);
	struct file_arg arg = { .size = sizeof arg, .token = token };
	int fd = memfd_create(!strcmp(name, "-") ? "" : name, flags);
	if (fd < 0 || at < 0 || ftruncate(fd, size) < 0)
		return -1;
	for (uint64_t page = 0; page < pages; page++) {
		char text[64];
		int length = snprintf(text, sizeof text, "%s/%llx page %llu", session, (unsigned long long)token, (unsigned long long)page);
		if (pwrite(fd, text, length, page * 4096) < 0)
			return -1;
	}
	lseek(fd, position, SEEK_SET);
	if (seals && fcntl(fd, F_ADD_SEALS, seals) < 0)
		return -1;
	arg.fd = fd;
	if (ioctl(sessions[at].fd, 0xba40, &arg) < 0)
		return -1;
	files[file_count].session = at;
	files[file_count++].fd = fd;
	return 0;
}

static long retrieve(const char *session, uint64_t token)
{
	int at = session_of(session);
	struct file_arg arg = { .size = sizeof arg, .token = token };
	if (at < 0 || ioctl(sessions[at].fd, 0xba41, &arg) < 0)
		return -1;
	files[file_count].session = at;
	files[file_count++].fd = arg.fd;
	return arg.fd;
}

static void close_session(int at)
{
	for (int file = 0; file < file_count; file++)
		if (files[file].session == at && files[file].fd >= 0) {
			close(files[file].fd);
			files[file].fd = -1;
		}
	close(sessions[at].fd);
	sessions[at].fd = -1;
}

/* The child has the named session and its files open, the parent has not any more. */
static long child(const char *comm, const char *session)
{
	int own = session_of(session);
	if (own < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, comm);
		for (int at = 0; at < session_count; at++)
			if (at != own && sessions[at].fd >= 0)
				close_session(at);
		close(device);
		for (;;)
			pause();
	}
	close_session(own);
	return pid;
}

static int thread_session;
static void *keeper(void *comm)
{
	unshare(CLONE_FILES);
	prctl(PR_SET_NAME, comm);
	for (int at = 0; at < session_count; at++)
		if (at != thread_session && sessions[at].fd >= 0)
			close_session(at);
	for (;;)
		pause();
	return NULL;
}

/* A process whose leader has ended; a thread with a descriptor table of its own holds the session. */
static long thread_child(const char *comm, const char *session)
{
	int own = session_of(session);
	if (own < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		pthread_t thread;
		static char name[16];
		strncpy(name, comm, 15);
		thread_session = own;
		pthread_create(&thread, NULL, keeper, name);
		pthread_exit(NULL);
	}
	close_session(own);
	return pid;
}

static long put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	long written = fd < 0 ? -1 : write(fd, text, strlen(text));
	if (fd >= 0)
		close(fd);
	return written < 0 ? -1 : 0;
}

static void mark(const char *name)
{
	char path[128];
	struct stat status;
	snprintf(path, sizeof path, "/host/go-%s", name);
	printf("LAB-MARK %s\n", name);
	while (stat(path, &status) < 0)
		usleep(200000);
}

static long load(const char *command_line)
{
	int kernel = open("/host/vmlinuz", O_RDONLY), initrd = open("/host/dump-initrd.img", O_RDONLY);
	return syscall(SYS_kexec_file_load, kernel, initrd, strlen(command_line) + 1, command_line, 0UL);
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	const char *folders[][3] = { { "proc", "/proc", "" }, { "sysfs", "/sys", "" }, { "devtmpfs", "/dev", "" }, { "debugfs", "/sys/kernel/debug", "" },
				     { "9p", "/host", "trans=virtio,version=9p2000.L,msize=262144,cache=none" } };
	for (unsigned at = 0; at < sizeof folders / sizeof *folders; at++) {
		mkdir(folders[at][1], 0755);
		mount(at == 4 ? "host" : folders[at][0], folders[at][1], folders[at][0], 0, folders[at][2]);
	}
	for (int fd = 0; fd < 3; fd++)
		dup2(open("/dev/console", O_RDWR), fd);
	char boot[4096] = { 0 };
	int fd = open("/proc/cmdline", O_RDONLY);
	if (read(fd, boot, sizeof boot - 1) < 0)
		return 1;
	boot[strcspn(boot, "\n")] = 0;
	close(fd);
	const char *section = strstr(boot, "lab.boot=2") ? "boot 2" : "boot 1";
	FILE *program = fopen("/host/program", "r");
	static char line[1024];
	int mine = 0;
	while (program && fgets(line, sizeof line, program)) {
		char verb[64] = "", name[64] = "", other[64] = "";
		uint64_t a, b, c, d, e, f;
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "boot ", 5)) {
			mine = !strcmp(line, section);
			continue;
		}
		if (!mine || sscanf(line, "%63s %63s", verb, name) < 1)
			continue;
		long result = -1;
		errno = EINVAL;
		if (!strcmp(verb, "open"))
			result = device = open("/dev/liveupdate", O_RDWR);
		else if (!strcmp(verb, "create"))
			result = session_call(0xba00, name);
		else if (!strcmp(verb, "retrieve-session"))
			result = session_call(0xba01, name);
		else if (!strcmp(verb, "memfd") && sscanf(line, "%*s %*s %li %63s %li %li %li %li %li", &a, other, &b, &c, &d, &e, &f) == 7)
			result = preserve(name, a, other, b, c, d, e, f);
		else if (!strcmp(verb, "retrieve") && sscanf(line, "%*s %*s %li", &a) == 1)
			result = retrieve(name, a);
		else if (!strcmp(verb, "finish") && session_of(name) >= 0) {
			uint32_t arg[2] = { 8, 0 };
			result = ioctl(sessions[session_of(name)].fd, 0xba42, arg);
		} else if (!strcmp(verb, "close") && session_of(name) >= 0) {
			close_session(session_of(name));
			result = 0;
		} else if (!strcmp(verb, "child") && sscanf(line, "%*s %*s %63s", other) == 1)
			result = child(name, other);
		else if (!strcmp(verb, "thread") && sscanf(line, "%*s %*s %63s", other) == 1)
			result = thread_child(name, other);
		else if (!strcmp(verb, "write") && sscanf(line, "%*s %*s %63s", other) == 1)
			result = put(name, other);
		else if (!strcmp(verb, "exit"))
			exit(1); /* init may not: the kernel panics */
		else if (!strcmp(verb, "mark")) {
			mark(name);
			result = 0;
		} else if (!strcmp(verb, "kexec")) {
			/* not after lab.boot: this command line is the next kernel's as well */
			strcat(boot, " lab.boot=2");
			result = load(boot);
			if (result == 0)
				result = reboot(LINUX_REBOOT_CMD_KEXEC);
		} else if (!strcmp(verb, "sleep"))
			result = sleep(strtoul(name, NULL, 10));
		say(line, result);
	}
	printf("LAB-END 0\n");
	reboot(LINUX_REBOOT_CMD_POWER_OFF);
	return 0;
}
